"""Whether a program in ``code/`` can answer, told from its text."""

import pytest
from sagemaker_rl.serving.user_program import why_not_run

NONE_DEFINED = "it defines none of model_fn, input_fn, predict_fn, output_fn, transform_fn"
NO_ONNX_FILE = "the model holds no ONNX file"
ONNX = '{imports}\ndef model_fn(model_dir):\n    return {call}(model_dir + "/model.onnx")\n'


@pytest.fixture
def model(tmp_path):
    (tmp_path / "code").mkdir()
    (tmp_path / "policy.json").write_text("{}")
    return tmp_path


def why(model, source: str, program: str = "inference.py") -> str:
    (model / "code" / program).write_text(source, encoding="utf-8")
    return why_not_run(model, program)


@pytest.mark.parametrize(
    "source",
    [
        "def predict_fn(data, model): pass",
        "async def transform_fn(*arguments): pass",
        "from helper import model_fn",
        "from helper import load as model_fn",
        "from helper import *",
        "output_fn = print",
        "input_fn: object = print",
        "model_fn, other = print, print",
        "try:\n    from fast import predict_fn\nexcept ImportError:\n    from slow import predict_fn",
        "if True:\n    def predict_fn(data, model): pass",
        "print 'of Python 2'",
        "print('a null byte: \0')",
        "-" * 4_000 + "1",  # nested too deeply for Python's compiler
        "-" * 20_000 + "1",  # and for its parser
        "def model_fn(model_dir):\n    import onnx  # 'model.onnx' is named in a comment only",
        "from sagemaker_rl.serving.handler import input_fn, model_fn, output_fn, predict_fn",
    ],
)
def test_a_handler_is_run(model, source):
    assert why(model, source) == ""


@pytest.mark.parametrize(
    "source",
    [
        "",
        "print('training')",
        "class MyLauncher:\n    def model_fn(self): pass",
        "def main():\n    model_fn = 1",
        "import model_fn_of_another",
    ],
)
def test_a_program_without_functions_is_not(model, source):
    assert why(model, source) == NONE_DEFINED


@pytest.mark.parametrize(
    ("imports", "call"),
    [
        ("from mxnet.contrib import onnx as onnx_mxnet", "onnx_mxnet.import_model"),
        ("from mxnet.contrib.onnx import import_model", "import_model"),
        ("import mxnet.contrib.onnx as reader", "reader.import_model"),
        ("import mxnet as mx", "mx.contrib.onnx.import_model"),
        ("from mxnet.onnx import import_model", "import_model"),
        ("import onnxruntime", "onnxruntime.InferenceSession"),
    ],
)
def test_a_handler_of_an_onnx_file_is_run_only_with_it(model, imports, call):
    source = ONNX.format(imports=imports, call=call)
    assert why(model, source) == NO_ONNX_FILE
    (model / "model.onnx").write_bytes(b"")
    assert why(model, source) == ""


def test_without_an_artifact_every_program_is_run(model):
    (model / "policy.json").unlink()
    assert why(model, "") == ""


def test_a_program_that_is_not_python_is_not_run(model):
    assert why(model, "#!/bin/sh\n", "train.sh") == NONE_DEFINED
