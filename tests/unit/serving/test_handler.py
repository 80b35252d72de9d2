"""The handler's four functions, driven as sagemaker-inference's own model server drives them."""

import io
import json
from types import SimpleNamespace

import numpy as np
import pytest
from sagemaker_inference.transformer import Transformer
from sagemaker_rl.errors import RequestError
from sagemaker_rl.policy.artifact import Policy
from sagemaker_rl.serving import handler

SAMPLES = [[0.5, -0.05], [-0.9, 0.03]]
TYPES = ["application/json", "text/csv", "application/x-npy"]


def encoded(content_type) -> bytes:
    if content_type == "application/json":
        return json.dumps(SAMPLES).encode()
    if content_type == "text/csv":
        return "\n".join(",".join(map(str, row)) for row in SAMPLES).encode()
    buffer = io.BytesIO()
    np.save(buffer, np.array(SAMPLES))
    return buffer.getvalue()


class Context(SimpleNamespace):
    """What the multi-model server tells the toolkit about a request, and is told about the answer."""

    def __init__(self, model_dir, **headers):
        processor = SimpleNamespace(get_request_properties=lambda: headers)
        super().__init__(system_properties={"model_dir": str(model_dir)}, request_processor=[processor], status=200)

    def set_response_content_type(self, index, content_type):
        self.content_type = content_type

    def set_response_status(self, code, phrase):
        self.status = code


@pytest.fixture
def transformer(monkeypatch):
    monkeypatch.setenv("SAGEMAKER_PROGRAM", "deploy-mxnet-coach.py")
    return Transformer()


@pytest.fixture(scope="module")
def model_dir(ppo_model):
    return ppo_model


@pytest.mark.parametrize("accept", TYPES)
@pytest.mark.parametrize("content_type", TYPES)
def test_the_toolkit_gets_the_heads(transformer, model_dir, content_type, accept):
    context = Context(model_dir, **{"Content-Type": content_type, "Accept": accept})
    (answer,) = transformer.transform([{"body": bytearray(encoded(content_type))}], context)
    assert context.status == 200, answer
    assert context.content_type == accept
    heads = np.array(Policy.load(model_dir).heads(np.array(SAMPLES)))  # (3, 2, 1)
    if accept == "application/json":
        assert np.allclose(json.loads(answer), heads, atol=1e-6)
    elif accept == "text/csv":
        assert np.allclose(np.loadtxt(io.BytesIO(answer), delimiter=","), heads[:, :, 0].T, atol=1e-6)
    else:
        assert np.allclose(np.load(io.BytesIO(answer)), heads[:, :, 0].T, atol=1e-6)


def test_the_toolkit_may_leave_out_both_headers(transformer, model_dir):
    context = Context(model_dir)
    (answer,) = transformer.transform([{"body": encoded("application/json")}], context)
    assert context.status == 200, answer
    assert np.array(json.loads(answer)).shape == (3, 2, 1)


@pytest.mark.parametrize("form", [bytes, bytearray, lambda body: body.decode()])
@pytest.mark.parametrize("content_type", TYPES[:2])
def test_a_body_comes_in_any_form(form, content_type):
    assert handler.input_fn(form(encoded(content_type)), content_type).tolist() == SAMPLES


@pytest.mark.parametrize(
    ("body", "content_type"),
    [("", "application/json"), ("x", "text/csv"), ("\ud800", "text/csv"), ("[1,", None), ("x", "application/x-npy")],
)
def test_text_that_is_no_observation_is_refused(body, content_type):
    with pytest.raises(RequestError) as error:
        handler.input_fn(body, content_type)
    assert error.value.status == 400


def test_observations_of_another_shape_are_refused(model_dir):
    with pytest.raises(RequestError, match=r"shape \[3\], expected \[2\]"):
        handler.predict_fn(np.zeros(3), Policy.load(model_dir))


def test_actions_are_encoded_too():
    body, media_type = handler.output_fn(np.arange(3), "*/*")
    assert (json.loads(body), media_type) == ([0, 1, 2], "application/json")
