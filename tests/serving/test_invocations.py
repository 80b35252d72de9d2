"""What /invocations answers: heads and actions, every media type in and out, and every mistake in a body."""

import io
import json
import time
from concurrent.futures import ThreadPoolExecutor

import httpx
import numpy as np
import pytest
from sagemaker_rl.policy.artifact import Policy

SAMPLES = [[0.5, -0.5], [-0.5, 0.5]]
ACTIONS_ONLY = {"X_Amzn_SageMaker_Custom_Attributes": "output=actions"}


def npy(array) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, np.asarray(array), allow_pickle=True)
    return buffer.getvalue()


def test_one_observation_answers_the_list_of_heads(server, ppo_model):
    output = server.invoke(json.dumps(SAMPLES[0])).json()
    heads = Policy.load(ppo_model).heads(np.array([SAMPLES[0]], dtype=np.float32))
    assert np.allclose(output, heads, atol=1e-6)
    action = output[1][0]  # as the seed's notebook reads it
    assert action == pytest.approx(heads[1][0].tolist(), abs=1e-6)


def test_a_batch_answers_a_row_for_each(server):
    output = server.invoke(json.dumps(SAMPLES)).json()
    singles = [server.invoke(json.dumps(sample)).json() for sample in SAMPLES]
    for head, (first, second) in enumerate(zip(*singles, strict=True)):
        assert np.allclose(output[head], [first[0], second[0]], atol=1e-6)


def test_actions_only(server, dqn_server):
    response = server.invoke(json.dumps(SAMPLES), **ACTIONS_ONLY)
    actions = np.array(response.json())
    assert actions.shape == (2, 1)
    assert np.abs(actions).max() <= 1
    assert response.headers["X-Amzn-SageMaker-Custom-Attributes"] == "output=actions"
    indices = dqn_server.invoke(json.dumps(SAMPLES), **ACTIONS_ONLY).json()
    assert len(indices) == 2
    assert set(indices) <= {0, 1, 2}


def test_actions_may_be_the_default(start, ppo_model, server):
    """Batch transform passes no header of the client's on."""
    with start(ppo_model, SAGEMAKER_RL_OUTPUT="actions") as endpoint:
        expected = server.invoke(json.dumps(SAMPLES), **ACTIONS_ONLY).content
        assert endpoint.invoke(json.dumps(SAMPLES)).content == expected
        heads = endpoint.invoke(json.dumps(SAMPLES), X_Amzn_SageMaker_Custom_Attributes="output=heads").json()
        assert len(heads) == 3


def test_dqn_answers_its_action_values(dqn_server):
    (q_values,) = dqn_server.invoke(json.dumps(SAMPLES)).json()
    assert np.array(q_values).shape == (2, 3)


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (json.dumps(SAMPLES), "application/json"),
        (json.dumps(SAMPLES), "application/json; charset=utf-8"),
        (json.dumps(SAMPLES), "APPLICATION/JSON"),
        ("0.5,-0.5\n-0.5,0.5\n", "text/csv"),
        ("[0.5,-0.5]\n[-0.5,0.5]\n", "application/jsonlines"),
        ("[0.5,-0.5]\r\n\r\n[-0.5,0.5]", "application/x-jsonlines"),
        ("\ufeff0.5,-0.5\r\n-0.5,0.5", "text/csv; charset=utf-8"),
        ("\ufeff[0.5,-0.5]\r[-0.5,0.5]\r", "application/jsonl"),
        ("\ufeff" + json.dumps(SAMPLES), "application/json"),
        ("0.5,-0.5\r   \r-0.5,0.5\r", "text/csv"),
        (json.dumps(SAMPLES), ""),
        (npy(SAMPLES), "application/x-npy"),
        (npy(np.asfortranarray(SAMPLES)), "application/x-npy"),
        (npy(np.array(SAMPLES, dtype=np.float32)), "application/x-npy"),
    ],
)
@pytest.mark.parametrize(
    "accept", ["application/json", "text/csv", "application/x-npy", "application/jsonlines", "*/*", ""]
)
def test_every_format_in_and_out_says_the_same(server, body, content_type, accept):
    expected = np.array(server.invoke(json.dumps(SAMPLES)).json())  # (heads, batch, 1)
    response = server.invoke(body, content_type, Accept=accept)
    assert response.status_code == 200, response.text
    media_type = response.headers["Content-Type"].partition(";")[0]
    if media_type == "application/json":
        assert np.allclose(response.json(), expected, atol=1e-6)
        return
    assert media_type == accept
    assert not response.content.endswith(b"\n") or media_type == "application/x-npy"
    if media_type == "application/jsonlines":
        lines = [json.loads(line) for line in response.text.splitlines()]
        assert np.allclose(np.swapaxes(lines, 0, 1), expected, atol=1e-6)
        return
    if media_type == "text/csv":
        rows = np.loadtxt(io.StringIO(response.text), delimiter=",")
    else:
        rows = np.load(io.BytesIO(response.content), allow_pickle=False)
    assert np.allclose(rows, expected[:, :, 0].T, atol=1e-6)


def test_a_pickle_in_a_body_is_not_loaded(server, tmp_path):
    class Evil:
        def __reduce__(self):
            return (open, (str(tmp_path / "owned"), "w"))

    response = server.invoke(npy(np.array([Evil()], dtype=object)), "application/x-npy")
    assert response.status_code == 400
    assert not (tmp_path / "owned").exists()


def test_ping_is_answered_while_a_large_batch_is_at_work(server):
    body = json.dumps([SAMPLES[0]] * 200_000)
    seconds = []
    with httpx.Client(base_url=server.url) as client, ThreadPoolExecutor() as threads:
        request = threads.submit(httpx.post, f"{server.url}/invocations", content=body, timeout=60)
        while not request.done():
            asked = time.monotonic()
            assert client.get("/ping", timeout=60).status_code == 200
            seconds.append(time.monotonic() - asked)
            time.sleep(0.02)
    assert max(seconds) < 1
    assert len(seconds) >= 8  # that is, not only before and after
    assert np.array(request.result().json()).shape == (3, 200_000, 1)


def test_requests_at_the_same_time_get_their_own_answers(server):
    bodies = [json.dumps([[position / 100, 0.0]] * (1 if position % 2 else 5_000)) for position in range(-20, 20)]
    alone = [server.invoke(body).json() for body in bodies]
    with ThreadPoolExecutor(8) as threads:
        together = [response.json() for response in threads.map(server.invoke, bodies)]
    for expected, answer in zip(alone, together, strict=True):
        assert np.allclose(answer, expected, atol=1e-6)


def test_instances_are_answered_by_predictions(server, dqn_server):
    body = json.dumps({"instances": SAMPLES})
    heads = server.invoke(json.dumps(SAMPLES)).json()
    predictions = server.invoke(body).json()["predictions"]
    assert [set(prediction) for prediction in predictions] == [
        {"state_value", "action_mean", "action_standard_deviation"}
    ] * 2
    assert [prediction["action_mean"] for prediction in predictions] == heads[1]
    actions = dqn_server.invoke(body, **ACTIONS_ONLY).json()
    assert actions == {"predictions": dqn_server.invoke(json.dumps(SAMPLES), **ACTIONS_ONLY).json()}


def test_an_overflow_in_the_network_is_the_clients(server):
    """Normalization clips what is far out, so the answer is finite; it is for any policy, or a 400."""
    response = server.invoke("[3e38,-3e38]")
    assert response.status_code == 200
    assert np.isfinite(response.json()).all()
