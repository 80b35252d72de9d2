"""Every raw request is answered as RFC 9110 and RFC 9112 ask, and so is the next one on its connection."""

import pytest
from exchanges import RIGHT, Exchange
from raw_asking import RAW_REQUESTS, send_all, send_split
from raw_requests import LENGTH, post
from raw_semantics import SPLIT


@pytest.fixture(scope="session")
def raw_outcomes(url):
    return send_all(url)


def test_names_of_requests_are_unique():
    assert len({request.name for request in RAW_REQUESTS}) == len(RAW_REQUESTS)


@pytest.mark.parametrize("request_", RAW_REQUESTS, ids=lambda request: f"{request.section}: {request.name}")
def test_request(raw_outcomes, request_):
    outcome = raw_outcomes[request_.name]
    assert outcome.kind == RIGHT, f"{outcome.kind}, by RFC {request_.section}: {outcome.reason}"


@pytest.mark.parametrize("number", range(len(SPLIT)))
def test_split_at_every_byte_it_is_the_same_request(url, number):
    with Exchange(url) as exchange:
        exchange.send(post(LENGTH + b"Accept: text/csv\r\n"))
        expected = exchange.read_answer().body
    assert expected.count(b",") == 2
    assert send_split(url, SPLIT[number], expected) == []
