"""HTTP as clients of all kinds speak it: routes, methods, ids, limits, pipelining, and what is counted of it."""

import json
import socket
from urllib.parse import urlsplit

import httpx
import numpy as np
import pytest


def raw(server, request: bytes, seconds: float = 10) -> bytes:
    """Send bytes as they are; return all that comes back until the server closes, or is silent for so long."""
    address = urlsplit(server.url)
    with socket.create_connection((address.hostname, address.port), timeout=seconds) as connection:
        connection.sendall(request)
        answer = b""
        try:
            while part := connection.recv(65536):
                answer += part
        except TimeoutError:
            pass
        return answer


def test_ping(server):
    assert httpx.get(f"{server.url}/ping").status_code == 200


def test_other_routes_and_methods(server):
    for method, path, allow in (
        ("GET", "/invocations", "POST"),
        ("DELETE", "/invocations", "POST"),
        ("OPTIONS", "/invocations", "POST"),
        ("POST", "/ping", "GET, HEAD"),
        ("PUT", "/metrics", "GET, HEAD"),
    ):
        response = server.client().request(method, path)
        assert (response.status_code, response.headers["Allow"]) == (405, allow)
        assert response.json()["error"] == "method not allowed"
    for path in ("/", "/nowhere", "/ping/", "/invocations/x", "/models", "/..%2f..%2fetc/passwd"):
        response = server.client().get(path)
        assert response.status_code == 404, path
        assert "is not served" in response.json()["detail"]


def test_a_request_id_comes_back_or_is_made(server):
    assert server.invoke("[0,0]", X_Request_Id="mine-1").headers["X-Request-Id"] == "mine-1"
    ids = [server.invoke("[0,0]").headers["X-Request-Id"] for _ in range(3)]
    ids.append(server.invoke("[0,0]", X_Request_Id="x" * 129).headers["X-Request-Id"])
    ids.append(server.invoke("nonsense").headers["X-Request-Id"])
    assert len(set(ids)) == 5
    assert all(0 < len(request_id) <= 32 for request_id in ids)


@pytest.mark.parametrize(
    ("request_bytes", "status", "detail"),
    [
        (b"nonsense\r\n\r\n", 400, "is not HTTP/1.1"),
        (b"GET /ping HTTP/1.1\r\nbad header\r\n\r\n", 400, "is not HTTP/1.1"),
        (b"GET /" + b"x" * 9000 + b" HTTP/1.1\r\nhost: x\r\n\r\n", 414, "longer than 8192 bytes"),
        (b"GET /ping HTTP/1.1\r\nhost: x\r\na: " + b"x" * 20000, 431, "longer than 16384 bytes"),
        (
            b"GET /ping HTTP/1.1\r\nhost: x\r\n" + b"".join(b"a%d: 1\r\n" % i for i in range(200)),
            431,
            "more than 100 headers",
        ),
        (
            b"POST /invocations HTTP/1.1\r\nhost: x\r\ncontent-length: 99999999999\r\n\r\n",
            413,
            "more than 6291456 bytes",
        ),
        (b"POST /invocations HTTP/1.1\r\nhost: x\r\ncontent-length: -1\r\n\r\n", 400, "is not HTTP/1.1"),
        (
            b"POST /invocations HTTP/1.1\r\nhost: x\r\ncontent-length: 3\r\ncontent-length: 4\r\n\r\n",
            400,
            "is not HTTP/1.1",
        ),
        (b"POST /invocations HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n", 400, "is not HTTP/1.1"),
        (
            b"POST /invocations HTTP/1.1\r\nhost: x\r\ncontent-encoding: gzip\r\ncontent-length: 1\r\n"
            b"connection: close\r\n\r\nx",
            415,
            "gzip",
        ),
    ],
)
def test_what_is_wrong_before_the_body_is_a_4xx(server, request_bytes, status, detail):
    head, _, body = raw(server, request_bytes).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 %d " % status), head
    assert b"connection: close" in head.lower()
    assert detail in json.loads(body)["detail"]


def test_http_as_other_clients_speak_it(server):
    body = b"[0.5,-0.5]"
    expected = server.invoke(body).content
    chunked = b"POST /invocations HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n"
    chunked += b"3\r\n[0.\r\n7\r\n5,-0.5]\r\n0\r\n\r\n"
    old = b"POST /invocations HTTP/1.0\r\ncontent-length: 10\r\n\r\n" + body
    upgrade = b"POST /invocations HTTP/1.1\r\nhost: x\r\nconnection: Upgrade, HTTP2-Settings\r\nupgrade: h2c\r\n"
    upgrade += b"content-length: 10\r\n\r\n" + body
    for request in (chunked, old, upgrade):
        head, _, answer = raw(server, request).partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200 "), head
        assert answer == expected
    expect = b"POST /invocations HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\ncontent-length: 10\r\n\r\n"
    assert raw(server, expect, 0.5).startswith(b"HTTP/1.1 100 Continue\r\n\r\n")
    head, _, answer = raw(server, b"HEAD /ping HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 ")
    assert answer == b""


def test_pipelined_requests_are_answered_in_order(server):
    positions = [index / 100 for index in range(50)]
    requests = b"".join(
        b"POST /invocations HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n%b\r\n%b"
        % (len(body), b"connection: close\r\n" if position == positions[-1] else b"", body)
        for position in positions
        for body in [json.dumps([position, 0.0]).encode()]
    )
    answers = raw(server, requests).split(b"HTTP/1.1 200 OK\r\n")[1:]
    heads = [json.loads(answer.partition(b"\r\n\r\n")[2]) for answer in answers]
    expected = [server.invoke(json.dumps([position, 0.0])).json() for position in positions]
    assert np.allclose(heads, expected, atol=1e-6)


def test_metrics_count_what_was_answered(server):
    def count() -> dict[str, float]:
        lines = server.client().get("/metrics").text.splitlines()
        return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines if line[0] != "#")}

    before = count()
    for body in ("[0,0]", "[[0,0],[0,0]]", "nonsense"):
        server.invoke(body)
    after = count()

    def more(name: str) -> float:
        return after.get(name, 0) - before.get(name, 0)

    assert more('sagemaker_rl_requests_total{route="/invocations",status="200"}') == 2
    assert more('sagemaker_rl_requests_total{route="/invocations",status="400"}') == 1
    assert more('sagemaker_rl_request_duration_seconds_count{route="/invocations"}') == 3
    assert more("sagemaker_rl_batch_observations_sum") == 3
    assert more("sagemaker_rl_batch_observations_count") == 2
    assert after["sagemaker_rl_workers_ready"] >= 1
