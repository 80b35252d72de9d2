"""What SageMaker's batch transform and asynchronous inference ask of a server: its parameters, and bodies of 100 MB."""

import io
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
from sagemaker_rl.policy.artifact import Policy

ROWS = 6_554_000
"""Of two float64 each: 100 MB."""
DISTINCT = 1000
HEADERS = {
    "Content-Type": "application/x-npy",
    "Accept": "application/x-npy",
    "X-Amzn-SageMaker-Custom-Attributes": "output=actions",
}


def test_execution_parameters_are_those_in_force(server):
    workers = len(server.workers())
    client = server.client()
    answer = client.get("/execution-parameters")
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "application/json")
    assert answer.json() == {"MaxConcurrentTransforms": workers, "BatchStrategy": "MULTI_RECORD", "MaxPayloadInMB": 6}
    head = client.head("/execution-parameters")
    assert (head.status_code, head.headers["Content-Length"], head.content) == (200, str(len(answer.content)), b"")
    refused = client.post("/execution-parameters")
    assert (refused.status_code, refused.headers["Allow"]) == (405, "GET, HEAD")
    assert 'sagemaker_rl_requests_total{route="/execution-parameters",status="200"}' in client.get("/metrics").text


@pytest.fixture(scope="module")
def batch_server(start, ppo_model) -> Iterator[Any]:
    """As a job without a limit of its payload starts it."""
    variables = {
        "SAGEMAKER_BATCH": "true",
        "SAGEMAKER_BATCH_STRATEGY": "SINGLE_RECORD",
        "SAGEMAKER_MAX_CONCURRENT_TRANSFORMS": "9",
        "SAGEMAKER_MAX_PAYLOAD_IN_MB": "0",
        "SAGEMAKER_MODEL_SERVER_WORKERS": "1",
        "SAGEMAKER_RL_MAX_QUEUE": "1",
    }
    with start(ppo_model, **variables) as running:
        yield running


def test_what_the_jobs_request_says_is_what_the_server_says(batch_server):
    said = {"MaxConcurrentTransforms": 9, "BatchStrategy": "SINGLE_RECORD", "MaxPayloadInMB": 0}
    assert batch_server.client().get("/execution-parameters").json() == said


def resident_bytes(server: Any) -> int:
    return sum(psutil.Process(pid).memory_info().rss for pid in (server.pid, *server.workers()))


def test_bodies_of_100_mb_are_answered_and_their_memory_given_back(batch_server, ppo_model):
    """Heads are computed in pieces, whose memory stays the process's for the next large body: less than the body's."""
    observations = np.random.default_rng(1).uniform(-0.07, 0.07, (DISTINCT, 2))
    buffer = io.BytesIO()
    np.save(buffer, np.tile(observations, (ROWS // DISTINCT, 1)))
    body = buffer.getvalue()
    assert len(body) > 100 * 2**20
    policy = Policy.load(Path(ppo_model))
    expected = policy.actions_of(policy.heads(observations.astype(np.float32)))
    client = batch_server.client()
    assert client.post("/invocations", content=json.dumps(observations.tolist())).status_code == 200
    for is_chunked, may_stay in ((False, 1.5 * len(body)), (True, 0.6 * len(body))):
        before = resident_bytes(batch_server)
        pieces = (body[start : start + 2**20] for start in range(0, len(body), 2**20))
        answer = client.post("/invocations", content=pieces if is_chunked else body, headers=HEADERS)
        assert answer.status_code == 200, answer.text
        actions = np.load(io.BytesIO(answer.content)).reshape(-1, *expected.shape)
        assert len(actions) == ROWS // DISTINCT
        assert np.allclose(actions, expected, atol=1e-5)
        deadline = time.monotonic() + 20
        while resident_bytes(batch_server) > before + may_stay:
            assert time.monotonic() < deadline, (before, resident_bytes(batch_server))
            time.sleep(0.05)
