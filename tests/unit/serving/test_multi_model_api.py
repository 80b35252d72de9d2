"""What /models answers, and what a worker does with an operation."""

import asyncio
import json
from pathlib import Path
from urllib.parse import unquote

import pytest
from sagemaker_rl.errors import PolicyError, RequestError
from sagemaker_rl.serving import metrics, multi_model_api
from sagemaker_rl.serving.control import LOAD, UNLOAD, ModelOperation, Outcome
from sagemaker_rl.serving.endpoint import Endpoint
from sagemaker_rl.serving.http_requests import Request
from sagemaker_rl.serving.settings import Settings
from sagemaker_rl.serving.shared_state import SharedState


class Model:
    executor = "none"

    def __init__(self, folder):
        self.folder = folder


class Connection:
    """Keeps the answer."""

    accepted_before_drain = False

    def __init__(self):
        self.answered = asyncio.Event()

    def respond(self, request, status, body, media_type, headers, close):
        self.answer = status, json.loads(body)
        self.answered.set()


class Tested:
    """An endpoint, the models it has, and the operations that it requested."""

    def __init__(self, base: Path, names):
        self.folder = base / "models"
        self.folder.mkdir(exist_ok=True)
        self.state = SharedState()
        self.models = {name: Model(self.folder / name) for name in names}
        self.operations = []
        self.outcome = Outcome(0, 200, "")
        settings = Settings.from_environment(
            {"SAGEMAKER_BASE_DIR": str(base), "SAGEMAKER_MULTI_MODEL": "true", "SAGEMAKER_MODEL_SERVER_WORKERS": "3"}
        )
        self.endpoint = Endpoint(settings, self.state, 0, None, self.models, self.request_operation)

    async def request_operation(self, *operation):
        self.operations.append(operation)
        return self.outcome

    async def ask(self, method, target, body=b""):
        request = Request(Connection())
        request.method, request.body = method, body
        request.path, _, request.query = target.partition("?")
        self.endpoint.handle(request)
        await request.connection.answered.wait()
        return request.connection.answer

    async def carry_out(self, *operation):
        outcome = await self.endpoint.multi_model.carry_out(ModelOperation(5, *operation))
        assert outcome.number == 5
        return outcome.status, outcome.detail


def run(tmp_path, test, names=()):
    async def main():
        await test(Tested(tmp_path, names))

    asyncio.run(main())


def test_models_are_listed_in_pages(tmp_path):
    async def test(tested):
        async def page(query):
            status, answer = await tested.ask("GET", f"/models{query}")
            assert status == 200
            return [model["modelName"] for model in answer["models"]], answer.get("nextPageToken")

        names = [f"m{number:03}" for number in range(multi_model_api.MODELS_PER_PAGE + 1)]
        assert await page("") == (names[:100], "100")
        assert await page("?next_page_token=100") == (names[100:], None)
        assert await page("?limit=101") == (names, None)
        assert await page("?limit=2&next_page_token=3") == (names[3:5], "5")
        assert await page("?limit=0") == (names[:1], "1")
        assert await page("?limit=1&limit=999999999") == (names, None)
        for wrong in ("-1", "x", "1.0", "1234567890", "%D9%A1"):
            status, answer = await tested.ask("GET", f"/models?limit={wrong}")
            assert (status, answer["detail"]) == (400, f"limit is '{unquote(wrong)}', expected a whole number.")

    run(tmp_path, test, [f"m{number:03}" for number in reversed(range(101))])


def test_a_model_is_described_by_its_decoded_name(tmp_path):
    async def test(tested):
        folder = str(tested.folder / "a b")
        assert await tested.ask("GET", "/models/a%20b") == (200, {"modelName": "a b", "modelUrl": folder})
        status, answer = await tested.ask("GET", "/models/" + "x" * 300)
        assert (status, answer["detail"]) == (404, f"Model '{'x' * 200}' is not loaded.")

    run(tmp_path, test, ["a b"])


def test_operations_are_requested_and_their_outcome_is_the_answer(tmp_path):
    async def test(tested):
        (tested.folder / "car").mkdir()
        body = json.dumps({"model_name": "a", "url": str(tested.folder / "car")}).encode()
        assert await tested.ask("POST", "/models", body) == (200, {"status": "Model 'a' is loaded."})
        assert await tested.ask("DELETE", "/models/a%20b") == (200, {"status": "Model 'a b' is unloaded."})
        assert tested.operations == [(LOAD, "a", str(tested.folder / "car")), (UNLOAD, "a b", "")]
        tested.outcome = Outcome(0, 409, "It is there.")
        status, answer = await tested.ask("POST", "/models", body)
        assert (status, answer) == (409, {"error": "conflict", "detail": "It is there."})
        tested.endpoint.start_draining()
        assert (await tested.ask("POST", "/models", body))[0] == 503
        assert len(tested.operations) == 3

    run(tmp_path, test)


@pytest.mark.parametrize(
    ("name", "is_allowed"),
    [("x", True), ("x" * 256, True), ("x" * 257, False), ("", False), ("a/b", False), ("a\n", False)],
)
def test_names_of_models(tmp_path, name, is_allowed):
    body = json.dumps({"model_name": name, "url": str(tmp_path)}).encode()
    if is_allowed:
        assert multi_model_api._read_model(body, tmp_path) == (name, str(tmp_path))
    else:
        with pytest.raises(RequestError, match="expected up to 256 characters without a slash"):
            multi_model_api._read_model(body, tmp_path)


@pytest.mark.parametrize(
    "url", ["{folder}/..", "/etc", "{folder}/nowhere", "{folder}/file", "{folder}/\0", "{folder}/out"]
)
def test_folders_of_models(tmp_path, url):
    folder = tmp_path / "models"
    folder.mkdir()
    (folder / "file").write_text("")
    (folder / "out").symlink_to("/etc")
    (tmp_path / "link").symlink_to(folder)
    body = json.dumps({"model_name": "x", "url": url.replace("{}", str(folder))}).encode()
    with pytest.raises(RequestError, match=f"expected a folder below {folder}"):
        multi_model_api._read_model(body, folder)
    body = json.dumps({"model_name": "x", "url": str(tmp_path / "link")}).encode()
    assert multi_model_api._read_model(body, tmp_path / "link") == ("x", str(folder))


@pytest.mark.parametrize("content", [[], {"model_name": "x"}, {"url": "/"}, {"model_name": 1, "url": "/"}, "x"])
def test_what_is_no_request_for_a_model(tmp_path, content):
    with pytest.raises(RequestError, match="The body is something else"):
        multi_model_api._read_model(json.dumps(content).encode(), tmp_path)


def test_loading_and_unloading(tmp_path, monkeypatch):
    asked = []

    def has_room(folder, times):
        asked.append((folder, times))
        return folder.name != "huge"

    def load(folder, settings):
        if folder.name == "bad":
            raise PolicyError("It is broken.")
        if folder.name == "large":
            raise MemoryError
        if folder.name == "own":
            raise KeyError("x")
        return Model(folder)

    monkeypatch.setattr(multi_model_api.memory, "has_room_for", has_room)
    monkeypatch.setattr(multi_model_api, "load_model", load)

    async def test(tested):
        assert await tested.carry_out(LOAD, "a", "/car") == (200, "")
        assert asked == [(Path("/car"), 12)]  # four times its files, in each of three workers
        assert tested.models["a"].folder == Path("/car")
        assert await tested.carry_out(LOAD, "a", "/other") == (200, "")
        assert tested.models["a"].folder == Path("/car")
        for folder, status, detail in (
            ("/huge", 507, "There is not enough memory for model 'b': unload another one first."),
            ("/large", 507, "There is not enough memory for model 'b': unload another one first."),
            ("/bad", 400, "Model 'b' cannot be loaded: It is broken."),
            ("/own", 500, "Model 'b' cannot be loaded: KeyError, see the log."),
        ):
            assert await tested.carry_out(LOAD, "b", folder) == (status, detail)
        assert await tested.carry_out(LOAD, "c", "/c") == (200, "")
        assert b"sagemaker_rl_models_loaded 2.0" in metrics.exposition([tested.state.counters_of(0)], (1,))
        assert await tested.carry_out(UNLOAD, "a", "") == (200, "")
        assert await tested.carry_out(UNLOAD, "a", "") == (200, "")
        assert set(tested.models) == {"c"}
        assert b"sagemaker_rl_models_loaded 1.0" in metrics.exposition([tested.state.counters_of(0)], (1,))

    run(tmp_path, test)
