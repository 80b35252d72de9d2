"""The routes of a multi-model endpoint, and the models of one worker by name.

https://docs.aws.amazon.com/sagemaker/latest/dg/mms-container-apis.html. A request to load or unload a model goes to the
supervisor, which has every worker carry it out: ``multi_model_operations``.
"""

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote

from sagemaker_rl.errors import InputError, RequestError
from sagemaker_rl.serving import memory, reading
from sagemaker_rl.serving.answers import DRAINING, Answers, format_traceback
from sagemaker_rl.serving.control import LOAD, UNLOAD, ModelOperation, Outcome
from sagemaker_rl.serving.http_requests import Request
from sagemaker_rl.serving.invocations import Invocations
from sagemaker_rl.serving.log import log
from sagemaker_rl.serving.metrics import Counters
from sagemaker_rl.serving.models import Model, load_model
from sagemaker_rl.serving.settings import Settings

MAX_MODEL_NAME = 256
MODELS_PER_PAGE = 100

RequestOperation = Callable[[str, str, str], Awaitable[Outcome]]
"""From LOAD or UNLOAD, a model's name and its folder to what came of it, once all workers are done."""


class MultiModelApi:
    """What ``/models`` answers.

    Args:
        settings: how to serve.
        answers: of this worker.
        counters: of this worker.
        invocations: asks the models.
        threads: in which models are loaded.
        models: that are loaded in this worker, by name.
        request_operation: has every worker load or unload a model.
    """

    def __init__(
        self,
        settings: Settings,
        answers: Answers,
        counters: Counters,
        invocations: Invocations,
        threads: ThreadPoolExecutor,
        models: dict[str, Model],
        request_operation: RequestOperation,
    ) -> None:
        self._settings = settings
        self._answers = answers
        self._counters = counters
        self._invocations = invocations
        self._threads = threads
        self._models = models
        self._request_operation = request_operation
        self.routes: dict[str, dict[str, Callable[[Request], None]]] = {
            "/models": {"GET": self._list_models, "POST": self._request_load},
            "/models/{model_name}": {"GET": self._describe_model, "DELETE": self._request_unload},
            "/models/{model_name}/invoke": {"POST": self._invoke},
        }

    # --- Routes ------------------------------------------------------------------------------------------------------
    def _list_models(self, request: Request) -> None:
        query = parse_qs(request.query)
        limit = _whole_number(query, "limit", MODELS_PER_PAGE)
        start = _whole_number(query, "next_page_token", 0)
        stop = start + max(limit, 1)
        names = sorted(self._models)
        page: dict[str, Any] = {"models": [self._description(name) for name in names[start:stop]]}
        if stop < len(names):
            page["nextPageToken"] = str(stop)
        self._answers.respond_json(request, page)

    def _request_load(self, request: Request) -> None:
        name, folder = _read_model(request.body, self._settings.model_dir)
        self._answers.answer_later(request, self._operate_and_answer(request, LOAD, name, folder))

    def _describe_model(self, request: Request) -> None:
        name = _model_name(request)
        self._loaded_model(name)
        self._answers.respond_json(request, self._description(name))

    def _request_unload(self, request: Request) -> None:
        self._answers.answer_later(request, self._operate_and_answer(request, UNLOAD, _model_name(request), ""))

    def _invoke(self, request: Request) -> None:
        self._invocations.invoke(self._loaded_model(_model_name(request)), request)

    def _loaded_model(self, name: str) -> Model:
        model = self._models.get(name)
        if model is None:
            raise RequestError(f"Model {name[:200]!r} is not loaded.", 404)
        return model

    def _description(self, name: str) -> dict[str, str]:
        return {"modelName": name, "modelUrl": str(self._models[name].folder)}

    async def _operate_and_answer(self, request: Request, command: str, name: str, folder: str) -> None:
        """Have every worker load or unload a model, and answer with the outcome."""
        if self._invocations.draining:
            raise RequestError(DRAINING, 503)
        outcome = await self._request_operation(command, name, folder)
        if outcome.status == 200:
            self._answers.respond_json(request, {"status": f"Model {name!r} is {command}ed."})
        else:
            self._answers.refuse(request, outcome.status, outcome.detail)

    # --- Operations --------------------------------------------------------------------------------------------------
    async def carry_out(self, operation: ModelOperation) -> Outcome:
        """Load or unload a model in this worker."""
        if operation.command == LOAD:
            status, detail = await self._load(operation.name, Path(operation.url))
        else:
            assert operation.command == UNLOAD, operation.command
            self._models.pop(operation.name, None)  # requests in hand are still answered
            status, detail = 200, ""
        self._counters.set_models(len(self._models))
        return Outcome(operation.number, status, detail[:1000])

    async def _load(self, name: str, folder: Path) -> tuple[int, str]:
        """Return 200, or another status and the reason."""
        if name in self._models:
            return 200, ""
        loop = asyncio.get_running_loop()
        model, status, detail = await loop.run_in_executor(self._threads, load, name, folder, self._settings)
        if model is not None:
            self._models[name] = model
        return status, detail


def load(name: str, folder: Path, settings: Settings) -> tuple[Model | None, int, str]:
    """Load a model; return it and 200, or None, another status of HTTP, and the reason."""
    no_memory = f"There is not enough memory for model {name!r}: unload another one first."
    if not memory.has_room_for(folder, memory.LOADED_SIZE_PER_FILE_SIZE * settings.workers):
        return None, 507, no_memory
    try:
        return load_model(folder, settings), 200, ""
    except InputError as error:
        return None, 400, f"Model {name!r} cannot be loaded: {error}"
    except MemoryError:
        return None, 507, no_memory
    except Exception as error:  # of a user's own functions
        log("error", f"Model {name!r} cannot be loaded.", traceback=format_traceback(error))
        return None, 500, f"Model {name!r} cannot be loaded: {type(error).__name__}, see the log."


def _model_name(request: Request) -> str:
    """Return the name in ``/models/NAME`` or ``/models/NAME/invoke``."""
    return unquote(request.path.split("/")[2])


def _whole_number(query: dict[str, list[str]], field: str, default: int) -> int:
    """Return a field of the query.

    Raises:
        RequestError: It is not a whole number.
    """
    value = query.get(field, [str(default)])[-1]
    if not (value.isascii() and value.isdecimal()) or len(value) > 9:
        raise RequestError(f"{field} is {value[:50]!r}, expected a whole number.")
    return int(value)


def _read_model(body: bytes, models_dir: Path) -> tuple[str, str]:
    """Return name and folder from the body of a request to load a model.

    Raises:
        RequestError: The body is something else, or the folder is not one below ``models_dir``.
    """
    content = reading.parse_json(body)
    if not isinstance(content, dict) or not all(isinstance(content.get(key), str) for key in ("model_name", "url")):
        raise RequestError('The body is something else, expected {"model_name": "...", "url": "/a/folder"}.')
    name, url = content["model_name"], content["url"]
    if not 0 < len(name) <= MAX_MODEL_NAME or "/" in name or not name.isprintable():
        raise RequestError(f"model_name is {name[:200]!r}, expected up to {MAX_MODEL_NAME} characters without a slash.")
    try:
        folder = Path(url).resolve()
        is_folder = folder.is_dir()
    except (OSError, ValueError):  # ValueError: a zero byte
        is_folder = False
    if not is_folder or not folder.is_relative_to(models_dir.resolve()):
        raise RequestError(f"url is {url[:200]!r}, expected a folder below {models_dir}.")
    return name, str(folder)
