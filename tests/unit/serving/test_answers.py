"""An answer's headers, its request's id, and how it is counted and logged."""

import asyncio
import json
import time

import orjson
import pytest
from sagemaker_rl.errors import RequestError
from sagemaker_rl.serving.answers import Answers
from sagemaker_rl.serving.http_requests import Request


class Connection:
    """Keeps what is answered."""

    def __init__(self):
        self.answers = []

    def respond(self, request, status, body, media_type, headers, close):
        self.answers.append((request, status, body, media_type, headers, close))


class AccessLog:
    """Keeps what is logged."""

    def __init__(self):
        self.lines = []

    def add(self, request, status, size, seconds, request_id):
        self.lines.append((request, status, size, seconds, request_id))


class Counted:
    """Keeps what is counted."""

    def __init__(self):
        self.answers = []

    def add_answer(self, path, status, seconds):
        self.answers.append((path, status, seconds))


@pytest.fixture
def answers():
    return Answers(Counted(), AccessLog())


def request_of(path="/invocations", received=0.0, **headers):
    request = Request(Connection())
    request.path, request.received = path, received
    request.headers = {name.replace("_", "-").encode(): value for name, value in headers.items()}
    return request


def answer_of(request):
    """Return status, body, media type, headers as a dictionary, and whether the connection is closed."""
    ((answered, status, body, media_type, headers, close),) = request.connection.answers
    assert answered is request
    lines = [line.split(b": ", 1) for line in headers.removesuffix(b"\r\n").split(b"\r\n")]
    assert len({name for name, _ in lines}) == len(lines)
    return status, body, media_type, dict(lines), close


def test_an_answer_is_sent_counted_and_logged(answers):
    request = request_of(received=time.monotonic() - 5, x_request_id=b"mine")
    other = request_of()
    answers.in_hand |= {request, other}
    answers.respond(request, 200, b"body", "text/csv", b"a: b\r\n", close=True)
    status, body, media_type, headers, close = answer_of(request)
    assert (status, body, media_type, close) == (200, b"body", "text/csv", True)
    assert headers.keys() == {b"x-request-id", b"date", b"a"}
    assert (headers[b"x-request-id"], headers[b"a"]) == (b"mine", b"b")
    assert headers[b"date"].endswith(b" GMT")
    assert answers.in_hand == {other}
    ((path, counted, seconds),) = answers._counters.answers
    assert (path, counted) == ("/invocations", 200)
    assert 5 <= seconds < 500
    assert answers._access_log.lines == [(request, 200, 4, seconds, "mine")]


def test_a_request_that_never_was_whole_took_no_time(answers):
    answers.respond(request_of(), 408, b"")
    assert answers._counters.answers[0][2] == 0


def test_custom_attributes_come_back(answers):
    request = request_of(x_amzn_sagemaker_custom_attributes=b"output=actions")
    answers.respond(request, 200, b"", headers=b"a: b\r\n")
    _, _, media_type, headers, close = answer_of(request)
    assert headers[b"x-amzn-sagemaker-custom-attributes"] == b"output=actions"
    assert headers[b"a"] == b"b"
    assert (media_type, close) == ("", False)


@pytest.mark.parametrize(
    ("headers", "taken"),
    [
        ({"x_request_id": b"mine"}, "mine"),
        ({"x_amzn_requestid": b"amazons"}, "amazons"),
        ({"x_request_id": b"mine", "x_amzn_requestid": b"amazons"}, "mine"),
        ({"x_request_id": b"", "x_amzn_requestid": b"amazons"}, "amazons"),
        ({"x_request_id": b"x" * 128}, "x" * 128),
        ({"x_request_id": b"x" * 129}, None),
        ({"x_request_id": "é".encode()}, None),
        ({"x_request_id": b"a\tb"}, None),
        ({"x_request_id": b""}, None),
        ({}, None),
    ],
)
def test_a_request_has_the_clients_id_if_that_is_a_short_text(answers, headers, taken):
    request = request_of(**headers)
    answers.respond(request, 200, b"")
    given = answer_of(request)[3][b"x-request-id"].decode()
    assert given == request.id
    assert (given == taken) if taken else given.endswith("-1")


def test_ids_of_our_own_are_counted(answers):
    requests = [request_of() for _ in range(17)]
    for request in requests:
        answers.respond(request, 200, b"")
    prefixes, numbers = zip(*(request.id.split("-") for request in requests), strict=True)
    assert [int(number, 16) for number in numbers] == list(range(1, 18))
    assert len(set(prefixes)) == 1
    assert prefixes[0] != Answers(Counted(), AccessLog())._id_prefix


@pytest.mark.parametrize(("status", "retries"), [(503, True), (500, False), (400, False)])
def test_an_error_is_an_object_of_two_texts(answers, status, retries):
    request = request_of()
    answers.refuse(request, status, "The reason.", b"a: b\r\n", close=True)
    answered, body, media_type, headers, close = answer_of(request)
    assert (answered, media_type, close) == (status, "application/json", True)
    assert json.loads(body)["detail"] == "The reason."
    assert json.loads(body)["error"] != "error"
    assert (headers.get(b"retry-after") == b"1") is retries
    assert headers[b"a"] == b"b"


def test_a_status_without_a_name_is_an_error(answers):
    request = request_of()
    answers.refuse(request, 499, "x")
    assert json.loads(answer_of(request)[1]) == {"error": "error", "detail": "x"}
    assert answer_of(request)[4] is False


def test_json_is_answered_as_such(answers):
    request = request_of()
    answers.respond_json(request, {"a": [1, 2]})
    assert answer_of(request)[:3] == (200, orjson.dumps({"a": [1, 2]}), "application/json")


def test_a_clients_mistake_has_its_own_status(answers, capfd):
    request = request_of()
    answers.answer_error(request, RequestError("Too long.", 413))
    status, body, *_ = answer_of(request)
    assert (status, json.loads(body)["detail"]) == (413, "Too long.")
    assert capfd.readouterr().out == ""


def test_a_fault_is_in_the_log_under_the_requests_id(answers, capfd):
    request = request_of()
    answers.answer_error(request, ZeroDivisionError("by nothing"))
    status, body, *_ = answer_of(request)
    sentence = f"The log has the reason under the request id {request.id}."
    assert (status, json.loads(body)["detail"]) == (500, sentence)
    line = json.loads(capfd.readouterr().out)
    assert (line["level"], line["message"], line["request_id"]) == ("error", "A request failed.", request.id)
    assert line["traceback"].endswith("ZeroDivisionError: by nothing\n")


def test_work_that_raises_is_answered_by_its_error(answers, capfd):
    requests = [request_of(), request_of()]

    async def fail():
        await asyncio.sleep(0)
        raise RequestError("Not so.", 422)

    async def succeed():
        answers.respond(requests[1], 200, b"ok")

    async def run():
        answers.answer_later(requests[0], fail())
        answers.answer_later(requests[1], succeed())
        assert len(answers._tasks) == 2  # nobody else holds them
        await asyncio.wait_for(asyncio.gather(*answers._tasks), 60)
        await asyncio.sleep(0)
        assert not answers._tasks

    asyncio.run(run())
    assert [answer_of(request)[0] for request in requests] == [422, 200]


def test_the_longest_wait_is_that_of_the_oldest_request(answers):
    assert answers.longest_wait() == 0
    now = time.monotonic()
    answers.in_hand = {request_of(received=now - 7), request_of(received=now - 9), request_of(received=now)}
    assert 9 <= answers.longest_wait() < 500


def test_the_date_is_renewed(answers, monkeypatch):
    monkeypatch.setattr("sagemaker_rl.serving.answers.formatdate", lambda usegmt: f"later {usegmt}")
    answers.renew_date()
    request = request_of()
    answers.respond(request, 200, b"")
    assert answer_of(request)[3][b"date"] == b"later True"
