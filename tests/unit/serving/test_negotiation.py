"""What headers ask for: the media types of request and answer, and heads or actions."""

import pytest
from sagemaker_rl.errors import RequestError
from sagemaker_rl.serving import negotiation
from sagemaker_rl.serving.codecs import CODECS, CSV, JSON, JSON_LINES, NPY


def test_without_headers_the_defaults_hold():
    assert negotiation.negotiate(b"", b"", b"", CSV, negotiation.ACTIONS) == (JSON, CSV, "actions")


@pytest.mark.parametrize("media_type", CODECS)
def test_every_media_type_is_known_by_all_its_names(media_type):
    for name in (media_type, *CODECS[media_type].aliases):
        assert negotiation.content_media_type(f"{name.upper()}; charset=utf-8") == media_type
        assert negotiation.accepted_media_type(f"text/html, {name}") == media_type


def test_an_unknown_media_type_is_refused_with_all_that_are_known():
    supported = "application/json, application/jsonlines, text/csv, application/x-npy"
    with pytest.raises(RequestError) as refused:
        negotiation.content_media_type("application/xml")
    assert (refused.value.status, str(refused.value)) == (
        415,
        f"Content-Type is 'application/xml', expected one of {supported}.",
    )
    with pytest.raises(RequestError) as refused:
        negotiation.accepted_media_type("text/foo")
    assert (refused.value.status, str(refused.value)) == (406, f"Accept is 'text/foo', expected one of {supported}.")


@pytest.mark.parametrize(
    ("accept", "default", "answer"),
    [
        ("*/*", JSON_LINES, JSON_LINES),
        (" , ,", NPY, NPY),
        ("application/json;q=0, */*", JSON_LINES, JSON_LINES),
        # the more precise of the same quality, wherever it stands
        ("*/*, text/csv", JSON, CSV),
        ("text/csv, */*", JSON, CSV),
        ("*/*, text/*", JSON, CSV),
        ("application/*, text/csv", JSON, CSV),
        ("*/*, application/*", CSV, JSON),
        # the first of the same precision
        ("text/csv, application/json", JSON, CSV),
        ("application/json, text/csv", CSV, JSON),
        ("text/*, application/*", JSON, CSV),
        ("application/*, text/*", CSV, JSON),
        # the default within a range, else the first that there is
        ("application/*", NPY, NPY),
        ("application/*", CSV, JSON),
        ("text/*", JSON_LINES, CSV),
        # the highest quality, before all of that
        ("application/json;q=0.5, text/csv;q=0.6", JSON, CSV),
        ("text/csv;q=0.6, application/json;q=0.5", JSON, CSV),
        ("text/*;q=0.9, application/json;q=0.8", JSON, CSV),
        ("application/json;q=0.8, */*;q=0.9", JSON, JSON_LINES),
        ("application/json;q=0.8, */*;q=0.9", NPY, NPY),
        ("text/csv;q=1.0, application/json;q=0", JSON, CSV),
        ("application/x-ndjson;q=0.3, application/json;q=0.2", JSON, JSON_LINES),
        # a type's quality is that of the most precise range, whichever is higher
        ("text/csv;q=0.1, */*;q=0.9, application/*;q=0.2", CSV, JSON),
        ("text/csv;q=0, text/*, application/x-npy;q=0.1", CSV, NPY),
        # other parameters say nothing here
        ("text/csv;header=present;q=0.1, application/json; Q = 0.2", CSV, JSON),
        ("text/html, image/*, text/csv;q=0.001", JSON, CSV),
    ],
)
def test_the_best_of_what_is_accepted(accept, default, answer):
    assert negotiation.accepted_media_type(accept, default) == answer


@pytest.mark.parametrize("accept", ["*/*;q=0", "text/csv;q=0, text/*", "application/json;q=0.0", "text", "*"])
def test_nothing_of_what_there_is_is_accepted(accept):
    with pytest.raises(RequestError, match=r"^Accept is ") as refused:
        negotiation.accepted_media_type(accept)
    assert refused.value.status == 406


@pytest.mark.parametrize("quality", ["0", "1", "0.001", "0.999", ".2", "1."])
def test_a_quality_is_between_0_and_1(quality):
    assert negotiation.accepted_media_type(f"text/csv;q={quality}, */*;q=0.0005") == (JSON if quality == "0" else CSV)


@pytest.mark.parametrize(
    "quality", ["-0.001", "1.001", "nan", "inf", "high", "", "+1", "1e-1", "1_0", "\uff11", "\u0661", ".", "0 .5"]
)
def test_another_quality_is_refused(quality):
    with pytest.raises(RequestError) as refused:
        negotiation.accepted_media_type(f"application/json, text/csv;q={quality}")
    sentence = f"Accept has the quality {quality!r}, expected a number from 0 to 1."
    assert (refused.value.status, str(refused.value)) == (400, sentence)


@pytest.mark.parametrize(
    ("content_type", "media_type"),
    [
        ("", JSON),
        (";charset=utf-8", JSON),
        ('text/csv; header=present; charset="UTF-8"', CSV),
        ("text/csv;charset=utf8", CSV),
        ("Text/CSV ; Charset=US-ASCII", CSV),
        ("application/x-npy; version=1", NPY),
    ],
)
def test_the_bodys_media_type_and_its_parameters(content_type, media_type):
    assert negotiation.content_media_type(content_type) == media_type


@pytest.mark.parametrize("charset", ["latin-1", "utf-16", ""])
def test_another_character_set_is_refused(charset):
    with pytest.raises(RequestError) as refused:
        negotiation.content_media_type(f"text/csv; header=present; charset={charset}")
    assert refused.value.status == 415
    assert str(refused.value).endswith("expected the character set utf-8.")


def test_each_header_has_its_own_meaning():
    asked = negotiation.negotiate(b"application/x-npy", b"text/csv", b"output=actions", JSON_LINES, "heads")
    assert asked == negotiation.RequestedFormat(content_type=NPY, accept=CSV, output="actions")
    asked = negotiation.negotiate(b"text/csv", b"*/*", b"trace=1", JSON_LINES, "actions")
    assert asked == negotiation.RequestedFormat(content_type=CSV, accept=JSON_LINES, output="actions")


@pytest.mark.parametrize(
    ("attributes", "output"),
    [
        ("", None),
        ("output=actions", "actions"),
        ("output=heads", "heads"),
        ("trace=1, output=actions;x", "actions"),
        ("trace=1;output=actions", "actions"),
        ("trace=1 output=heads,output=actions", "heads"),
        ("myoutput=x", None),
        ("OUTPUT=x", None),
    ],
)
def test_custom_attributes_choose_the_output(attributes, output):
    for default in ("heads", "actions"):
        assert negotiation.requested_output(attributes, default) == (output or default)


def test_an_unknown_output_is_a_400():
    with pytest.raises(
        RequestError, match="Custom attribute output is 'thoughts', expected heads or actions"
    ) as refused:
        negotiation.requested_output("output=thoughts", "heads")
    assert refused.value.status == 400
