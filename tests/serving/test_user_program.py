"""What users' models have in ``code/`` that is no handler for this image: the artifact answers in its place."""

import io
import os
import shutil
import zipfile

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
        options.pop("make", lambda code: None)(model / "code")
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
        endpoint.wait(60)
        lines = [line for line in endpoint.log().splitlines() if "The policy artifact is served" in line]
        assert len(lines) == 1
        assert f"code/{program} is not run: {reason}" in lines[0]


def test_a_program_that_is_not_there(serve):
    with serve("inferense.py", LAUNCHER, SAGEMAKER_PROGRAM="inference2.py", healthy=False) as endpoint:
        assert endpoint.wait(60) == 1
        last = endpoint.error()
        assert last == "Error: SAGEMAKER_PROGRAM is 'inference2.py', expected one of those in code/: inferense.py."


def test_a_handler_whose_onnx_file_is_there_is_run(serve):
    with serve("deploy-mxnet-coach.py", ONNX_HANDLER, files={"model.onnx": b"no ONNX"}, healthy=False) as endpoint:
        assert endpoint.wait(60) == 1
        assert "The policy artifact is served" not in endpoint.log()
        assert "onnx" in endpoint.log().lower()


USES_SIMULATOR = (
    "import simulator_of_nobody\n\ndef output_fn(prediction, accept):\n    return simulator_of_nobody.WORD\n"
)
# No settings of this machine's pip; in the container, which may write nowhere else, as in Docker's default.
PIP = {"PIP_CONFIG_FILE": "/dev/null", "TMPDIR": "/dev/shm"}


def wheel() -> bytes:
    """Return a wheel of the simulator."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("simulator_of_nobody.py", "WORD = 'simulated'\n")
        info = "simulator_of_nobody-2.0.3.dist-info"
        archive.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: simulator-of-nobody\nVersion: 2.0.3\n")
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{info}/RECORD", "")
    return content.getvalue()


def test_requirements_are_installed(serve):
    files = {
        "code/requirements.txt": b"--no-index\n--find-links .\nsimulator-of-nobody==2.0.3\nnumpy\n",
        "code/simulator_of_nobody-2.0.3-py3-none-any.whl": wheel(),
    }
    with serve("inference.py", USES_SIMULATOR, files=files, **PIP) as endpoint:
        assert endpoint.invoke("[0.5,-0.5]").text == "simulated"
        log = endpoint.log()
        assert "Installing code/requirements.txt: --no-index, --find-links ., simulator-of-nobody==2.0.3" in log
        assert "simulator-of-nobody-2.0.3" in log.partition("code/requirements.txt is installed, after ")[2]


def test_a_requirement_that_cannot_be_installed_is_named(serve):
    files = {"code/requirements.txt": b"simulator-of-nobody==2.0.3\n"}
    index = {"PIP_INDEX_URL": "http://127.0.0.1:1/simple", "PIP_RETRIES": "1", **PIP}
    with serve("inference.py", USES_SIMULATOR, files=files, healthy=False, **index) as endpoint:
        assert endpoint.wait(60) == 1
        assert endpoint.error() == (
            "Error: code/requirements.txt cannot be installed: No matching distribution found for "
            "simulator-of-nobody==2.0.3, as the package index cannot be reached: install it in an image of your own "
            "(docs/serving.md)."
        )


def test_a_program_that_is_a_fifo_ends_the_container(serve):
    with serve(
        "another.py",
        "",
        make=lambda code: os.mkfifo(code / "inference.py"),
        SAGEMAKER_PROGRAM="inference.py",
        healthy=False,
    ) as endpoint:
        assert endpoint.wait(60) == 1
        last = endpoint.error()
        assert last == f"Error: {endpoint.folder}/code/inference.py is a FIFO, expected a file."


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
