"""Multi-model endpoints: https://docs.aws.amazon.com/sagemaker/latest/dg/mms-container-apis.html."""

import json
import os
import shutil
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
from broken_models import crash
from load import under_load

SAMPLE = "[0.5,-0.5]"
OWN_CODE = """
from answer import ANSWER

def predict_fn(data, model):
    return ANSWER

def output_fn(prediction, accept):
    return prediction
"""


@pytest.fixture(scope="module")
def folder(ppo_model, dqn_model, tmp_path_factory):
    """The models as SageMaker lays them out, and some that are none."""
    folder = tmp_path_factory.mktemp("models")
    folder.chmod(0o755)  # the container's user is not this one
    for name, model in {"car": ppo_model, "discrete": dqn_model}.items():
        shutil.copytree(model, folder / name / "model")
    for name, answer in (("own-1", "one"), ("own-2", "two")):
        code = shutil.copytree(ppo_model, folder / name / "model") / "code"
        code.mkdir()
        (code / "inference.py").write_text(OWN_CODE)
        (code / "answer.py").write_text(f"ANSWER = {answer!r}\n")
    for name, source in {
        "exits": "import sys\nsys.exit(3)\n" + OWN_CODE,
        "dies": "import os\ndef model_fn(model_dir):\n    os._exit(3)\n",
        "lacks": "import simulator_of_nobody\ndef output_fn(prediction, accept):\n    return ''\n",
    }.items():
        code = shutil.copytree(ppo_model, folder / name / "model") / "code"
        code.mkdir()
        (code / "inference.py").write_text(source)
    (folder / "lacks/model/code/requirements.txt").write_text("simulator-of-nobody\n")
    crash(shutil.copytree(ppo_model, folder / "crashes/model"))
    (folder / "fifo/model").mkdir(parents=True)
    os.mkfifo(folder / "fifo/model/policy.json")
    shutil.copytree(ppo_model, folder / "broken/model")
    (folder / "broken/model/policy-0000.params").write_bytes(b"x" * 100)
    (folder / "empty/model").mkdir(parents=True)
    (folder / "outside").symlink_to("/etc")
    shutil.copytree(ppo_model, folder / "huge/model")
    with (folder / "huge/model/more").open("wb") as file:
        file.truncate(10**12)  # takes no space
    return folder


@pytest.fixture
def endpoint(start, folder, request):
    options = getattr(request, "param", {})
    with start(folder, SAGEMAKER_MULTI_MODEL="true", SAGEMAKER_MODEL_SERVER_WORKERS="2", **options) as server:
        yield server


@pytest.fixture(scope="module")
def empty_endpoint(start, folder):
    """One without models, which each test leaves so."""
    with start(folder, SAGEMAKER_MULTI_MODEL="true", SAGEMAKER_MODEL_SERVER_WORKERS="2") as server:
        yield server


def load(server, name: str, folder: str = "") -> httpx.Response:
    url = f"{server.folder}/{folder or name}/model"
    return server.client().post("/models", json={"model_name": name, "url": url})


def test_the_life_of_a_model(endpoint):
    client = endpoint.client()
    assert client.get("/ping").status_code == 200
    assert client.get("/models").json() == {"models": []}
    assert client.post("/models/car/invoke", content=SAMPLE).status_code == 404
    assert load(endpoint, "car").status_code == 200
    assert load(endpoint, "car").status_code == 409
    assert load(endpoint, "discrete").status_code == 200
    described = client.get("/models/car").json()
    assert described["modelName"] == "car"
    assert described["modelUrl"].endswith("/car/model")
    assert [model["modelName"] for model in client.get("/models").json()["models"]] == ["car", "discrete"]
    page = client.get("/models", params={"limit": 1}).json()
    assert [model["modelName"] for model in page["models"]] == ["car"]
    rest = client.get("/models", params={"limit": 1, "next_page_token": page["nextPageToken"]}).json()
    assert [model["modelName"] for model in rest["models"]] == ["discrete"]
    assert "nextPageToken" not in rest
    for _ in range(20):  # whichever worker it is
        with httpx.Client(base_url=endpoint.url, trust_env=False) as other:
            assert len(other.post("/models/car/invoke", content=SAMPLE).json()) == 3
            assert len(other.post("/models/discrete/invoke", content=SAMPLE).json()) == 1
    assert client.delete("/models/car").status_code == 200
    assert client.delete("/models/car").status_code == 404
    assert client.get("/models/car").status_code == 404
    for _ in range(20):
        with httpx.Client(base_url=endpoint.url, trust_env=False) as other:
            assert other.post("/models/car/invoke", content=SAMPLE).status_code == 404
    assert load(endpoint, "car").status_code == 200
    assert client.post("/invocations", content=SAMPLE).status_code == 404
    assert client.get("/execution-parameters").status_code == 404


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        ({"model_name": "x"}, "expected {"),
        ({"model_name": "a/b", "url": "{folder}/car/model"}, "without a slash"),
        ({"model_name": "", "url": "{folder}/car/model"}, "up to 256 characters"),
        ({"model_name": "x", "url": "/etc"}, "expected a folder below"),
        ({"model_name": "x", "url": "{folder}/outside"}, "expected a folder below"),
        ({"model_name": "x", "url": "{folder}/car/../../.."}, "expected a folder below"),
        ({"model_name": "x", "url": "{folder}/nowhere"}, "expected a folder below"),
        ({"model_name": "x", "url": "{folder}/\0"}, "expected a folder below"),
        ({"model_name": "x", "url": "{folder}/empty/model"}, "There is no policy.json"),
        ({"model_name": "x", "url": "{folder}/broken/model"}, "policy-0000.params is not the file"),
        ([], "expected {"),
    ],
)
def test_what_cannot_be_loaded(empty_endpoint, body, detail):
    if isinstance(body, dict) and "url" in body:
        body = {**body, "url": body["url"].replace("{folder}", empty_endpoint.folder)}
    response = empty_endpoint.client().post("/models", json=body)
    assert response.status_code == 400, response.text
    assert detail in response.json()["detail"]
    assert empty_endpoint.client().get("/models").json() == {"models": []}


def test_a_model_that_ends_its_process_ends_no_worker(endpoint):
    before = endpoint.workers()
    assert load(endpoint, "car").status_code == 200
    for name, detail in {
        "exits": "The model's code raised SystemExit: 3.",
        "dies": "it ended its process with status 3.",
        "crashes": "",  # what MXNet finds in memory decides
        "fifo": "policy.json is a FIFO, expected a file.",
        "lacks": "code/requirements.txt is not installed on a multi-model endpoint; install it in an image of your own",
    }.items():
        response = load(endpoint, name)
        assert response.status_code == 400, response.text
        assert response.json()["detail"].startswith(f"Model '{name}' cannot be loaded: ")
        assert detail in response.json()["detail"]
    assert endpoint.workers() == before
    assert endpoint.client().post("/models/car/invoke", content=SAMPLE).status_code == 200


def test_each_model_may_bring_code_of_its_own(endpoint):
    for name in ("own-1", "own-2", "car"):
        assert load(endpoint, name).status_code == 200
    client = endpoint.client()
    assert client.post("/models/own-1/invoke", content=SAMPLE).text == "one"
    assert client.post("/models/own-2/invoke", content=SAMPLE).text == "two"
    assert len(client.post("/models/car/invoke", content=SAMPLE).json()) == 3


@pytest.mark.parametrize("endpoint", [{"SAGEMAKER_RL_MAX_MODELS": "2"}], indirect=True)
def test_a_full_endpoint_says_507(endpoint):
    assert [load(endpoint, name).status_code for name in ("car", "discrete")] == [200, 200]
    response = load(endpoint, "third", "car")
    assert response.status_code == 507
    assert "unload one first" in response.json()["detail"]
    assert endpoint.client().delete("/models/car").status_code == 200
    assert load(endpoint, "third", "car").status_code == 200


def test_a_model_that_does_not_fit_into_memory_is_507(endpoint):
    assert load(endpoint, "car").status_code == 200
    response = load(endpoint, "huge")
    assert response.status_code == 507
    assert response.json()["detail"] == "There is not enough memory for model 'huge': unload another one first."
    assert endpoint.client().get("/models/huge").status_code == 404
    assert endpoint.client().post("/models/car/invoke", content=SAMPLE).status_code == 200


def test_a_replaced_worker_knows_the_models(endpoint):
    assert load(endpoint, "car").status_code == 200
    for pid in endpoint.workers():
        os.kill(pid, signal.SIGKILL)
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline and len(endpoint.workers()) < 2:
        time.sleep(0.02)
    for _ in range(10):
        with httpx.Client(base_url=endpoint.url, trust_env=False, timeout=10) as client:
            assert client.post("/models/car/invoke", content=SAMPLE).status_code == 200


def test_the_same_model_asked_for_at_once_is_loaded_once(endpoint):
    with ThreadPoolExecutor(6) as threads:
        statuses = sorted(
            threads.map(
                lambda _: (
                    httpx.post(
                        f"{endpoint.url}/models",
                        json={"model_name": "car", "url": f"{endpoint.folder}/car/model"},
                        trust_env=False,
                    ).status_code
                ),
                range(6),
            )
        )
    assert statuses == [200] + [409] * 5


def resident(server) -> int:
    """Return the resident memory of the workers in bytes."""
    pages = [int(Path(f"/proc/{pid}/statm").read_text().split()[1]) for pid in server.workers()]
    return sum(pages) * os.sysconf("SC_PAGE_SIZE")


def test_loading_and_unloading_under_load(endpoint):
    """The others never fail, and memory comes back."""
    assert load(endpoint, "car").status_code == 200
    sizes = []
    with under_load(endpoint.url, clients=4, path="/models/car/invoke") as others:
        for _ in range(4):
            for number in range(10):
                assert load(endpoint, f"copy-{number}", "discrete").status_code == 200
            for number in range(10):
                assert endpoint.client().delete(f"/models/copy-{number}").status_code == 200
            sizes.append(resident(endpoint))
    assert others.statuses[200] > 200
    assert not others.failed
    assert not others.wrong
    assert sizes[-1] < sizes[1] * 1.1, sizes


def test_the_image_says_that_it_can(built, engine):
    labels = engine.images.get(built["serving"].name).labels
    assert labels["com.amazonaws.sagemaker.capabilities.multi-models"] == "true"
    assert labels["com.amazonaws.sagemaker.capabilities.accept-bind-to-port"] == "true"
