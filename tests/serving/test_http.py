"""HTTP as clients of all kinds speak it: routes, methods, ids, limits, pipelining, and what is counted of it."""

import json
import socket
from urllib.parse import urlsplit

import httpx
import numpy as np


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


def test_pipelined_requests_are_answered_in_order(server):
    positions = [index / 100 for index in range(50)]
    requests = b"".join(
        b"POST /invocations HTTP/1.1\r\nhost: a\r\ncontent-length: %d\r\n%b\r\n%b"
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
