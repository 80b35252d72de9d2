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


def npy_header(shape) -> bytes:
    """Return an array that promises a shape and holds nothing."""
    buffer = io.BytesIO()
    np.lib.format.write_array_header_1_0(buffer, {"descr": "<f8", "fortran_order": False, "shape": shape})
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


@pytest.mark.parametrize("body", ["1,0.5", "1,0.5\n-1,0", "0.5,1\n"])
def test_csv_may_mix_whole_numbers_and_fractions(server, body):
    rows = [[float(value) for value in line.split(",")] for line in body.split()]
    response = server.invoke(body, "text/csv")
    assert np.allclose(response.json(), server.invoke(json.dumps(rows)).json(), atol=1e-6)


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
        ('{"a":1}', "application/json", 400, "an object with the keys 'a', expected the key 'instances'"),
        ("[[1,2],[3]]", "application/json", 400, "something else than numbers"),
        ("[NaN,1]", "application/json", 400, "NaN"),
        ("[1,-Infinity]", "application/json", 400, "Infinity"),
        ("[true,0.5]", "application/json", 400, "something else than numbers"),
        ("[[0.5,-0.5],[0.5,false]]", "application/json", 400, "something else than numbers"),
        ("[[0.5,-0.5],[]]", "application/json", 400, "something else than numbers"),
        ('"0.5,-0.5"', "application/json", 400, "something else than numbers"),
        ('{"instances": 7}', "application/json", 400, "instances is a number, expected a list"),
        ('{"instances": [0.5,-0.5]}', "application/json", 400, "instances has the shape [2], expected [batch, 2]: a"),
        ('{"instances": []}', "application/json", 400, "shape [0]"),
        ("[" * 500_000, "application/json", 400, "is not application/json"),
        ("[0.5,-0.5]\n[0.5", "application/jsonlines", 400, "Line 2 of the body is not JSON"),
        ("[0.5,-0.5]\n[0.5]", "application/jsonlines", 400, "Line 2 of the body has the shape [1], expected [2]"),
        ("1_000,2", "text/csv", 400, "Line 1 of the body holds '1_000', expected a finite number."),
        ("0.5;-0.5", "text/csv", 400, "Line 1 of the body holds '0.5;-0.5'"),
        (npy([True, False]), "application/x-npy", 400, "it holds '|b1', expected integers or floats"),
        (npy([1j, 2]), "application/x-npy", 400, "it holds '<c16', expected integers or floats"),
        (npy_header((True, 2.0)), "application/x-npy", 400, "says shape (True, 2.0), expected a tuple of sizes"),
        (npy_header((0, 2**70)), "application/x-npy", 400, "expected sizes that fit"),
        (npy_header(("1", (2,))), "application/x-npy", 400, "expected a tuple of sizes"),
        ("[[0.5,-0.5],[1,2]]\n[1,2]", "application/jsonlines", 400, "Line 1 of the body has the shape [2, 2]"),
        ("[0.5,-0.5]\n7", "application/jsonlines", 400, "Line 2 of the body has the shape []"),
        ("[0.5,-0.5]\u2028[0.5,-0.5]", "application/jsonlines", 400, "Line 1 of the body is not JSON"),
        ("\u0661,\uff12", "text/csv", 400, "Line 1 of the body holds '\u0661'"),
        (npy(SAMPLES)[:-8], "application/x-npy", 400, "24 bytes follow"),
        (npy(SAMPLES) + b"x", "application/x-npy", 400, "33 bytes follow"),
        (npy_header((10**12, 2)), "application/x-npy", 400, "0 bytes follow"),
        (npy([np.nan, 1]), "application/x-npy", 400, "finite"),
        ("[0.5,-0.5]", "application/json; charset=utf-16", 415, "expected the character set utf-8"),
        ("[1e400,1]", "application/json", 400, "infinity"),
        ("[1e39,1]", "application/json", 400, "beyond float32"),
        ("0.5,abc", "text/csv", 400, "Line 1 of the body holds 'abc'"),
        ("0.5,nan", "text/csv", 400, "finite"),
        ("0.5,", "text/csv", 400, "Line 1 of the body holds ''"),
        ("1,2\n3", "text/csv", 400, "Line 2 of the body has the length 1, expected 2"),
        (b"\xff\xfe", "text/csv", 400, "is not text/csv"),
        (b"\x93NUMPY garbage", "application/x-npy", 400, "is not application/x-npy"),
        (npy([{"a": 1}]), "application/x-npy", 400, "is not application/x-npy"),
        (
            "x",
            "application/xml",
            415,
            "expected one of application/json, application/jsonlines, text/csv, application/x-npy",
        ),
    ],
)
def test_a_bad_body_is_a_4xx_with_one_sentence(server, body, content_type, status, detail):
    response = server.invoke(body, content_type)
    assert response.status_code == status, response.text
    assert detail in response.json()["detail"]
    assert response.headers["Content-Type"] == "application/json"
    assert "Traceback" not in response.text


def test_a_pickle_in_a_body_is_not_loaded(server, tmp_path):
    class Evil:
        def __reduce__(self):
            return (open, (str(tmp_path / "owned"), "w"))

    response = server.invoke(npy(np.array([Evil()], dtype=object)), "application/x-npy")
    assert response.status_code == 400
    assert not (tmp_path / "owned").exists()


def test_what_cannot_be_accepted(server):
    response = server.invoke("[0,0]", Accept="text/foo")
    assert response.status_code == 406
    assert "Accept is 'text/foo'" in response.json()["detail"]


def test_an_unknown_output_is_refused(server):
    response = server.invoke("[0,0]", X_Amzn_SageMaker_Custom_Attributes="output=thoughts")
    assert response.status_code == 400
    assert "expected heads or actions" in response.json()["detail"]


def test_a_body_that_is_too_large(server):
    response = server.invoke(b" " * (6 * 1024 * 1024 + 1))
    assert response.status_code == 413


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


@pytest.mark.parametrize(
    ("accept", "media_type"),
    [
        ("text/csv;q=0.5, application/x-npy;q=0.8", "application/x-npy"),
        ("text/csv, */*", "text/csv"),
        ("text/*", "text/csv"),
        ("application/*", "application/json"),
        ("*/*;q=0.1, application/jsonlines;q=0.2", "application/jsonlines"),
        ("application/json;q=0, */*", "application/jsonlines"),
        ("application/json; q=0.2 , text/csv ;q=0.2", "application/json"),
        ("text/html, application/xhtml+xml, */*;q=0.8", "application/json"),
        ("TEXT/CSV", "text/csv"),
    ],
)
def test_the_best_of_an_accept_header_is_taken(server, accept, media_type):
    response = server.invoke("[0.5,-0.5]", Accept=accept)
    assert response.status_code == 200, response.text
    assert response.headers["Content-Type"] == media_type


@pytest.mark.parametrize(
    ("accept", "status"), [("text/foo", 406), ("*/*;q=0", 406), ("text/csv;q=2", 400), ("text/csv;q=x", 400)]
)
def test_what_cannot_be_accepted_is_refused_before_the_work(server, accept, status):
    response = server.invoke("[0.5,-0.5]", Accept=accept)
    assert response.status_code == status
    assert "Accept" in response.json()["detail"]


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
