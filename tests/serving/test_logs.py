"""What an endpoint prints: a JSON object per line, as many as asked for; and what it does where nobody takes them."""

import json
import os
import subprocess
import time

import httpx
import pytest
from jobs import free_port, start_server, wait_until_healthy

FIELDS = {
    "time",
    "level",
    "message",
    "request_id",
    "method",
    "path",
    "status",
    "bytes_in",
    "bytes_out",
    "milliseconds",
    "worker",
}


def lines_after(server, requests: int) -> list[dict]:
    """Ask so often; return the lines of the access log, once they are written."""
    for number in range(requests):
        server.invoke("[0.5,-0.5]" if number % 2 else "nonsense", X_Request_Id=f"id-{number}")
    time.sleep(1.5)
    return [json.loads(line) for line in server.log().splitlines() if line.startswith("{")]


def test_a_line_per_request(start, ppo_model):
    with start(ppo_model, SAGEMAKER_MODEL_SERVER_WORKERS="1") as server:
        lines = [line for line in lines_after(server, 4) if line["path"] == "/invocations"]
    assert [line["request_id"] for line in lines] == ["id-0", "id-1", "id-2", "id-3"]
    assert [line["status"] for line in lines] == [400, 200, 400, 200]
    assert [line["bytes_in"] for line in lines] == [8, 10, 8, 10]
    for line in lines:
        assert set(line) == FIELDS
        assert line["bytes_out"] > 10
        assert 0 < line["milliseconds"] < 1000


def test_the_access_log_can_be_turned_down(start, ppo_model):
    """Those that failed have as many lines again; what is left out is counted."""
    with start(ppo_model, SAGEMAKER_MODEL_SERVER_WORKERS="1", SAGEMAKER_RL_ACCESS_LOG_LINES_PER_SECOND="3") as server:
        time.sleep(1.1)  # a new second
        lines = lines_after(server, 40)
    requests = [line for line in lines if line.get("path") == "/invocations"]
    left_out = [int(line["message"].split()[0]) for line in lines if "more requests" in line["message"]]
    assert 6 <= len(requests) <= 12  # 40 requests take no longer than from one second into the next
    assert {line["status"] for line in requests} == {200, 400}
    assert len(requests) + sum(left_out) >= 40


def test_the_access_log_can_be_turned_off(start, ppo_model):
    with start(ppo_model, SAGEMAKER_RL_ACCESS_LOG_LINES_PER_SECOND="0") as server:
        assert lines_after(server, 10) == []


@pytest.mark.parametrize("taken", ["never read", "a full disk"])
def test_a_log_that_nobody_takes_stops_nothing(ppo_model, tmp_path, taken):
    (tmp_path / "model").symlink_to(ppo_model)
    port = free_port()
    environment = {"SAGEMAKER_RL_ACCESS_LOG_LINES_PER_SECOND": "1000000", "SAGEMAKER_MODEL_SERVER_WORKERS": "1"}
    with open("/dev/full", "w") as full:
        stdout = subprocess.PIPE if taken == "never read" else full
        process = start_server(tmp_path, port, stdout, environment)
    with process, httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=5) as client:
        try:
            wait_until_healthy(str(client.base_url), lambda: process.poll() is None)
            for _ in range(2000):  # of 200 bytes in the log each: a pipe holds 65,536
                assert client.post("/invocations", content="[0.5,-0.5]").status_code == 200
            os.kill(process.pid, 15)
            assert process.wait(10) == 0
        finally:
            process.kill()
