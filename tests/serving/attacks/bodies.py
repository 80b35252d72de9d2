"""Bodies of /invocations as text: JSON, JSON Lines and CSV, and what is right: rows of numbers, or a 4xx.

The policy's observations are two numbers, and its heads three: PPO of the continuous car. The observations that a body
holds are written beside it; which heads belong to them the server says itself, asked for them in plain JSON.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

JSON, JSON_LINES, CSV, NPY = "application/json", "application/jsonlines", "text/csv", "application/x-npy"
ONE = [[0.5, -0.5]]
TWO = [[0.5, -0.5], [-0.5, 0.5]]
MAX_BODY_BYTES = 6 * 1024 * 1024


@dataclass(frozen=True)
class Body:
    """A request, and what is right.

    Attributes:
        name: unique.
        content: the body.
        media_type: the header Content-Type; None for none.
        rows: the observations in it; empty if the answer is an error.
        statuses: that are right; 200 only together with ``rows``.
        detail: a part of an error's sentence.
        accept: the header Accept, and the media type of the answer.
        headers: more of them.
        has_predictions: the answer is ``{"predictions": ...}``.
    """

    name: str
    content: bytes
    media_type: str | None
    rows: Sequence[Sequence[float]] = ()
    statuses: tuple[int, ...] = (400,)
    detail: str = ""
    accept: tuple[str, str] = ("", JSON)
    headers: tuple[tuple[str, str], ...] = ()
    has_predictions: bool = False


def good(name: str, content: bytes | str, media_type: str | None, rows: Sequence[Sequence[float]], **more: Any) -> Body:
    return Body(name, _bytes(content), media_type, rows, (200,), **more)


def bad(name: str, content: bytes | str, media_type: str | None, detail: str = "", status: int = 400) -> Body:
    return Body(name, _bytes(content), media_type, (), (status,), detail)


def either(name: str, content: bytes | str, media_type: str | None, rows: Sequence[Sequence[float]]) -> Body:
    """What no standard decides: the right rows, or refused."""
    return Body(name, _bytes(content), media_type, rows, (200, 400, 415))


def _bytes(content: bytes | str) -> bytes:
    return content.encode() if isinstance(content, str) else content


DEEP = "[" * 100_000 + "]" * 100_000

JSON_BODIES = (
    good("one observation", "[0.5,-0.5]", JSON, ONE),
    good("a batch", json.dumps(TWO), JSON, TWO),
    good("a batch of one", "[[0.5,-0.5]]", JSON, ONE),
    good("white space of all kinds", " \t\r\n[ 0.5 ,\n-0.5\t]\r\n ", JSON, ONE),
    good("whole numbers", "[1,-1]", JSON, [[1, -1]]),
    good("a whole number beside a fraction", "[[1,0.5],[-1,0]]", JSON, [[1, 0.5], [-1, 0]]),
    good("minus zero", "[-0,-0.0]", JSON, [[0, 0]]),
    good("exponents", "[5e-1,-5E-01]", JSON, ONE),
    good("an exponent with plus", "[5.0e+0,0]", JSON, [[5, 0]]),
    good("too small for any float", "[1e-400,0]", JSON, [[0, 0]]),
    good("a subnormal float32", "[1e-40,0]", JSON, [[0, 0]]),
    good("the largest float32", "[3.4028234e38,-3.4028234e38]", JSON, [[3.4028234e38, -3.4028234e38]]),
    good("the largest int64", "[9223372036854775807,0]", JSON, [[2.0**63, 0]]),
    good("the largest uint64", "[18446744073709551615,0]", JSON, [[2.0**64, 0]]),
    good("the largest uint64 beside a negative number", "[[18446744073709551615,-1]]", JSON, [[2.0**64, -1]]),
    good("beyond uint64, within float32", "[18446744073709551616,0]", JSON, [[2.0**64, 0]]),
    good("10,000 digits behind the point", "[0.5" + "0" * 10_000 + ",-0.5]", JSON, ONE),
    good("17 digits", "[0.49999999999999999,-0.50000000000000001]", JSON, ONE),
    good("100,000 rows", "[" + ",".join(["[0.5,-0.5]"] * 100_000) + "]", JSON, ONE * 100_000),
    good("a BOM", "\ufeff[0.5,-0.5]", JSON, ONE),
    good("instances", '{"instances": [[0.5,-0.5],[-0.5,0.5]]}', JSON, TWO, has_predictions=True),
    good("instances beside another key", '{"id":1,"instances":[[0.5,-0.5]]}', JSON, ONE, has_predictions=True),
    good("an escaped key", '{"\\u0069nstances":[[0.5,-0.5]]}', JSON, ONE, has_predictions=True),
    Body("a key twice", b'{"instances":[[9,9]],"instances":[[0.5,-0.5]]}', JSON, ONE, (200, 400), has_predictions=True),
    bad("empty", "", JSON, "empty"),
    bad("blank", " \n\t", JSON, "empty"),
    bad("cut off", "[0.5,", JSON, "is not application/json"),
    bad("three numbers", "[1,2,3]", JSON, "shape [3], expected [2] for one observation or [batch, 2] for a batch"),
    bad("one number", "[1]", JSON, "shape [1]"),
    bad("rows of three", "[[1,2,3]]", JSON, "shape [1, 3]"),
    bad("one list too many", "[[[1,2]]]", JSON, "shape [1, 1, 2]"),
    bad("an empty list", "[]", JSON, "shape [0]"),
    bad("a list of an empty list", "[[]]", JSON, "shape [1, 0]"),
    bad("empty rows", "[[],[]]", JSON, "shape [2, 0]"),
    bad("a number alone", "7", JSON, "shape []"),
    bad("null", "null", JSON),
    bad("true", "true", JSON),
    bad("a string", '"0.5,-0.5"', JSON, "something else than numbers"),
    bad("numbers as strings", '["0.5","-0.5"]', JSON, "something else than numbers"),
    bad("a string beside a number", '["a",1]', JSON, "something else than numbers"),
    bad("null beside a number", "[null,1]", JSON, "something else than numbers"),
    bad("null for a row", "[[0.5,-0.5],null]", JSON, "something else than numbers"),
    bad("booleans", "[true,false]", JSON, "something else than numbers"),
    bad("a boolean beside a number", "[true,0.5]", JSON, "something else than numbers"),
    bad("a boolean in the last row", "[[0.5,-0.5],[0.5,false]]", JSON, "something else than numbers"),
    bad("an object for a number", "[{},0.5]", JSON, "something else than numbers"),
    bad("rows of unequal length", "[[1,2],[3]]", JSON, "something else than numbers"),
    bad("a row beside a number", "[[1,2],3]", JSON, "something else than numbers"),
    bad("an empty row behind a good one", "[[0.5,-0.5],[]]", JSON, "something else than numbers"),
    bad("a row too deep behind a good one", "[[0.5,-0.5],[[0.5],[-0.5]]]", JSON, "something else than numbers"),
    bad("NaN", "[NaN,1]", JSON, "NaN"),
    bad("Infinity", "[1,-Infinity]", JSON, "Infinity"),
    bad("beyond float64", "[1e400,1]", JSON, "infinity"),
    bad("beyond float32", "[1e39,1]", JSON, "beyond float32"),
    bad("a huge exponent", "[1e99999999999,1]", JSON),
    bad("10,000 digits", "[" + "9" * 10_000 + ",1]", JSON),
    bad("1,000,000 digits", "[" + "9" * 1_000_000 + ",1]", JSON),
    bad("a leading zero", "[01,1]", JSON),
    bad("a leading plus", "[+1,1]", JSON),
    bad("a leading point", "[.5,1]", JSON),
    bad("a trailing point", "[5.,1]", JSON),
    bad("an exponent without digits", "[5e,1]", JSON),
    bad("hex", "[0x10,1]", JSON),
    bad("an underscore", "[1_000,1]", JSON),
    bad("digits of another script", "[\u0660.\u0665,1]", JSON),
    bad("a full-width digit", "[\uff11,1]", JSON),
    bad("a comma at the end", "[0.5,-0.5,]", JSON),
    bad("a comma too many", "[0.5,,-0.5]", JSON),
    bad("trailing text", "[0.5,-0.5] x", JSON),
    bad("a second value", "[0.5,-0.5][0.5,-0.5]", JSON),
    bad("a trailing NUL", "[0.5,-0.5]\0", JSON),
    bad("a form feed", "\f[0.5,-0.5]", JSON),
    bad("a no-break space", "\u00a0[0.5,-0.5]", JSON),
    bad("a comment", "[0.5,-0.5] // both", JSON),
    bad("Python", "(0.5,-0.5)", JSON),
    bad("UTF-16 with a BOM", "[0.5,-0.5]".encode("utf-16"), JSON),
    bad("UTF-16 without a BOM", "[0.5,-0.5]".encode("utf-16-be"), JSON),
    bad("UTF-32", "[0.5,-0.5]".encode("utf-32"), JSON),
    bad("a BOM alone", "\ufeff", JSON),
    bad("a BOM inside", "[0.5,\ufeff-0.5]", JSON),
    bad("latin-1", '["\u00e9",1]'.encode("latin-1"), JSON),
    bad("no UTF-8", b"\xff\xfe\xfd", JSON),
    bad("a surrogate", b'["\xed\xa0\x80",1]', JSON),
    bad("32 lists", "[" * 32 + "1" + "]" * 32, JSON),
    bad("33 lists", "[" * 33 + "1" + "]" * 33, JSON),
    bad("1,000 lists", "[" * 1000 + "]" * 1000, JSON),
    bad("1,023 lists", "[" * 1023 + "]" * 1023, JSON),
    bad("1,024 lists", "[" * 1024 + "]" * 1024, JSON),
    bad("1,025 lists", "[" * 1025 + "]" * 1025, JSON),
    bad("100,000 lists", DEEP, JSON),
    bad("500,000 lists that do not end", "[" * 500_000, JSON, "is not application/json"),
    bad("10,000 objects", '{"a":' * 10_000 + "1" + "}" * 10_000, JSON),
    bad("lists in instances", '{"instances":' + "[" * 900 + "]" * 900 + "}", JSON),
    bad("another key", '{"a":1}', JSON, "an object with the keys 'a', expected the key 'instances'"),
    bad("an empty object", "{}", JSON),
    bad("another case", '{"Instances":[[0.5,-0.5]]}', JSON),
    bad("instances of one number", '{"instances": 7}', JSON, "expected a list"),
    bad("instances of null", '{"instances": null}', JSON),
    bad("instances of an object", '{"instances": {"a": [[0.5,-0.5]]}}', JSON),
    bad("instances of a string", '{"instances": "[[0.5,-0.5]]"}', JSON),
    bad("no instances", '{"instances": []}', JSON),
    bad("one observation in instances", '{"instances": [0.5,-0.5]}', JSON, "shape [2]"),
    bad("instances by name", '{"instances": [{"position":0.5,"velocity":-0.5}]}', JSON),
    bad("a boolean in instances", '{"instances": [[true,0.5]]}', JSON),
    bad("instances in a list", '[{"instances": [[0.5,-0.5]]}]', JSON),
    bad("the largest body, of blanks", b" " * MAX_BODY_BYTES, JSON),
    bad("a body too large by a byte", b" " * (MAX_BODY_BYTES + 1), JSON, "6291456", 413),
)

LINES_BODIES = (
    good("one line", "[0.5,-0.5]", JSON_LINES, ONE),
    good("two lines", "[0.5,-0.5]\n[-0.5,0.5]\n", JSON_LINES, TWO),
    good("no end of line at the end", "[0.5,-0.5]\n[-0.5,0.5]", JSON_LINES, TWO),
    good("CRLF", "[0.5,-0.5]\r\n[-0.5,0.5]\r\n", JSON_LINES, TWO),
    good("an empty line between", "[0.5,-0.5]\n\n[-0.5,0.5]", JSON_LINES, TWO),
    good("a blank line between", "[0.5,-0.5]\n \t\n[-0.5,0.5]", JSON_LINES, TWO),
    good("empty lines around", "\n\r\n[0.5,-0.5]\n[-0.5,0.5]\n\n\n", JSON_LINES, TWO),
    good("blanks in a line", " [ 0.5 , -0.5 ] \n[-0.5,0.5]", JSON_LINES, TWO),
    good("5,000 lines", "[0.5,-0.5]\n" * 5000, JSON_LINES, ONE * 5000),
    good("a BOM before lines", "\ufeff[0.5,-0.5]\n[-0.5,0.5]", JSON_LINES, TWO),
    good("x-jsonlines", "[0.5,-0.5]\n[-0.5,0.5]", "application/x-jsonlines", TWO),
    good("jsonl", "[0.5,-0.5]\n[-0.5,0.5]", "application/jsonl", TWO),
    good("x-ndjson", "[0.5,-0.5]\n[-0.5,0.5]", "application/x-ndjson", TWO),
    either("CR", "[0.5,-0.5]\r[-0.5,0.5]\r", JSON_LINES, TWO),
    bad("no lines", "", JSON_LINES, "empty"),
    bad("empty lines alone", "\n\n", JSON_LINES, "empty"),
    bad("a batch in a line", "[[0.5,-0.5],[-0.5,0.5]]", JSON_LINES),
    bad("batches in lines", "[[0.5,-0.5]]\n[[-0.5,0.5]]", JSON_LINES),
    bad("a number in each line", "0.5\n-0.5", JSON_LINES),
    bad("a number in the only line", "0.5", JSON_LINES),
    bad("CSV in lines", "0.5,-0.5\n-0.5,0.5", JSON_LINES),
    bad("instances in a line", '{"instances": [[0.5,-0.5]]}', JSON_LINES),
    bad("features in a line", '{"features": [0.5,-0.5]}', JSON_LINES),
    bad("an observation over two lines", "[0.5,\n-0.5]", JSON_LINES),
    bad("two observations in a line", "[0.5,-0.5] [-0.5,0.5]", JSON_LINES),
    bad("the second line cut off", "[0.5,-0.5]\n[0.5", JSON_LINES, "Line 2"),
    bad("lines of unequal length", "[0.5,-0.5]\n[0.5]", JSON_LINES),
    bad("lines of three", "[0.5,-0.5,1]\n[0.5,-0.5,1]", JSON_LINES),
    bad("null in a line", "[0.5,-0.5]\nnull", JSON_LINES),
    bad("NaN in a line", "[NaN,-0.5]", JSON_LINES),
    bad("a boolean in a line", "[0.5,-0.5]\n[true,0]", JSON_LINES),
    bad("a BOM in the second line", "[0.5,-0.5]\n\ufeff[-0.5,0.5]", JSON_LINES),
    bad("a file separator for an end of line", "[0.5,-0.5]\x1c[-0.5,0.5]", JSON_LINES),
    bad("U+2028 for an end of line", "[0.5,-0.5]\u2028[-0.5,0.5]", JSON_LINES),
    bad("a vertical tab for an end of line", "[0.5,-0.5]\v[-0.5,0.5]", JSON_LINES),
    bad("UTF-16 lines", "[0.5,-0.5]\n".encode("utf-16"), JSON_LINES),
    bad("a deep line", DEEP, JSON_LINES),
)

CSV_BODIES = (
    good("a row", "0.5,-0.5", CSV, ONE),
    good("two rows", "0.5,-0.5\n-0.5,0.5\n", CSV, TWO),
    good("rows with CRLF", "0.5,-0.5\r\n-0.5,0.5\r\n", CSV, TWO),
    good("rows with CR", "0.5,-0.5\r-0.5,0.5\r", CSV, TWO),
    good("an empty row between", "0.5,-0.5\n\n-0.5,0.5", CSV, TWO),
    good("a row of blanks between", "0.5,-0.5\n  \n-0.5,0.5", CSV, TWO),
    good("a row of blanks and CRLF", "0.5,-0.5\r\n \t\r\n-0.5,0.5\r\n", CSV, TWO),
    good("rows of blanks around", " \n0.5,-0.5\n-0.5,0.5\n ", CSV, TWO),
    good("blanks around numbers", " 0.5 , -0.5 \n-0.5,\t0.5", CSV, TWO),
    good("quoted numbers", '"0.5","-0.5"', CSV, ONE),
    good("whole numbers and fractions", "1,0.5\n-1,0", CSV, [[1, 0.5], [-1, 0]]),
    good("a whole number behind a fraction", "0.5,1\n", CSV, [[0.5, 1]]),
    good("exponents in rows", "5e-1,-5E-1", CSV, ONE),
    good("10,000 digits behind the point in a row", "0.5" + "0" * 10_000 + ",-0.5", CSV, ONE),
    good("a BOM before rows", "\ufeff0.5,-0.5\r\n-0.5,0.5", CSV, TWO),
    good("20,000 rows", "0.5,-0.5\n" * 20_000, CSV, ONE * 20_000),
    either("signs and points", "+.5,-.5", CSV, ONE),
    bad("no rows", "", CSV, "empty"),
    bad("blank rows alone", "  \n", CSV, "empty"),
    bad("one field", "0.5", CSV),
    bad("three fields", "0.5,-0.5,1", CSV, "3"),
    bad("rows of unequal lengths", "1,2\n3", CSV),
    bad("an empty field at the end", "0.5,", CSV),
    bad("an empty field at the start", ",0.5", CSV),
    bad("a third, empty field", "0.5,-0.5,", CSV),
    bad("an underscore in a field", "1_000,2", CSV, "1_000"),
    bad("an underscore in the second row", "1,2\n3,1_0", CSV),
    bad("a semicolon", "0.5;-0.5", CSV),
    bad("a tab", "0.5\t-0.5", CSV),
    bad("a column's name", "position,velocity\n0.5,-0.5", CSV),
    bad("a word", "0.5,abc", CSV, "abc"),
    bad("nan", "0.5,nan", CSV),
    bad("inf", "inf,0.5", CSV),
    bad("infinity", "-Infinity,0.5", CSV),
    bad("beyond float64 in a field", "1e400,0.5", CSV),
    bad("beyond float32 in a field", "1e39,0.5", CSV),
    bad("10,000 digits in a field", "9" * 10_000 + ",1", CSV),
    bad("1,000,000 digits in a field", "9" * 1_000_000 + ",1", CSV),
    bad("hex in a field", "0x10,1", CSV),
    bad("true in a field", "true,1", CSV),
    bad("a complex number", "1j,1", CSV),
    bad("Arabic digits", "\u0660.\u0665,\u0661", CSV),
    bad("Devanagari digits", "\u0967,\u0968", CSV),
    bad("full-width digits", "\uff11,\uff12", CSV),
    bad("mathematical digits", "\U0001d7ce,1", CSV),
    bad("a minus of typography", "\u22120.5,1", CSV),
    bad("a no-break space in a field", "0.5\u00a0,1", CSV),
    bad("NUL in a field", "0.5\0,1", CSV),
    bad("a quote that does not end", '"0.5,-0.5', CSV),
    bad("a quote inside", '0.5,-0".5', CSV),
    bad("UTF-16 rows", "0.5,-0.5".encode("utf-16"), CSV),
    bad("UTF-16 rows without a BOM", "0.5,-0.5".encode("utf-16-le"), CSV),
    bad("latin-1 in a field", "\u00e9,1".encode("latin-1"), CSV),
    bad("no UTF-8 in a field", b"\xff\xfe", CSV),
    bad("JSON for a row", "[0.5,-0.5]", CSV),
    bad("a file separator for the end of a row", "0.5,-0.5\x1c-0.5,0.5", CSV),
    bad("U+2028 for the end of a row", "0.5,-0.5\u2028-0.5,0.5", CSV),
)
