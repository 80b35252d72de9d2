"""What headers ask for: the media types of request and answer, and heads or actions."""

import pytest
from sagemaker_rl.errors import RequestError
from sagemaker_rl.serving import negotiation
from sagemaker_rl.serving.codecs import CODECS, CSV, JSON, JSON_LINES


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


def test_the_default_comes_before_the_others_of_the_same_quality():
    assert negotiation.accepted_media_type("*/*", JSON_LINES) == JSON_LINES
    assert negotiation.accepted_media_type("application/json;q=0, */*", JSON_LINES) == JSON_LINES
    assert negotiation.accepted_media_type("text/*", JSON_LINES) == CSV


@pytest.mark.parametrize(
    ("attributes", "output"),
    [("", "heads"), ("output=actions", "actions"), ("trace=1, output=actions;x", "actions"), ("myoutput=x", "heads")],
)
def test_custom_attributes_choose_the_output(attributes, output):
    assert negotiation.requested_output(attributes, "heads") == output


def test_an_unknown_output_is_a_400():
    with pytest.raises(
        RequestError, match="Custom attribute output is 'thoughts', expected heads or actions"
    ) as refused:
        negotiation.requested_output("output=thoughts", "heads")
    assert refused.value.status == 400
