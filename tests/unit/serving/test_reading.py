"""Bodies of text: what is a line and a number in them, and that those which are read quickly are read as strictly."""

import json

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from sagemaker_rl.errors import RequestError
from sagemaker_rl.serving import codecs, reading

SHAPE = (2,)
PICTURE = (2, 3)
MARK = b"\xef\xbb\xbf"


def refusal(body, media_type, shape=SHAPE):
    with pytest.raises(RequestError) as refused:
        codecs.decode(body, media_type, shape)
    assert refused.value.status == 400
    return str(refused.value)


def observations(body, media_type, shape=SHAPE):
    return codecs.decode(body, media_type, shape).observations.tolist()


# --- Lines -----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
@pytest.mark.parametrize("last", [True, False])
@pytest.mark.parametrize("mark", [b"", MARK])
@pytest.mark.parametrize("blank", [[], [b""], [b"  \t "]])
def test_lines_end_at_cr_lf_or_both_and_blank_ones_do_not_count(end, last, mark, blank):
    for media_type, lines in ((codecs.JSON_LINES, [b"[1, 2]", b"[3,4]"]), (codecs.CSV, [b"1,2", b" 3,\t4 "])):
        body = mark + end.join([*blank, lines[0], *blank, lines[1], *blank]) + end * last
        assert observations(body, media_type) == [[1, 2], [3, 4]]


@pytest.mark.parametrize("character", ["\f", "\v", "\x1c", "\x85", "\u2028", "\u2029"])
def test_nothing_else_ends_a_line(character):
    assert refusal(f"[1,2]{character}[3,4]".encode(), codecs.JSON_LINES).startswith("Line 1 of the body is not JSON: ")
    assert refusal(f"1,2{character}3,4".encode(), codecs.CSV).startswith("Line 1 of the body holds ")


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        (b"[3,", "is not JSON: "),
        (b"[3, 4],", "is not JSON: "),
        (b"[3, 4] [5, 6]", "is not JSON: "),
        (b"[3, 4],[5, 6]", "is not JSON: "),
        (b"3, 4", "is not JSON: "),
        (b"[[3, 4]]", "has the shape [1, 2], expected [2]: one observation in each line."),
        (b"[[3, 4], [5, 6]]", "has the shape [2, 2], expected [2]: one observation in each line."),
        (b"[3]", "has the shape [1], expected [2]: one observation in each line."),
        (b"[]", "has the shape [0], expected [2]: one observation in each line."),
        (b"3", "has the shape [], expected [2]: one observation in each line."),
        (b"[3, true]", "holds something else than the numbers of one observation."),
        (b"[3, null]", "holds something else than the numbers of one observation."),
        (b'{"instances": [[3, 4]]}', "holds something else than the numbers of one observation."),
        (b'"3,4"', "holds something else than the numbers of one observation."),
        (b"true", "holds something else than the numbers of one observation."),
    ],
)
@pytest.mark.parametrize("before", [[], [b"[1, 2]"], [b"[1, 2]", b""]])
@pytest.mark.parametrize("after", [[], [b"[1, 2]"]])
def test_a_line_of_json_that_is_no_observation_is_named(line, sentence, before, after):
    told = refusal(b"\n".join([*before, line, *after]), codecs.JSON_LINES)
    assert told.startswith(f"Line {len(before) + 1} of the body {sentence}")


@pytest.mark.parametrize(
    "body",
    [
        b"[[1,2]\n[3,4]]\n[5,6],[7,8]",  # as many observations as lines, once the lines are joined by commas
        b"[1,2\n3,4]",
        b"[1\n2]",
        b"1,[2]\n[3],4",
        b"[1,]2\n[3,4]",
        b"[1,2]\n3[,4]",
    ],
)
def test_lines_are_each_json_by_themselves(body):
    assert refusal(body, codecs.JSON_LINES).startswith("Line ")


def test_two_observations_are_no_single_one_of_two_numbers():
    assert refusal(b"1\n2", codecs.JSON_LINES).startswith("Line 1 of the body has the shape []")
    assert refusal(b"1\n2", codecs.CSV) == (
        "Line 1 of the body has the length 1, expected 2: one observation in each line."
    )


# --- Numbers ---------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("field", "number"),
    [
        *(("+1", 1), ("-1", -1), ("01", 1), ("1.", 1), (".5", 0.5), ("-.5e+1", -5), ("1E2", 100), ("1e-2", 0.01)),
        *((" 1 ", 1), ("\t1", 1), ('"1"', 1), ('" 1.5 "', 1.5), ("-0", 0), ("0.25000000000000000000001", 0.25)),
    ],
)
def test_numbers_of_csv(field, number):
    assert observations(f"{field},7\n3,4".encode(), codecs.CSV) == np.float32([[number, 7], [3, 4]]).tolist()


@pytest.mark.parametrize(
    "field",
    [
        *(
            "",
            "1_000",
            "nan",
            "inf",
            "-inf",
            "+Infinity",
            "NaN",
            "0x10",
            "1e",
            "e5",
            ".",
            "-",
            "1 2",
            "1,5",
            "1;5",
            "--1",
            "1.2.3",
        ),
        *(
            "\u0661",
            "\uff11",
            "\u0967.\u096b",
            "1\u00a0",
            "\u20091",
            "1f",
            "1d5",
            "1L",
            "true",
            "position",
            "[1]",
            "1\0",
            "\x1f1",
        ),
    ],
)
def test_what_is_no_number_of_csv(field):
    body = f'1,2\n\n3,"{field}"\n'.encode()
    assert refusal(body, codecs.CSV) == f"Line 3 of the body holds {field!r}, expected a finite number."


@pytest.mark.parametrize("digits", ["\u0661,\u0662", "\uff11,\uff12", "[\uff11,\uff12]", "[1,\u0662]"])
@pytest.mark.parametrize("media_type", [codecs.JSON, codecs.JSON_LINES, codecs.CSV])
def test_digits_of_other_scripts_are_refused(media_type, digits):
    refusal(digits.encode(), media_type)


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        (b"1,2\n3", "Line 2 of the body has the length 1, expected 2: one observation in each line."),
        (b"1,2\n\n3,4,5", "Line 3 of the body has the length 3, expected 2: one observation in each line."),
        (b"1,2,3", "Line 1 of the body has the length 3, expected 2: one observation in each line."),
        (b"1,2\n3,", "Line 2 of the body holds '', expected a finite number."),
        (b"0.5;-0.5", "Line 1 of the body holds '0.5;-0.5', expected a finite number."),
        (b"x" * 1000 + b",2", f"Line 1 of the body holds {'x' * 100 + '...'!r}, expected a finite number."),
        (b'1,2\n"3,4', "The body is not text/csv: unexpected end of data."),
        (b'1,"2\n3",4', "Line 1 of the body holds '2\\n3', expected a finite number."),
        (b'1,""2', "The body is not text/csv: ',' expected after '\"'."),
    ],
)
def test_a_line_of_csv_that_is_no_observation_is_named(body, sentence):
    assert refusal(body, codecs.CSV) == sentence


def test_text_in_another_encoding_is_no_csv():
    for body in ("1,2".encode("utf-16"), b"\xff,2"):
        assert refusal(body, codecs.CSV).startswith("The body is not text/csv: 'utf-8' codec can't decode byte 0xff")


@pytest.mark.parametrize("media_type", [codecs.JSON, codecs.JSON_LINES, codecs.CSV])
@pytest.mark.parametrize("body", [b"", MARK, b" \r\n", MARK + b"\n"])
def test_an_empty_body(media_type, body):
    assert refusal(body, media_type) == "The body is empty, expected an observation or a batch of observations."


def test_without_a_shape_any_is_read_that_all_lines_have():
    assert reading.read_csv(b"1,2,3\n4,5,6").array.tolist() == [[1, 2, 3], [4, 5, 6]]
    assert reading.read_json_lines(b"[[1],[2]]\n[[4],[5]]").array.tolist() == [[[1], [2]], [[4], [5]]]
    for read, body in ((reading.read_csv, b"1\n2,3"), (reading.read_json_lines, b"[1]\n[2,3]")):
        with pytest.raises(RequestError, match=r"^Line 2 of the body has "):
            read(body)


# --- Pictures --------------------------------------------------------------------------------------------------------
def test_a_picture_is_a_row_of_its_numbers_in_csv_and_nested_lists_elsewhere():
    pictures = np.arange(12).reshape(2, *PICTURE).tolist()
    rows = "\n".join(",".join(map(str, np.ravel(picture))) for picture in pictures).encode()
    assert observations(rows, codecs.CSV, PICTURE) == pictures
    assert observations(rows.split(b"\n")[0], codecs.CSV, PICTURE) == pictures[:1]
    lines = b"\n".join(json.dumps(picture).encode() for picture in pictures)
    assert observations(lines, codecs.JSON_LINES, PICTURE) == pictures
    assert observations(json.dumps(pictures).encode(), codecs.JSON, PICTURE) == pictures
    assert observations(json.dumps(pictures[0]).encode(), codecs.JSON, PICTURE) == pictures[:1]
    assert codecs.decode(json.dumps({"instances": pictures}).encode(), codecs.JSON, PICTURE).has_instances
    assert refusal(b"1,2,3\n4,5,6", codecs.CSV, PICTURE) == (
        "Line 1 of the body has the length 3, expected 6: one observation in each line."
    )
    assert refusal(b"[1,2,3]\n[4,5,6]", codecs.JSON_LINES, PICTURE).startswith("Line 1 of the body has the shape [3]")
    assert "shape [1, 6], expected [2, 3]" in refusal(b"[[1,2,3,4,5,6]]", codecs.JSON, PICTURE)


# --- Plain bodies ----------------------------------------------------------------------------------------------------
PLAIN = {
    codecs.JSON: (reading.read_plain_json, reading.read_json),
    codecs.JSON_LINES: (reading.read_plain_json_lines, reading.read_json_lines),
    codecs.CSV: (reading.read_plain_csv, reading.read_csv),
}


def check_plain(body, media_type, shape):
    """Compare a body that is plain with what is read strictly; return whether it is plain."""
    read_plain, read = PLAIN[media_type]
    plain = read_plain(body, shape)
    if plain is None:
        return False
    strict = read(body, shape)
    assert plain.form == strict.form
    assert plain.array.dtype == np.float32
    assert np.array_equal(plain.array, strict.array.astype(np.float32), equal_nan=True)
    return True


SEPARATORS = [(", ", "], ["), (",", "],["), (",\n  ", "\n ],\n ["), (" ,\t", "] ,[")]


def written(rows, media_type, separators=("", "")):
    if media_type == codecs.CSV:
        return "\n".join(",".join(map(repr, row)) for row in rows)
    if media_type == codecs.JSON_LINES:
        return "\n".join(json.dumps(row) for row in rows)
    between, lists = separators
    return "[[" + lists.join(between.join(map(repr, row)) for row in rows) + "]]"


numbers = st.integers(-300, 300) | st.floats(-1e6, 1e6) | st.sampled_from([1e-300, 1e300, 0.0, -0.0, 2**63, 10**25])
characters = st.sampled_from(["", *'0123456789.,-+eE[] \n\r"{}t', "],[", "]\n[", ",,", "[[", "]]", "null", "true"])


@pytest.mark.parametrize("media_type", PLAIN)
@settings(max_examples=500, deadline=None, derandomize=True)
@given(
    rows=st.lists(st.tuples(numbers, numbers).map(list), min_size=1, max_size=4),
    edits=st.lists(st.tuples(st.integers(0, 80), st.integers(0, 2), characters), max_size=3),
    separators=st.sampled_from(SEPARATORS),
    instances=st.sampled_from(["%s", '{"instances":%s}', '{"instances": %s }', "%s\n", "\ufeff%s"]),
)
@example(rows=[[1, 2], [3, 4]], edits=[(4, 1, ""), (6, 0, "2")], separators=(",", "],["), instances="%s")
def test_a_plain_body_is_read_as_strictly_as_any(media_type, rows, edits, separators, instances):
    text = written(rows, media_type, separators)
    text = instances % text if media_type == codecs.JSON else text
    if not edits:
        assert check_plain(text.encode(), media_type, SHAPE)
    for place, removed, added in edits:
        text = text[:place] + added + text[place + removed :]
    check_plain(text.encode(), media_type, SHAPE)


@pytest.mark.parametrize(
    "body",
    [
        *(
            b"[[1,2],[3,]4]",
            b"[[1,]2,[3,4]]",
            b"[[1,2],3[,4]]",
            b"[[1,2]5,[3,4]]",
            b"[5[1,2],[3,4]]",
            b"5[[1,2],[3,4]]",
        ),
        *(
            b"[[1,2],[3,4]5]",
            b"[[1,2],[3,4]]5",
            b"[[1\n5,2],[3,4]]",
            b"[[1 5,2],[3,4]]",
            b"[[,1],[3,4]]",
            b"[[1,2],5[3,4]]",
        ),
        *(
            b"[[1,2][,3,4]]",
            b"[[1,2],[3,4],]",
            b"[[1,2],[3,4]",
            b"[1,2],[3,4]",
            b"[,[1,2],[3,4]]",
            b"[1,2]5",
            b"5[1,2]",
        ),
    ],
)
def test_a_number_in_the_wrong_place_is_no_json(body):
    assert refusal(body, codecs.JSON).startswith("The body is not application/json: ")
    assert refusal(b'{"instances":%b}' % body, codecs.JSON).startswith("The body is not application/json: ")


@settings(max_examples=150, deadline=None, derandomize=True)
@given(
    rows=st.lists(st.lists(st.lists(numbers, min_size=3, max_size=3), min_size=2, max_size=2), min_size=1, max_size=3),
    edits=st.lists(st.tuples(st.integers(0, 80), st.integers(0, 2), characters), max_size=2),
    shape=st.sampled_from([PICTURE, (3,), (2,), (1, 2, 3), ()]),
)
def test_a_plain_picture_is_read_as_strictly_as_any(rows, edits, shape):
    for data in (rows, rows[0]):
        text = json.dumps(data)
        if not edits:
            assert check_plain(text.encode(), codecs.JSON, PICTURE)
        for place, removed, added in edits:
            text = text[:place] + added + text[place + removed :]
        check_plain(text.encode(), codecs.JSON, shape)


@pytest.mark.parametrize("media_type", PLAIN)
def test_what_clients_write_is_plain(media_type):
    """As Python, JavaScript, NumPy and spreadsheets do."""
    rows = np.random.default_rng(1).normal(size=(50, 2)).tolist()
    for end in ("", "\n"):
        assert check_plain((written(rows, media_type, (", ", "], [")) + end).encode(), media_type, SHAPE)
    if media_type == codecs.JSON:
        assert check_plain(json.dumps(rows, separators=(",", ":")).encode(), media_type, SHAPE)
        assert check_plain(json.dumps({"instances": rows}).encode(), media_type, SHAPE)
        assert check_plain(json.dumps(rows, indent=1).encode(), media_type, SHAPE)
    else:
        assert check_plain(written(rows, media_type).replace("\n", "\r\n").encode(), media_type, SHAPE)
