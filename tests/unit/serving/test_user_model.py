"""A user's own functions around a model, in this process: what they are given, and what becomes of their answers."""

import json
import os
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from sagemaker_inference.errors import BaseInferenceToolkitError
from sagemaker_rl.errors import PolicyError, RequestError
from sagemaker_rl.policy.artifact import Policy
from sagemaker_rl.serving import user_code
from sagemaker_rl.serving.user_code import Answer, UserModel

TRANSFORM = """
import helper
from sagemaker_inference.errors import BaseInferenceToolkitError

def model_fn(model_dir):
    return f"{helper.WORD} from {model_dir}"

def transform_fn(model, body, content_type, accept, context):
    asked = bytes(body) if not isinstance(body, str) else body
    if asked == b"model":
        return model, "text/plain"
    if asked == b"bytes":
        return bytearray(b"a\\xffb"), "application/octet-stream"
    if asked == b"view":
        return memoryview(b"view"), "application/x-view"
    if asked == b"none":
        return None
    if asked == b"header":
        name = "x-aMZn-SageMaker-custom-attributes"
        return str([context.get_request_header(0, name), context.get_request_header(0, "absent"), content_type, accept])
    if asked == b"teapot":
        raise BaseInferenceToolkitError(418, "I am a teapot", "teapot")
    if asked == b"499":
        raise BaseInferenceToolkitError(499, "It is red", "red")
    if asked == b"broken":
        raise BaseInferenceToolkitError(500, "It is broken", "broken")
    raise ZeroDivisionError("of the server")
"""


@pytest.fixture
def load(tmp_path, monkeypatch):
    """Return a function that loads a model of this source, called ``inference.py``."""
    monkeypatch.delenv("SAGEMAKER_PROGRAM", raising=False)
    monkeypatch.setattr(sys, "dont_write_bytecode", False)

    def load(source=TRANSFORM, name="model", **files):
        code = tmp_path / name / "code"
        code.mkdir(parents=True)
        for file, content in {"inference.py": source, "helper.py": f"WORD = 'weights of {name}'\n", **files}.items():
            (code / file).write_text(content, encoding="utf-8")
        return UserModel(tmp_path / name)

    return load


def test_an_answer_is_bytes_with_the_functions_content_type(load, tmp_path):
    model = load()
    assert (model.folder, model.executor) == (tmp_path / "model", "code/inference.py")
    said = f"weights of model from {tmp_path}/model".encode()
    assert model.transform(b"model", {}) == Answer(200, said, "text/plain")
    assert model.transform(b"bytes", {}) == Answer(200, b"a\xffb", "application/octet-stream")
    assert model.transform(b"view", {}) == Answer(200, b"view", "application/x-view")


def test_headers_are_the_requests_own_whatever_their_case(load):
    model = load()
    headers = {
        b"x-amzn-sagemaker-custom-attributes": "m\xefne".encode("latin-1"),
        b"content-type": b"text/plain",
        b"ACCEPT": b"text/html",
    }
    assert model.transform(b"header", headers) == Answer(
        200, str(["m\xefne", None, "text/plain", "text/html"]).encode(), "text/html"
    )
    # nothing of the request before is left
    assert (
        model.transform(b"header", {b"content-type": b"a/b"}).body
        == str([None, None, "a/b", "application/json"]).encode()
    )


@pytest.mark.parametrize(("body", "status", "detail"), [(b"teapot", 418, "I am a teapot"), (b"499", 499, "It is red")])
def test_a_refusal_is_told_without_its_traceback(load, body, status, detail):
    model = load()
    assert model.transform(body, {}) == Answer(status, detail=detail)
    assert model.transform(b"view", {}).status == 200


@pytest.mark.parametrize(
    ("body", "begin", "end"),
    [
        (b"broken", "It is broken\n", "BaseInferenceToolkitError"),
        (b"x", "of the server\n", "ZeroDivisionError: of the server"),
    ],
)
def test_a_failure_is_told_with_it(load, body, begin, end):
    answer = load().transform(body, {})
    assert (answer.status, answer.body, answer.content_type) == (500, b"", "")
    assert answer.detail.startswith(begin)
    assert end in answer.detail
    assert "inference.py" in answer.detail
    assert "Traceback" not in answer.detail


def test_an_answer_that_is_no_bytes_is_a_failure(load):
    assert load().transform(b"none", {}) == Answer(500, detail="output_fn returned NoneType, expected str or bytes.")


def test_modules_of_one_name_in_two_models(load, tmp_path):
    """Each has its own, and neither is left to another, nor is its folder."""
    before = sys.path[:]
    models = [load(name=name) for name in ("first", "second", "code")]
    assert sys.path == before
    assert not {"inference", "helper"} & sys.modules.keys()
    for name, model in zip(("first", "second", "code"), models, strict=True):
        assert model.transform(b"model", {}).body == f"weights of {name} from {tmp_path / name}".encode()
    assert not list(tmp_path.rglob("*.pyc"))


def test_a_model_that_is_loaded_again_sees_a_new_file(load, tmp_path):
    """Also one that was added within the clock tick of the first load, by which Python remembers a folder."""
    code = tmp_path / "model/code"
    load()
    before = code.stat()
    (code / "inference.py").write_text("import later\n" + TRANSFORM.replace("helper.WORD", "later.WORD"))
    (code / "later.py").write_text("WORD = 'new weights'\n")
    os.utime(code, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert UserModel(tmp_path / "model").transform(b"model", {}).body.startswith(b"new weights from ")


@pytest.mark.parametrize(
    ("source", "error", "reason"),
    [
        ("def model_fn(model_dir):\n    raise OSError('no such weights')\n", OSError, "no such weights"),
        ("import nowhere\n", ModuleNotFoundError, "No module named 'nowhere'"),
    ],
)
def test_what_cannot_be_loaded_leaves_nothing(load, source, error, reason):
    before = sys.path[:]
    with pytest.raises(error, match=reason):
        load("import helper\n" + source)
    assert sys.path == before
    assert not {"inference", "helper"} & sys.modules.keys()


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("import sys\nsys.exit(3)\n", "SystemExit: 3"),
        ("import sys\nsys.exit()\n", "SystemExit"),
        (
            "def model_fn(model_dir):\n    raise KeyboardInterrupt('enough,\\nreally')\n",
            "KeyboardInterrupt: enough, really",
        ),
        ("raise GeneratorExit\n", "GeneratorExit"),
    ],
)
def test_code_that_ends_the_process_when_it_is_loaded_is_refused(load, capfd, source, reason):
    before = sys.path[:]
    with pytest.raises(PolicyError) as raised:
        load(source)
    assert str(raised.value) == f"The model's code raised {reason}."
    assert "inference.py" in capfd.readouterr().out, "the traceback"
    assert sys.path == before


ENDS = """
import os, sys, threading

class Own(BaseException):
    pass

def model_fn(model_dir):
    return None

def transform_fn(model, body, content_type, accept):
    if body == b"exit":
        sys.exit("enough")
    if body == b"own":
        raise Own
    if body == b"status":
        raise sys.modules["sagemaker_inference.errors"].BaseInferenceToolkitError(None, "a", "b")
    raise {b"keyboard": KeyboardInterrupt, b"generator": GeneratorExit, b"stop": StopIteration}[bytes(body)]
"""


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (b"exit", "SystemExit: enough"),
        (b"own", "inference.Own"),
        (b"keyboard", "KeyboardInterrupt"),
        (b"generator", "GeneratorExit"),
        (b"stop", "StopIteration"),
        (b"status", "TypeError"),
    ],
)
def test_whatever_the_functions_raise_is_a_failure_of_the_request(load, body, error):
    model = load(ENDS)
    answer = model.transform(body, {})
    assert answer.status == 500
    assert error in answer.detail
    assert 'inference.py", line ' in answer.detail


@pytest.mark.parametrize("content_type", ["3", "None", "'text/plain\\r\\nx-y: 1'", "'täxt/plain'"])
def test_a_content_type_that_no_header_can_hold_is_a_failure(load, content_type):
    model = load(f"def transform_fn(model, body, content_type, accept):\n    return '', {content_type}\n" + OWN_MODEL)
    answer = model.transform(b"", {})
    assert answer.status == 500
    assert answer.detail.startswith("output_fn returned the content type ")


def test_several_threads_have_a_request_each(load):
    """Also where a function is given the context, of which the toolkit keeps one."""
    model = load(
        "import threading\n"
        "both = threading.Barrier(2, timeout=20)\n"
        "def transform_fn(model, body, content_type, accept, context):\n"
        "    both.wait()\n"
        "    context.set_response_status(int(body))\n"
        "    both.wait()\n"
        "    return context.get_request_header(0, 'x-name'), content_type\n" + OWN_MODEL
    )
    asked = [(b"200", "one", "a/one"), (b"418", "two", "a/two")]
    with ThreadPoolExecutor(2) as threads:
        answers = list(
            threads.map(
                lambda one: model.transform(one[0], {b"x-name": one[1].encode(), b"content-type": one[2].encode()}),
                asked,
            )
        )
    assert answers == [Answer(200, b"one", "a/one"), Answer(418, detail="two")]


OWN_MODEL = "def model_fn(model_dir):\n    return 3\n"


def test_functions_that_are_left_out_are_the_packages(load):
    doubles = load(OWN_MODEL + "def predict_fn(data, model):\n    return data * model\n")
    answer = doubles.transform(b"[[1,2],[3,5]]", {b"content-type": b"application/json", b"accept": b"text/csv"})
    assert (answer.status, answer.content_type) == (200, "text/csv")
    assert answer.body.split() == [b"3,6", b"9,15"]
    assert json.loads(doubles.transform(b"7", {b"content-type": b"text/csv"}).body) == [[21]]
    for body, headers, status in (
        (b"[1", {}, 400),
        (b"1", {b"content-type": b"a/b"}, 415),
        (b"1", {b"accept": b"a/b"}, 406),
    ):
        refused = doubles.transform(body, headers)
        assert refused.status == status
        assert "Traceback" not in refused.detail and refused.detail


def test_without_predict_fn_the_model_is_a_policy(load):
    answer = load(OWN_MODEL).transform(b"[1]", {})
    assert answer.status == 500
    assert answer.detail.startswith("model_fn returned int; without a predict_fn a Policy is expected.\n")


def test_the_packages_functions_under_the_toolkits_names(ppo_model):
    functions = user_code._Handler()
    policy = functions.default_model_fn(str(ppo_model))
    assert isinstance(policy, Policy)
    observations = np.array([[0.5, -0.05], [-0.9, 0.03]])
    heads = functions.default_predict_fn(observations, policy)
    assert [head.tolist() for head in heads] == [head.tolist() for head in policy.heads(observations)]
    with pytest.raises(BaseInferenceToolkitError) as raised:
        functions.default_predict_fn(np.zeros(3), policy)
    assert raised.value.status_code == 400
    assert "shape [3], expected [2]" in raised.value.message == raised.value.phrase


@pytest.mark.parametrize(
    ("prediction", "answer"),
    [
        (4, [4]),
        ([1, 2], [1, 2]),
        (np.array([[1.5, 2.0]]), [[1.5, 2.0]]),
        ([np.array([[1.5], [2.5]], dtype=np.float32)], [[[1.5], [2.5]]]),
        ([np.float64(1.5), 2], [1.5, 2.0]),
    ],
)
def test_a_prediction_is_heads_only_as_a_list_of_arrays(prediction, answer):
    body, media_type = user_code._Handler().default_output_fn(prediction, "application/json")
    assert (json.loads(body), media_type) == (answer, "application/json")


def test_a_refusal_keeps_its_status():
    with pytest.raises(BaseInferenceToolkitError) as raised:
        user_code._Handler().default_input_fn(b"1", "a/b")
    assert (raised.value.status_code, raised.value.message) == (415, raised.value.phrase)
    error = user_code._as_toolkit_error(RequestError("It is red.", 422))
    assert (error.status_code, error.message, error.phrase) == (422, "It is red.", "It is red.")
