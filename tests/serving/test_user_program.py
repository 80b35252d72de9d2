"""What users' models have in ``code/`` that is no handler for this image: the artifact answers in its place."""

import shutil

import pytest
from jobs import ROOT

ONNX_HANDLER = (ROOT / "tests/resources/onnx_handler/deploy-mxnet-coach.py").read_text(encoding="utf-8")
LAUNCHER = (ROOT / "tests/resources/custom_environment/train-coach.py").read_text(encoding="utf-8")


@pytest.fixture
def serve(start, ppo_model, tmp_path):
    def serve(program: str, source: str, **options):
        model = shutil.copytree(ppo_model, tmp_path / "model")
        (model / "code").mkdir()
        (model / "code" / program).write_text(source, encoding="utf-8")
        for name, content in options.pop("files", {}).items():
            (model / name).write_bytes(content)
        return start(model, **{"SAGEMAKER_PROGRAM": program, **options})

    return serve


@pytest.mark.parametrize(
    ("program", "source", "reason"),
    [
        ("deploy-mxnet-coach.py", ONNX_HANDLER, "the model holds no ONNX file"),
        ("deploy-coach.py", ONNX_HANDLER, "the model holds no ONNX file"),
        ("train-coach.py", LAUNCHER, "it defines none of model_fn, input_fn, predict_fn, output_fn, transform_fn"),
        ("train.sh", "#!/bin/sh\npython train-coach.py\n", "it defines none of model_fn"),
    ],
)
def test_the_artifact_answers_in_its_place(serve, server, program, source, reason):
    expected = server.invoke("[0.5,-0.5]").json()
    with serve(program, source) as endpoint:
        answer = endpoint.invoke("[0.5,-0.5]")
        assert answer.json() == expected
        value, action, _ = answer.json()
        assert len(value) == len(action) == 1
        endpoint.terminate()
        endpoint.wait()
        lines = [line for line in endpoint.log().splitlines() if "The policy artifact is served" in line]
        assert len(lines) == 1
        assert f"code/{program} is not run: {reason}" in lines[0]


def test_a_program_that_is_not_there(serve):
    with serve("inferense.py", LAUNCHER, SAGEMAKER_PROGRAM="inference2.py", healthy=False) as endpoint:
        assert endpoint.wait() == 1
        last = endpoint.log().splitlines()[-1]
        assert last == "Error: SAGEMAKER_PROGRAM is 'inference2.py', expected one of those in code/: inferense.py."


def test_a_handler_whose_onnx_file_is_there_is_run(serve):
    with serve("deploy-mxnet-coach.py", ONNX_HANDLER, files={"model.onnx": b"no ONNX"}, healthy=False) as endpoint:
        assert endpoint.wait() == 1
        assert "The policy artifact is served" not in endpoint.log()
        assert "onnx" in endpoint.log().lower()


def test_requirements_that_are_not_installed_are_named(serve):
    files = {"code/requirements.txt": b"simulator_of_nobody==2.0.3\n"}
    source = "import simulator_of_nobody\n\ndef output_fn(prediction, accept):\n    return '', 'text/plain'\n"
    with serve("inference.py", source, files=files, healthy=False) as endpoint:
        assert endpoint.wait() == 1
        last = endpoint.log().strip().splitlines()[-1]
        assert last == (
            "Error: No module named 'simulator_of_nobody': code/requirements.txt is not installed; install it in an "
            "image of your own (docs/serving.md)."
        )


def test_requirements_of_a_program_that_is_not_run_do_not_matter(serve):
    files = {"code/requirements.txt": b"simulator_of_nobody==2.0.3\n"}
    with serve("train-coach.py", "import simulator_of_nobody\n" + LAUNCHER, files=files) as endpoint:
        assert endpoint.invoke("[0.5,-0.5]").status_code == 200


def test_a_model_of_a_multi_model_endpoint(start, ppo_model, tmp_path):
    folder = tmp_path / "models/one"
    shutil.copytree(ppo_model, folder)
    (folder / "code").mkdir()
    (folder / "code/train-coach.py").write_text(LAUNCHER, encoding="utf-8")
    with start(tmp_path / "models", SAGEMAKER_MULTI_MODEL="true", SAGEMAKER_PROGRAM="train-coach.py") as endpoint:
        load = {"model_name": "one", "url": f"{endpoint.folder}/one"}
        assert endpoint.client().post("/models", json=load).status_code == 200
        answer = endpoint.client().post("/models/one/invoke", json=[0.5, -0.5])
        assert answer.status_code == 200
        assert "The policy artifact is served, code/train-coach.py is not run" in endpoint.log()
