"""Good bodies of /invocations whose headers are the matter: media types, codings, qualities."""

from bodies import CSV, JSON, JSON_LINES, NPY, ONE, Body
from npy_bodies import npy


def asked(name: str, media_type: str | None, accept: str, answer: str = JSON, **headers: str) -> Body:
    """A good body whose headers are the matter; ``answer`` is the media type that is right."""
    named = tuple((name.replace("_", "-"), value) for name, value in headers.items())
    return Body(name, b"[0.5,-0.5]", media_type, ONE, (200,), accept=(accept, answer), headers=named)


def refused(name: str, status: int, media_type: str | None, accept: str = "", detail: str = "", **headers: str) -> Body:
    named = tuple((name.replace("_", "-"), value) for name, value in headers.items())
    return Body(name, b"[0.5,-0.5]", media_type, (), (status,), detail, (accept, JSON), named)


HEADERS = (
    asked("no Content-Type", None, ""),
    asked("an empty Content-Type", "", ""),
    asked("upper case", "APPLICATION/JSON", ""),
    asked("a character set", "application/json; charset=utf-8", ""),
    asked("a character set in upper case", "application/json;CHARSET=UTF-8", ""),
    asked("a character set in quotes", 'application/json; charset="utf-8"', ""),
    asked("US-ASCII", "application/json; charset=us-ascii", ""),
    asked("an unknown parameter", "application/json; version=1", ""),
    asked("an empty parameter", "application/json;", ""),
    asked("blanks around a parameter", "application/json ; charset=utf-8 ;", ""),
    Body("CSV in upper case", b"0.5,-0.5", "Text/CSV; Charset=utf-8", ONE, (200,)),
    Body("NPY in upper case", npy(ONE), "Application/X-NPY", ONE, (200,)),
    Body("two media types in one header", b"[0.5,-0.5]", "application/json, text/csv", (), (400, 415)),
    refused("XML", 415, "application/xml", detail=f"expected one of {JSON}, {JSON_LINES}, {CSV}, {NPY}"),
    refused("a form", 415, "application/x-www-form-urlencoded"),
    refused("a form of parts", 415, "multipart/form-data; boundary=x"),
    refused("plain text", 415, "text/plain"),
    refused("a subtype alone", 415, "json"),
    refused("a wildcard as Content-Type", 415, "*/*"),
    refused("a suffix", 415, "application/geo+json"),
    refused("UTF-16 by its name", 415, "application/json; charset=utf-16", detail="expected the character set utf-8"),
    refused("latin-1 by its name", 415, "text/csv; charset=iso-8859-1"),
    refused("gzip", 415, JSON, detail="gzip", Content_Encoding="gzip"),
    refused("gzip in upper case", 415, JSON, Content_Encoding="GZIP"),
    refused("identity, then gzip", 415, JSON, Content_Encoding="identity, gzip"),
    refused("an unknown coding", 415, JSON, Content_Encoding="zz"),
    asked("identity", JSON, "", Content_Encoding="identity"),
    asked("identity in upper case", JSON, "", Content_Encoding="Identity"),
    *(
        asked(f"Accept: {accept}", JSON, accept, answer)
        for accept, answer in (
            ("*/*", JSON),
            ("text/csv", CSV),
            ("TEXT/CSV", CSV),
            (NPY, NPY),
            (JSON_LINES, JSON_LINES),
            ("application/x-ndjson", JSON_LINES),
            ("text/csv;q=0.5, application/x-npy;q=0.8", NPY),
            ("text/csv;Q=0.5, application/x-npy;Q=0.8", NPY),
            ("text/csv, */*", CSV),
            ("text/*", CSV),
            ("application/*", JSON),
            ("*/*;q=0.1, application/jsonlines;q=0.2", JSON_LINES),
            ("application/json; q=0.2 , text/csv ;q=0.2", JSON),
            ("application/json;q=0, text/csv", CSV),
            ("text/html, application/xhtml+xml, */*;q=0.8", JSON),
            ("text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2", JSON),
            ("text/csv;q=1.000, application/json;q=0.999", CSV),
            ("text/csv;q=0.001", CSV),
            (",, text/csv ,,", CSV),
            (",", JSON),
            ("application/json; version=1", JSON),
        )
    ),
    refused("nothing that is served", 406, JSON, "text/foo", "Accept is 'text/foo'"),
    refused("nothing at all", 406, JSON, "*/*;q=0"),
    refused("all but what is served", 406, JSON, "application/json;q=0, text/foo"),
    refused("a long Accept", 406, JSON, ", ".join(f"text/x{i}" for i in range(500))),
    *(
        refused(f"a quality of {quality}", 400, JSON, f"text/csv;q={quality}", "quality")
        for quality in ("2", "x", "-0.1", "nan", "inf", "", "1.001", "0_1", "\u00b2", "0x1")
    ),
    refused(
        "an unknown output", 400, JSON, "", "expected heads or actions", X_Amzn_SageMaker_Custom_Attributes="output=x"
    ),
)
