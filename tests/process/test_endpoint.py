"""The server as a process, over HTTP: formats in and out, shapes, and every mistake a client can make."""

import io
import json
import signal
import time
from concurrent.futures import ThreadPoolExecutor

import httpx
import numpy as np
import pytest
from jobs import Job, free_port, serve, start_server
from sagemaker_rl.policy import Policy

SAMPLES = [[0.5, -0.5], [-0.5, 0.5]]
ACTIONS_ONLY = {"X_Amzn_SageMaker_Custom_Attributes": "output=actions"}


def npy(array) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, np.asarray(array), allow_pickle=True)
    return buffer.getvalue()


def test_ping(ppo_endpoint):
    assert httpx.get(f"{ppo_endpoint.url}/ping").status_code == 200


def test_one_observation_answers_the_list_of_heads(ppo_endpoint, ppo_job):
    output = ppo_endpoint.invoke(json.dumps(SAMPLES[0])).json()
    heads = Policy.load(ppo_job.ml / "model").heads(np.array([SAMPLES[0]], dtype=np.float32))
    assert np.allclose(output, heads, atol=1e-6)
    action = output[1][0]  # as the seed's notebook reads it
    assert action == pytest.approx(heads[1][0].tolist(), abs=1e-6)


def test_a_batch_answers_a_row_for_each(ppo_endpoint):
    output = ppo_endpoint.invoke(json.dumps(SAMPLES)).json()
    singles = [ppo_endpoint.invoke(json.dumps(sample)).json() for sample in SAMPLES]
    for head, (first, second) in enumerate(zip(*singles, strict=True)):
        assert np.allclose(output[head], [first[0], second[0]], atol=1e-6)


def test_actions_only(ppo_endpoint, dqn_endpoint):
    response = ppo_endpoint.invoke(json.dumps(SAMPLES), **ACTIONS_ONLY)
    actions = np.array(response.json())
    assert actions.shape == (2, 1)
    assert np.abs(actions).max() <= 1
    assert response.headers["X-Amzn-SageMaker-Custom-Attributes"] == "output=actions"
    indices = dqn_endpoint.invoke(json.dumps(SAMPLES), **ACTIONS_ONLY).json()
    assert len(indices) == 2
    assert set(indices) <= {0, 1, 2}


def test_dqn_answers_its_action_values(dqn_endpoint):
    (q_values,) = dqn_endpoint.invoke(json.dumps(SAMPLES)).json()
    assert np.array(q_values).shape == (2, 3)


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (json.dumps(SAMPLES), "application/json"),
        (json.dumps(SAMPLES), "application/json; charset=utf-8"),
        (json.dumps(SAMPLES), "APPLICATION/JSON"),
        ("0.5,-0.5\n-0.5,0.5\n", "text/csv"),
        (npy(SAMPLES), "application/x-npy"),
        (npy(np.array(SAMPLES, dtype=np.float32)), "application/x-npy"),
    ],
)
@pytest.mark.parametrize("accept", ["application/json", "text/csv", "application/x-npy", "*/*", ""])
def test_every_format_in_and_out_says_the_same(ppo_endpoint, body, content_type, accept):
    expected = np.array(ppo_endpoint.invoke(json.dumps(SAMPLES)).json())  # (heads, batch, 1)
    response = ppo_endpoint.invoke(body, content_type, Accept=accept)
    assert response.status_code == 200, response.text
    media_type = response.headers["Content-Type"].partition(";")[0]
    if media_type == "application/json":
        assert np.allclose(response.json(), expected, atol=1e-6)
        return
    assert media_type == accept
    if media_type == "text/csv":
        rows = np.loadtxt(io.StringIO(response.text), delimiter=",")
    else:
        rows = np.load(io.BytesIO(response.content), allow_pickle=False)
    assert np.allclose(rows, expected[:, :, 0].T, atol=1e-6)


@pytest.mark.parametrize("body", ["1,0.5", "1,0.5\n-1,0", "0.5,1\n"])
def test_csv_may_mix_whole_numbers_and_fractions(ppo_endpoint, body):
    rows = [[float(value) for value in line.split(",")] for line in body.split()]
    response = ppo_endpoint.invoke(body, "text/csv")
    assert np.allclose(response.json(), ppo_endpoint.invoke(json.dumps(rows)).json(), atol=1e-6)


@pytest.mark.parametrize(
    ("body", "content_type", "status", "detail"),
    [
        ("[0.5,", "application/json", 400, "is not application/json"),
        ("", "application/json", 400, "empty"),
        ("  \n", "text/csv", 400, "empty"),
        ("[1,2,3]", "application/json", 400, "shape [3], expected [2] for one observation or [batch, 2] for a batch"),
        ("[[[1,2]]]", "application/json", 400, "shape [1, 1, 2]"),
        ("[]", "application/json", 400, "shape [0]"),
        ("7", "application/json", 400, "shape []"),
        ('["a",1]', "application/json", 400, "something else than numbers"),
        ("[null,1]", "application/json", 400, "something else than numbers"),
        ("[true,false]", "application/json", 400, "something else than numbers"),
        ('{"a":1}', "application/json", 400, "something else than numbers"),
        ("[[1,2],[3]]", "application/json", 400, "something else than numbers"),
        ("[NaN,1]", "application/json", 400, "NaN"),
        ("[1e400,1]", "application/json", 400, "infinity"),
        ("[1e39,1]", "application/json", 400, "beyond float32"),
        ("0.5,abc", "text/csv", 400, "could not convert string to float: 'abc'"),
        ("0.5,nan", "text/csv", 400, "finite"),
        ("0.5,", "text/csv", 400, "could not convert string to float: ''"),
        ("1,2\n3", "text/csv", 400, "rows of equal length"),
        (b"\xff\xfe", "text/csv", 400, "is not text/csv"),
        (b"\x93NUMPY garbage", "application/x-npy", 400, "is not application/x-npy"),
        (npy([{"a": 1}]), "application/x-npy", 400, "is not application/x-npy"),
        ("x", "application/xml", 415, "expected application/json, text/csv, application/x-npy"),
    ],
)
def test_a_bad_body_is_a_4xx_with_one_sentence(ppo_endpoint, body, content_type, status, detail):
    response = ppo_endpoint.invoke(body, content_type)
    assert response.status_code == status, response.text
    assert detail in response.json()["detail"]
    assert response.headers["Content-Type"] == "application/json"
    assert "Traceback" not in response.text


def test_a_pickle_in_a_body_is_not_loaded(ppo_endpoint, tmp_path):
    class Evil:
        def __reduce__(self):
            return (open, (str(tmp_path / "owned"), "w"))

    response = ppo_endpoint.invoke(npy(np.array([Evil()], dtype=object)), "application/x-npy")
    assert response.status_code == 400
    assert not (tmp_path / "owned").exists()


def test_what_cannot_be_accepted(ppo_endpoint):
    response = ppo_endpoint.invoke("[0,0]", Accept="text/foo")
    assert response.status_code == 406
    assert "Accept is 'text/foo'" in response.json()["detail"]


def test_an_unknown_output_is_refused(ppo_endpoint):
    response = ppo_endpoint.invoke("[0,0]", X_Amzn_SageMaker_Custom_Attributes="output=thoughts")
    assert response.status_code == 400
    assert "expected heads or actions" in response.json()["detail"]


def test_a_body_that_is_too_large(ppo_endpoint):
    response = ppo_endpoint.invoke(b" " * (6 * 1024 * 1024 + 1))
    assert response.status_code == 413


def test_other_routes_and_methods(ppo_endpoint):
    response = httpx.get(f"{ppo_endpoint.url}/invocations")
    assert (response.status_code, response.headers["Allow"]) == (405, "POST")
    assert httpx.get(f"{ppo_endpoint.url}/nowhere").status_code == 404
    assert "detail" in httpx.get(f"{ppo_endpoint.url}/nowhere").json()


def test_ping_is_answered_while_a_large_batch_is_at_work(ppo_endpoint):
    body = json.dumps([SAMPLES[0]] * 200_000)
    seconds = []
    with httpx.Client(base_url=ppo_endpoint.url) as client, ThreadPoolExecutor() as threads:
        request = threads.submit(httpx.post, f"{ppo_endpoint.url}/invocations", content=body, timeout=60)
        while not request.done():
            asked = time.monotonic()
            assert client.get("/ping", timeout=60).status_code == 200
            seconds.append(time.monotonic() - asked)
            time.sleep(0.02)
    assert max(seconds) < 1
    assert len(seconds) >= 8  # that is, not only before and after
    assert np.array(request.result().json()).shape == (3, 200_000, 1)


def test_requests_at_the_same_time_get_their_own_answers(ppo_endpoint):
    bodies = [json.dumps([[position / 100, 0.0]] * (1 if position % 2 else 5_000)) for position in range(-20, 20)]
    alone = [ppo_endpoint.invoke(body).json() for body in bodies]
    with ThreadPoolExecutor(8) as threads:
        together = [response.json() for response in threads.map(ppo_endpoint.invoke, bodies)]
    for expected, answer in zip(alone, together, strict=True):
        assert np.allclose(answer, expected, atol=1e-6)


def test_sigterm_ends_the_server_with_status_0(ppo_job: Job):
    server = serve(ppo_job.ml, free_port())
    endpoint = next(server)
    endpoint.process.send_signal(signal.SIGTERM)
    assert endpoint.process.wait(10) == 0


@pytest.mark.parametrize("seconds", [0.3, 1.0])
def test_sigterm_counts_before_the_server_is_ready(ppo_job: Job, seconds):
    with start_server(ppo_job.ml, free_port()) as process:
        time.sleep(seconds)
        process.send_signal(signal.SIGTERM)
        try:
            assert process.wait(5) == 0
        finally:
            process.kill()


def test_sigterm_lets_a_request_finish(ppo_job: Job):
    server = serve(ppo_job.ml, free_port())
    endpoint = next(server)
    with ThreadPoolExecutor() as threads:
        request = threads.submit(
            httpx.post, f"{endpoint.url}/invocations", content=json.dumps([SAMPLES[0]] * 200_000), timeout=60
        )
        time.sleep(0.3)
        endpoint.process.send_signal(signal.SIGTERM)
        assert request.result().status_code == 200
    assert endpoint.process.wait(10) == 0
    assert "Error" not in endpoint.process.stdout.read()
