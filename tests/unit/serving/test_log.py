"""What is written to the log, and what is not: limits per second, lines that nobody reads."""

import json
import os
import select

import pytest
from sagemaker_rl.serving import log
from sagemaker_rl.serving.http_requests import Request


class Clock:
    now = 100.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(log, "time", clock)
    return clock


@pytest.fixture
def output(monkeypatch):
    """Return what reads the objects that were logged."""
    reader, writer = os.pipe()
    os.set_blocking(reader, False)
    monkeypatch.setattr(log, "STDOUT", writer)

    def read():
        try:
            return [json.loads(line) for line in os.read(reader, 1_000_000).splitlines()]
        except BlockingIOError:
            return []

    yield read
    os.close(reader)
    os.close(writer)


def request(path="/invocations", body=b"abc"):
    made = Request(None)
    made.method, made.path, made.body = "POST", path, body
    return made


def test_a_line_holds_what_it_is_given(output):
    log.log("error", "It failed.", pid=7)
    (line,) = output()
    assert line.pop("time").endswith("+00:00")
    assert line == {"level": "error", "message": "It failed.", "pid": 7}


def test_the_line_of_a_request(clock, output):
    access_log = log.AccessLog(5, worker=3)
    access_log.add(request("/" + "x" * 300), 200, 17, 0.0012345, "id-1")
    assert output() == []
    access_log.flush()
    (line,) = output()
    del line["time"]
    assert line == {
        "level": "info",
        "message": "request",
        "request_id": "id-1",
        "method": "POST",
        "path": "/" + "x" * 199,
        "status": 200,
        "bytes_in": 3,
        "bytes_out": 17,
        "milliseconds": 1.234,
        "worker": 3,
    }
    access_log.flush()
    assert output() == []


def test_so_many_lines_a_second_and_as_many_of_failures(clock, output):
    access_log = log.AccessLog(2, worker=3)
    for status in (200, 399, 200, 400, 500, 404, 200):
        access_log.add(request(), status, 0, 0.0, "")
    clock.now += 0.9
    access_log.flush()
    assert [line["status"] for line in output()] == [200, 399, 400, 500]
    clock.now += 0.1
    access_log.flush()
    (line,) = output()
    assert (line["message"], line["worker"], line["level"]) == ("3 more requests in this second", 3, "info")
    for status in (200, 500):
        access_log.add(request(), status, 0, 0.0, "")
    clock.now += 0.9
    access_log.flush()
    assert [line["status"] for line in output()] == [200, 500]
    clock.now += 0.1
    access_log.flush()
    assert output() == []  # nothing was left out in this second


def test_no_access_log_at_all(clock, output):
    access_log = log.AccessLog(0, worker=3)
    for status in (200, 500):
        access_log.add(request(), status, 0, 0.0, "")
    clock.now += 5
    access_log.flush()
    assert output() == []


def test_a_log_that_nobody_reads_holds_nobody_up(output):
    line = b"{}" + b" " * 2000 + b"\n"
    log.write([line] * 1000)
    assert 10 < len(output()) < 1000
    log.write([b'{"a": 1}\n', b'{"a": 2}\n'])
    assert output() == [{"a": 1}, {"a": 2}]


def test_a_line_longer_than_a_pipe_takes_at_once(output):
    log.write([json.dumps({"a": "x" * 3 * select.PIPE_BUF}).encode() + b"\n"])
    (line,) = output()
    assert len(line["a"]) == 3 * select.PIPE_BUF


def test_a_log_that_is_closed_holds_nobody_up(monkeypatch):
    reader, writer = os.pipe()
    os.close(reader)
    monkeypatch.setattr(log, "STDOUT", writer)
    log.write([b"{}\n"])
    os.close(writer)
