"""A user's own ``code/inference.py`` in the model, as sagemaker-inference documents it."""

import json
import shutil
from concurrent.futures import ThreadPoolExecutor

import httpx
import numpy as np
import pytest

DOUBLES = """
def predict_fn(data, model):
    return [2 * head for head in model.heads(data.reshape(-1, 2))]
"""
OWN_FORMAT = """
import helper

def input_fn(body, content_type, context):
    assert context.get_request_header(0, "X-Amzn-SageMaker-Custom-Attributes") == "mine"
    return [helper.number(part) for part in body.split(b";")]

def predict_fn(data, model):
    return sum(data)

def output_fn(prediction, accept):
    return f"<sum>{prediction}</sum>", "application/xml"
"""
MODEL = """
def model_fn(model_dir):
    with open(f"{model_dir}/code/factor.txt") as file:
        return float(file.read())

def predict_fn(data, model):
    return data * model
"""
FAILS = """
import os
import sys
from sagemaker_inference.errors import BaseInferenceToolkitError

def transform_fn(model, body, content_type, accept):
    if body == b"teapot":
        raise BaseInferenceToolkitError(418, "I am a teapot", "teapot")
    if body == b"nothing":
        return None
    if body == b"exit":
        sys.exit("enough")
    if body == b"interrupt":
        raise KeyboardInterrupt
    if body == b"die":
        os._exit(4)
    raise ZeroDivisionError("a secret of the server")
"""


@pytest.fixture
def serve(start, ppo_model, tmp_path):
    def serve(source: str, **options):
        model = shutil.copytree(ppo_model, tmp_path / "model")
        (model / "code").mkdir()
        (model / "code/inference.py").write_text(source, encoding="utf-8")
        (model / "code/helper.py").write_text("number = int\n", encoding="utf-8")
        (model / "code/factor.txt").write_text("3", encoding="utf-8")
        return start(model, **options)

    return serve


def test_predict_fn_alone(serve, server):
    expected = np.array(server.invoke("[[0.5,-0.5]]").json())
    with serve(DOUBLES) as endpoint:
        assert np.allclose(endpoint.invoke("[[0.5,-0.5]]").json(), 2 * expected, atol=1e-6)
        assert endpoint.invoke("[0.5", Accept="text/csv").status_code == 400  # the other functions are the package's
        assert endpoint.invoke("[0.5,-0.5]", Accept="text/foo").status_code == 406


def test_input_and_output_of_ones_own(serve):
    with serve(OWN_FORMAT) as endpoint:
        answer = endpoint.invoke("1;2;3", "application/x-semicolons", X_Amzn_SageMaker_Custom_Attributes="mine")
        assert (answer.text, answer.headers["Content-Type"]) == ("<sum>6</sum>", "application/xml")
        assert answer.headers["X-Amzn-SageMaker-Custom-Attributes"] == "mine"


def test_a_model_of_ones_own(serve):
    with serve(MODEL) as endpoint:
        assert endpoint.invoke("[1,2,3]").json() == [3, 6, 9]
        assert endpoint.invoke("1,2,3", "text/csv", Accept="application/json").json() == [[3, 6, 9]]


def test_what_it_raises(serve):
    with serve(FAILS) as endpoint:
        answer = endpoint.invoke("teapot", "text/plain")
        assert answer.status_code == 418
        assert answer.json()["detail"] == "I am a teapot"
        before = endpoint.workers()
        for body in ("exit", "interrupt", "x", "nothing"):
            answer = endpoint.invoke(body, "text/plain")
            assert answer.status_code == 500
            assert "secret" not in answer.text
            assert "Traceback" not in answer.text
        assert endpoint.workers() == before
        assert endpoint.invoke("die", "text/plain").status_code == 503
        assert endpoint.invoke("teapot", "text/plain").status_code == 418
        endpoint.terminate()
        endpoint.wait(60)
        assert "SystemExit: enough" in endpoint.log()
        request_id = answer.headers["X-Request-Id"]
        lines = [json.loads(line) for line in endpoint.log().splitlines() if request_id in line]
        assert any("output_fn returned NoneType" in line.get("traceback", "") for line in lines)
        assert "ZeroDivisionError: a secret of the server" in endpoint.log()


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("def model_fn(model_dir):\n    raise OSError('no such weights')\n", "OSError: no such weights"),
        ("import nowhere\n" + DOUBLES, "ModuleNotFoundError: No module named 'nowhere'"),
        ("import sys\nsys.exit(3)\n" + DOUBLES, "The model's code raised SystemExit: 3."),
        (
            "import os\ndef model_fn(model_dir):\n    print('not yet')\n    os._exit(3)\n",
            "3 workers ended before the endpoint was ready, the last with status 3.",
        ),
        (FAILS + "def predict_fn(data, model):\n    return 1\n", "ValueError: Cannot use transform_fn"),
    ],
)
def test_code_that_cannot_be_loaded_ends_the_container(serve, source, reason):
    with serve(source, healthy=False) as endpoint:
        assert endpoint.wait(60) == 1
        lines = endpoint.log().strip().splitlines()
        assert endpoint.error().startswith(f"Error: {reason}")
        assert lines.count("not yet") == (3 if "3 workers" in reason else 0), "what it prints is in the log"


THREADS = """
import threading

others = threading.Barrier(2)

def model_fn(model_dir):
    return None

def transform_fn(model, body, content_type, accept):
    others.wait(20)
    return f"{threading.active_count() > 2}", "text/plain"
"""


def test_several_threads_run_the_functions_if_the_user_asks_for_them(serve):
    """Each request waits for another one in the same worker."""
    options = {"SAGEMAKER_MODEL_SERVER_WORKERS": "1", "SAGEMAKER_RL_MODEL_THREADS": "2"}
    with serve(THREADS, **options) as endpoint, ThreadPoolExecutor(2) as threads:
        url = f"{endpoint.url}/invocations"
        answers = list(threads.map(lambda body: httpx.post(url, content=body, timeout=60, trust_env=False), "ab"))
        assert [(answer.status_code, answer.text) for answer in answers] == [(200, "True")] * 2
