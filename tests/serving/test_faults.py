"""Kills, drains, slow clients and queues that are full: what becomes of each request."""

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import numpy as np
import pytest
from broken_models import crash
from load import BODY

SLOW = """
import time
from sagemaker_rl.serving.handler import model_fn as load

def model_fn(model_dir):
    return load(model_dir)

def transform_fn(model, body, content_type, accept):
    time.sleep(float(body))
    return "slept", "text/plain"
"""


@pytest.fixture(scope="module")
def slow_model(ppo_model, tmp_path_factory):
    """A model whose body says for how many seconds it thinks."""
    model = shutil.copytree(ppo_model, tmp_path_factory.mktemp("slow") / "model")
    (model / "code").mkdir()
    (model / "code/inference.py").write_text(SLOW, encoding="utf-8")
    return model


def connect(server) -> socket.socket:
    address = urlsplit(server.url)
    return socket.create_connection((address.hostname, address.port), timeout=20)


def until(condition, seconds: float) -> float:
    """Wait for a condition; return the seconds it took."""
    start_time = time.monotonic()
    while not condition():
        assert time.monotonic() - start_time < seconds, f"not within {seconds} s"
        time.sleep(0.01)
    return time.monotonic() - start_time


def test_what_a_killed_worker_had_in_hand_is_answered_by_503(start, slow_model):
    with (
        start(slow_model, SAGEMAKER_MODEL_SERVER_WORKERS="1") as server,
        ThreadPoolExecutor() as threads,
        httpx.Client(base_url=server.url, trust_env=False) as idle,
    ):
        assert idle.post("/invocations", content="0").text == "slept"
        request = threads.submit(server.invoke, "30")
        time.sleep(0.5)
        os.kill(server.workers()[0], signal.SIGKILL)
        answer = request.result()
        assert answer.status_code == 503
        assert "has ended" in answer.json()["detail"]
        assert answer.headers["Retry-After"]
        assert idle.post("/invocations", content="0").text == "slept"  # on the connection that it had before


def test_ping_says_503_while_no_worker_can_answer(start, ppo_model):
    with start(ppo_model, SAGEMAKER_MODEL_SERVER_WORKERS="2") as server:
        stopped = server.workers()
        for pid in stopped:
            os.kill(pid, signal.SIGSTOP)
        time.sleep(1.2)
        response = httpx.get(f"{server.url}/ping", timeout=2, trust_env=False)  # no longer than SageMaker waits
        assert response.status_code == 503
        for pid in stopped:
            os.kill(pid, signal.SIGCONT)
        until(lambda: httpx.get(f"{server.url}/ping", trust_env=False).status_code == 200, 2)


def test_a_worker_that_never_answers_is_replaced(start, slow_model):
    with start(slow_model, SAGEMAKER_MODEL_SERVER_WORKERS="1", SAGEMAKER_MODEL_SERVER_TIMEOUT_SECONDS="1") as server:
        start_time = time.monotonic()
        assert server.invoke("60").status_code == 503
        assert time.monotonic() - start_time < 3
        assert server.invoke("0").text == "slept"


def test_beyond_the_queue_requests_are_refused(start, slow_model):
    with start(slow_model, SAGEMAKER_MODEL_SERVER_WORKERS="1", SAGEMAKER_RL_MAX_QUEUE="3") as server:
        with ThreadPoolExecutor(8) as threads:
            answers = list(threads.map(lambda _: httpx.post(f"{server.url}/invocations", content="0.5"), range(8)))
        statuses = sorted(answer.status_code for answer in answers)
        assert statuses == [200] * 3 + [503] * 5
        refused = next(answer for answer in answers if answer.status_code == 503)
        assert refused.headers["Retry-After"]
        assert "requests are waiting already" in refused.json()["detail"]


def test_sigterm_drains(start, slow_model):
    """What was accepted is answered; what comes later on an open connection hears 503; no new connection is taken."""
    with start(slow_model, SAGEMAKER_MODEL_SERVER_WORKERS="2") as server, ThreadPoolExecutor() as threads:
        with httpx.Client(base_url=server.url, trust_env=False) as known:
            known.get("/ping")
            accepted = [threads.submit(httpx.post, f"{server.url}/invocations", content="2") for _ in range(2)]
            time.sleep(0.5)
            asked = time.monotonic()
            server.terminate()
            time.sleep(0.2)
            late = known.post("/invocations", content="0")
            assert late.status_code == 503
            assert late.headers["Retry-After"]
            with pytest.raises(httpx.TransportError):
                httpx.get(f"{server.url}/ping", trust_env=False)
            assert [request.result().text for request in accepted] == ["slept"] * 2
        assert server.wait() == 0
        assert time.monotonic() - asked < 10


@pytest.mark.parametrize("seconds", [0.4, 1.0])
def test_sigterm_counts_before_the_server_is_ready(start, ppo_model, seconds):
    with start(ppo_model, healthy=False) as server:
        time.sleep(seconds)
        asked = time.monotonic()
        server.terminate()
        assert server.wait() == 0
        assert time.monotonic() - asked < 5


def test_a_client_that_stays_silent_ends_with_408_and_holds_nobody_up(start, ppo_model):
    with start(ppo_model, SAGEMAKER_RL_RECEIVE_TIMEOUT_SECONDS="1", SAGEMAKER_MODEL_SERVER_WORKERS="1") as server:
        silent = [connect(server) for _ in range(20)]
        for number, connection in enumerate(silent):
            connection.sendall(
                b"POST /invocations HTTP/1.1\r\nhost: a\r\n" + b"content-length: 10\r\n\r\n[0." * (number % 2)
            )
        start_time = time.monotonic()
        assert server.invoke(BODY).status_code == 200
        assert time.monotonic() - start_time < 0.5
        for connection in silent:
            answer = connection.recv(65536)
            assert answer.startswith(b"HTTP/1.1 408 Request Timeout\r\n"), answer
            assert json.loads(answer.partition(b"\r\n\r\n")[2])["detail"] == "The request did not arrive in time."
            connection.close()


def test_a_client_that_reads_slowly_holds_nobody_up(start, ppo_model):
    rows = json.dumps([[0.5, -0.5]] * 100_000).encode()
    with start(ppo_model, SAGEMAKER_MODEL_SERVER_WORKERS="1") as server:
        slow = connect(server)
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 131072)
        slow.sendall(
            b"POST /invocations HTTP/1.1\r\nhost: a\r\nconnection: close\r\ncontent-length: %d\r\n\r\n%b"
            % (len(rows), rows)
        )
        time.sleep(1.5)
        for _ in range(20):
            start_time = time.monotonic()
            assert server.invoke(BODY).status_code == 200
            assert time.monotonic() - start_time < 0.2
        answer = b""
        while part := slow.recv(65536):
            answer += part
        assert np.array(json.loads(answer.partition(b"\r\n\r\n")[2])).shape == (3, 100_000, 1)


def test_half_an_answer_gets_no_second_head(start, ppo_model):
    """A worker that dies while a client reads: the connection breaks off, nothing is written into the answer."""
    rows = json.dumps([[0.5, -0.5]] * 300_000).encode()  # whose answer no buffer holds
    with start(ppo_model, SAGEMAKER_MODEL_SERVER_WORKERS="1") as server:
        slow = connect(server)
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 131072)
        slow.sendall(b"POST /invocations HTTP/1.1\r\nhost: a\r\ncontent-length: %d\r\n\r\n%b" % (len(rows), rows))
        slow.settimeout(20)
        answer = slow.recv(1)
        (worker,) = server.workers()
        os.kill(worker, signal.SIGSTOP)
        slow.settimeout(1)
        with contextlib.suppress(TimeoutError):  # all that has left the worker: there is room for another answer then
            while True:
                answer += slow.recv(65536)
        slow.settimeout(20)
        os.kill(worker, signal.SIGKILL)
        while part := slow.recv(65536):
            answer += part
        head, _, body = answer.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200 OK")
        assert 0 < len(body) < int(head.partition(b"content-length: ")[2].split()[0])
        assert b"HTTP/1.1" not in body
        assert server.invoke(BODY).status_code == 200


def test_ping_is_quick_under_full_load(start, ppo_model):
    """While a process asks as much as it can on 64 connections, several requests ahead on each."""
    with start(ppo_model) as server:
        address = urlsplit(server.url)
        command = [sys.executable, str(Path(__file__).with_name("full_load.py")), address.hostname, str(address.port)]
        pings = []
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as full_load:
            time.sleep(1)
            for _ in range(150):
                start_time = time.perf_counter()
                assert server.client().get("/ping").status_code == 200
                pings.append(time.perf_counter() - start_time)
                time.sleep(0.02)
            answered, _ = full_load.communicate("enough")
        assert int(answered) > 20_000
        assert sorted(pings)[int(0.99 * len(pings))] < 0.05


def test_a_broken_model_ends_it_with_the_reason(start, ppo_model, tmp_path):
    broken = shutil.copytree(ppo_model, tmp_path / "model")
    (broken / "policy-symbol.json").write_text("{}")
    start_time = time.monotonic()
    with start(broken, healthy=False) as server:
        assert server.wait() == 1
        assert time.monotonic() - start_time < 5
        assert "Error: The policy artifact is damaged: policy-symbol.json is not the file" in server.log()
        assert "Traceback" not in server.log()


def test_a_graph_on_which_mxnet_crashes_ends_it_with_the_reason(start, ppo_model, tmp_path):
    broken = shutil.copytree(ppo_model, tmp_path / "model")
    crash(broken)
    with start(broken, healthy=False) as server:
        assert server.wait() == 1
        last = server.error()
        assert last.startswith("Error: The graph in policy-symbol.json cannot be run: a node refers to an output")


def test_a_model_larger_than_memory_ends_it_with_the_reason(start, ppo_model, tmp_path):
    huge = shutil.copytree(ppo_model, tmp_path / "model")
    with (huge / "more").open("wb") as file:
        file.truncate(10**12)  # takes no space
    with start(huge, healthy=False) as server:
        assert server.wait() == 1
        assert f"Error: The files in {server.folder} are larger than the memory that is left." in server.log()


def test_503_until_the_model_is_loaded(start, ppo_model, tmp_path):
    model = shutil.copytree(ppo_model, tmp_path / "model")
    (model / "code").mkdir()
    (model / "code/inference.py").write_text(
        "import time\n" + SLOW.replace("    return load", "    time.sleep(2)\n    return load")
    )
    with start(model, healthy=False) as server:
        statuses = []
        deadline = time.monotonic() + 15
        while 200 not in statuses and time.monotonic() < deadline:
            try:
                statuses.append(httpx.get(f"{server.url}/ping", timeout=2, trust_env=False).status_code)
            except httpx.TransportError:
                time.sleep(0.05)
        assert statuses[-1] == 200
        assert set(statuses[:-1]) == {503}
