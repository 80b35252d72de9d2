"""What an endpoint answers, request by request: the routes, and the way of an observation to its answer.

https://docs.aws.amazon.com/sagemaker/latest/dg/your-algorithms-inference-code.html
"""

import asyncio
import os
import time
import traceback
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, Union
from urllib.parse import parse_qs, unquote

import numpy as np
import orjson

from sagemaker_rl.errors import InputError, RequestError
from sagemaker_rl.serving import codecs, memory, metrics
from sagemaker_rl.serving.http1 import Date, Request
from sagemaker_rl.serving.log import AccessLog, log
from sagemaker_rl.serving.operations import LOAD, UNLOAD
from sagemaker_rl.serving.servable import ROWS_AT_A_TIME, Servable, Wanted, brings_code, negotiate
from sagemaker_rl.serving.settings import Settings
from sagemaker_rl.serving.shared import Board

INLINE_BYTES = 8 * 1024
"""A body up to this size is read on the event loop; a larger one in a thread, so that nobody waits for it."""
MAX_BUFFERED_BYTES = 128 * 1024 * 1024
"""Of bodies in a worker's hands."""
MAX_REQUEST_ID = 128
MAX_MODEL_NAME = 256
MODELS_PER_PAGE = 100
ATTRIBUTES = b"x-amzn-sagemaker-custom-attributes"
RETRY_AFTER = b"retry-after: 1\r\n"
OPENAPI = Path(__file__).with_name("openapi.json")
PAGE = Path(__file__).with_name("page.html")

_ERRORS = {
    400: "bad request",
    404: "not found",
    405: "method not allowed",
    406: "not acceptable",
    408: "request timeout",
    409: "conflict",
    413: "content too large",
    414: "uri too long",
    415: "unsupported media type",
    431: "request header fields too large",
    500: "internal error",
    503: "service unavailable",
    507: "insufficient storage",
}
Result = TypeVar("Result")
if TYPE_CHECKING:
    from sagemaker_rl.serving.user_code import UserModel

Model = Union[Servable, "UserModel"]
Ask = Callable[[str, str, str], Awaitable[tuple[int, str]]]
Waiting = tuple[Request, Wanted, codecs.Batch]


def load_model(folder: Path, settings: Settings) -> Model:
    """Load a model: by the user's own functions, if it brings some.

    Raises:
        PolicyError: It cannot be loaded. Functions of the user's own raise what they like.
    """
    if brings_code(folder, settings.program):
        from sagemaker_rl.serving.user_code import UserModel  # the toolkit, and SciPy behind it, take their time

        return UserModel(folder)
    return Servable.load(folder, settings.compile)


class Endpoint:
    """The application behind a worker's connections.

    Args:
        settings: how to serve.
        board: shared by all workers.
        worker: this one's number.
        model: what ``/invocations`` asks; None in multi-model mode.
        models: what ``/models/NAME/invoke`` asks, by name.
        ask: has every worker load or unload a model.
    """

    def __init__(
        self,
        settings: Settings,
        board: Board,
        worker: int,
        model: Model | None,
        models: dict[str, Model],
        ask: Ask,
    ) -> None:
        self.settings = settings
        self.max_body_bytes = settings.max_body_bytes
        self.draining = False
        self.models = models
        self.counters = metrics.Counters(board.counters_of(worker))
        self.date = Date()
        self.access_log = AccessLog(settings.access_log_lines, worker)
        self.buffered_bytes = 0
        self.in_hand: set[Request] = set()
        self._board = board
        self._worker = worker
        self._model = model
        self._ask = ask
        self._batches: dict[int, list[Waiting]] = {}
        self._loop = asyncio.get_running_loop()
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="model")
        self._tasks: set[asyncio.Task[None]] = set()
        self._id_prefix = os.urandom(6).hex()
        self._id_number = 0

    # --- Routes ------------------------------------------------------------------------------------------------------
    def handle(self, request: Request) -> None:
        """Answer a request, now or later."""
        self.in_hand.add(request)
        try:
            path = request.path
            if path == "/invocations" and self._model is not None:
                if self._may(request, "POST"):
                    self._invoke(request, self._model)
            elif path == "/ping":
                if self._may(request, "GET", "HEAD"):
                    self._ping(request)
            elif path == "/metrics":
                if self._may(request, "GET", "HEAD"):
                    self._metrics(request)
            elif path == "/openapi.json":
                if self._may(request, "GET", "HEAD"):
                    self._respond(request, 200, OPENAPI.read_bytes(), codecs.JSON)
            elif path == "/" and self.settings.page:
                if self._may(request, "GET", "HEAD"):
                    self._respond(request, 200, PAGE.read_bytes(), "text/html; charset=utf-8")
            elif self.settings.multi_model and (path == "/models" or path.startswith("/models/")):
                self._route_models(request, path.split("/")[2:])
            else:
                served = "/ping, /models" if self.settings.multi_model else "/ping, /invocations"
                self.refuse(request, 404, f"{path[:200]} is not served, expected {served}, /metrics or /openapi.json.")
        except RequestError as error:
            self.refuse(request, error.status, str(error))
        except Exception as error:
            self._apologize(request, error)

    def _may(self, request: Request, *methods: str) -> bool:
        if request.method in methods:
            return True
        allow = f"allow: {', '.join(methods)}\r\n".encode("ascii")
        detail = f"{request.method} {request.path} is not served, expected {' or '.join(methods)}."
        self.refuse(request, 405, detail, allow)
        return False

    def _ping(self, request: Request) -> None:
        if self.draining:
            self.refuse(request, 503, "The server is about to end.", close=True)
        elif self._board.serving[0]:
            self._respond(request, 200, b"")
        else:
            self.refuse(request, 503, "Not every worker has loaded its model yet.")

    def _metrics(self, request: Request) -> None:
        self.counters.in_hand(len(self.in_hand))
        workers = range(self.settings.workers)
        values = [self._board.counters_of(worker) for worker in workers]
        ready = sum(self._board.ready[worker] for worker in workers)
        self._respond(request, 200, metrics.exposition(values, ready), metrics.CONTENT_TYPE)

    # --- Models ------------------------------------------------------------------------------------------------------
    def _route_models(self, request: Request, parts: list[str]) -> None:
        """Answer the container API of multi-model endpoints.

        https://docs.aws.amazon.com/sagemaker/latest/dg/mms-container-apis.html
        """
        if not parts:
            if self._may(request, "GET", "POST"):
                if request.method == "GET":
                    self._list_models(request)
                else:
                    name, url = _read_model(request.body, self.settings.model_dir)
                    self._start(self._have_done(request, LOAD, name, url), request)
            return
        name = unquote(parts[0])
        if len(parts) == 2 and parts[1] == "invoke":
            if self._may(request, "POST"):
                model = self.models.get(name)
                if model is None:
                    raise RequestError(f"Model {name[:200]!r} is not loaded.", 404)
                self._invoke(request, model)
        elif len(parts) == 1:
            if self._may(request, "GET", "DELETE"):
                if request.method == "DELETE":
                    self._start(self._have_done(request, UNLOAD, name), request)
                elif name not in self.models:
                    raise RequestError(f"Model {name[:200]!r} is not loaded.", 404)
                else:
                    self._respond(request, 200, orjson.dumps(self._describe(name)), codecs.JSON)
        else:
            raise RequestError(
                f"{request.path[:200]} is not served, expected /models/NAME or /models/NAME/invoke.", 404
            )

    def _describe(self, name: str) -> dict[str, str]:
        return {"modelName": name, "modelUrl": str(self.models[name].folder)}

    def _list_models(self, request: Request) -> None:
        query = parse_qs(request.query)
        limit = query.get("limit", [str(MODELS_PER_PAGE)])[-1]
        token = query.get("next_page_token", ["0"])[-1]
        for field, value in (("limit", limit), ("next_page_token", token)):
            if not value.isdecimal() or len(value) > 9:
                raise RequestError(f"{field} is {value[:50]!r}, expected a whole number.")
        names = sorted(self.models)
        start, end = int(token), int(token) + max(int(limit), 1)
        page: dict[str, Any] = {"models": [self._describe(name) for name in names[start:end]]}
        if end < len(names):
            page["nextPageToken"] = str(end)
        self._respond(request, 200, orjson.dumps(page), codecs.JSON)

    async def _have_done(self, request: Request, kind: str, name: str, url: str = "") -> None:
        if self.draining:
            raise RequestError("The server is about to end.", 503)
        status, detail = await self._ask(kind, name, url)
        if status == 200:
            self._respond(request, 200, orjson.dumps({"status": f"Model {name!r} is {kind}ed."}), codecs.JSON)
        else:
            self.refuse(request, status, detail)

    async def load(self, name: str, folder: Path) -> tuple[int, str]:
        """Load a model into this worker; return a status and, if it is not 200, the reason."""
        if name in self.models:
            return 200, ""
        if not memory.has_room_for(folder, memory.TIMES_ITS_FILES * self.settings.workers):
            return 507, f"There is not enough memory for model {name!r}: unload another one first."
        try:
            self.models[name] = await self._in_thread(load_model, folder, self.settings)
        except InputError as error:
            return 400, f"Model {name!r} cannot be loaded: {error}"
        except MemoryError:
            return 507, f"There is not enough memory for model {name!r}: unload another one first."
        except Exception as error:  # of a user's own functions
            log("error", f"Model {name!r} cannot be loaded.", traceback=_traceback(error))
            return 500, f"Model {name!r} cannot be loaded: {type(error).__name__}, see the log."
        self.counters.models(len(self.models))
        return 200, ""

    def unload(self, name: str) -> tuple[int, str]:
        """Forget a model; requests in hand are still answered."""
        self.models.pop(name, None)
        self.counters.models(len(self.models))
        return 200, ""

    # --- Invocations -------------------------------------------------------------------------------------------------
    def _invoke(self, request: Request, model: Model) -> None:
        if self.draining and not request.connection.grace:
            self.refuse(request, 503, "The server is about to end.", close=True)
            return
        if len(self.in_hand) > self.settings.max_queue:
            self.refuse(request, 503, f"{self.settings.max_queue} requests are waiting already.")
            return
        headers = request.headers
        if headers.get(b"content-encoding", b"identity") != b"identity":
            raise RequestError(f"Content-Encoding is {request.header(b'content-encoding')!r}, expected none.", 415)
        if not isinstance(model, Servable):
            self._start(self._invoke_user_model(request, model), request)
            return
        wanted = negotiate(
            headers.get(b"content-type", b""),
            headers.get(b"accept", b""),
            headers.get(ATTRIBUTES, b""),
            self.settings.default_accept,
            self.settings.output,
        )
        if len(request.body) > INLINE_BYTES:
            self._start(self._invoke_with_much(request, model, wanted), request)
            return
        batch = codecs.decode(request.body, wanted.content_type, model.shape)
        waiting = self._batches.get(id(model))
        if waiting is None:
            # Those that arrive before the loop comes to it share the forward pass; a single one does not wait.
            self._batches[id(model)] = waiting = []
            self._loop.call_soon(self._flush, model)
        waiting.append((request, wanted, batch))

    def _flush(self, model: Servable) -> None:
        """Answer all that waits for a model, by one forward pass."""
        waiting = self._batches[id(model)]
        if model.quick and sum(len(batch.observations) for _, _, batch in waiting) <= ROWS_AT_A_TIME:
            del self._batches[id(model)]
            try:
                heads = model.heads(_stack(waiting))
            except Exception as error:
                self._apologize_all(waiting, error)
            else:
                self._answer_all(model, waiting, heads)
        else:
            self._start(self._flush_in_thread(model))

    async def _flush_in_thread(self, model: Servable) -> None:
        """Do it in the thread; what arrives meanwhile makes the next batch."""
        while waiting := self._batches[id(model)]:
            self._batches[id(model)] = []
            try:
                heads = await self._in_thread(model.heads, _stack(waiting))
            except Exception as error:
                self._apologize_all(waiting, error)
            else:
                self._answer_all(model, waiting, heads)
        del self._batches[id(model)]

    def _answer_all(self, model: Servable, waiting: Sequence[Waiting], heads: Sequence[np.ndarray]) -> None:
        self.counters.batch(len(heads[0]))
        start = 0
        for request, wanted, batch in waiting:
            end = start + len(batch.observations)
            try:
                body = model.encode([head[start:end] for head in heads], wanted, batch.instances)
                self._respond(request, 200, body, wanted.accept)
            except RequestError as error:
                self.refuse(request, error.status, str(error))
            except Exception as error:
                self._apologize(request, error)
            start = end

    def _apologize_all(self, waiting: Sequence[Waiting], error: Exception) -> None:
        for request, _, _ in waiting:
            self._apologize(request, error)

    async def _invoke_with_much(self, request: Request, model: Servable, wanted: Wanted) -> None:
        """Answer a large body in the thread, in pieces between which small requests are served."""
        batch = await self._in_thread(codecs.decode, request.body, wanted.content_type, model.shape)
        rows = batch.observations
        parts = [
            await self._in_thread(model.heads, rows[start : start + ROWS_AT_A_TIME])
            for start in range(0, len(rows), ROWS_AT_A_TIME)
        ]
        self.counters.batch(len(rows))
        heads = [np.concatenate(part) for part in zip(*parts, strict=True)]
        body = await self._in_thread(model.encode, heads, wanted, batch.instances)
        self._respond(request, 200, body, wanted.accept)

    async def _invoke_user_model(self, request: Request, model: "UserModel") -> None:
        answer = await self._in_thread(model.transform, request.body, request.headers)
        if answer.status == 200:
            self._respond(request, 200, answer.body, answer.content_type)
        elif 400 <= answer.status < 500:
            self.refuse(request, answer.status, answer.detail)
        else:
            raise RuntimeError(answer.detail)

    def _start(self, work: Coroutine[Any, Any, None], request: Request | None = None) -> None:
        task = self._loop.create_task(self._guard(work, request) if request else work)
        self._tasks.add(task)  # the loop itself holds tasks weakly
        task.add_done_callback(self._tasks.discard)

    async def _guard(self, work: Coroutine[Any, Any, None], request: Request) -> None:
        try:
            await work
        except RequestError as error:
            self.refuse(request, error.status, str(error))
        except Exception as error:
            self._apologize(request, error)

    def _in_thread(self, function: Callable[..., Result], *arguments: Any) -> Awaitable[Result]:
        return self._loop.run_in_executor(self._thread, function, *arguments)

    def tick(self) -> None:
        """Do what is done several times a second."""
        self.date.renew()
        self.access_log.flush()
        self.counters.in_hand(len(self.in_hand))

    def longest_wait(self) -> float:
        """Return for how many seconds the oldest request in hand has waited."""
        now = time.monotonic()
        return now - min((request.received for request in self.in_hand), default=now)

    def give_up(self, seconds: float) -> None:
        """Say why this worker is about to end."""
        log("error", f"No answer after {seconds:.0f} seconds: this worker is replaced.", worker=self._worker)
        self.access_log.flush()

    # --- Answers -----------------------------------------------------------------------------------------------------
    def may_buffer(self, size: int) -> bool:
        """Tell whether there is room for another body of this size."""
        return self.buffered_bytes + size <= MAX_BUFFERED_BYTES

    def refuse(self, request: Request, status: int, detail: str, headers: bytes = b"", close: bool = False) -> None:
        """Answer with an error: a JSON object of ``error`` and ``detail``."""
        if status == 503:
            headers += RETRY_AFTER
        body = orjson.dumps({"error": _ERRORS.get(status, "error"), "detail": detail})
        self._respond(request, status, body, codecs.JSON, headers, close)

    def _apologize(self, request: Request, error: Exception) -> None:
        """Answer a fault that is not the client's; its traceback is in the log, under the request's id."""
        request_id = self._id(request)
        log("error", "A request failed.", request_id=request_id, traceback=_traceback(error))
        self.refuse(request, 500, f"The log has the reason under the request id {request_id}.")

    def _respond(
        self,
        request: Request,
        status: int,
        body: bytes,
        media_type: str = "",
        headers: bytes = b"",
        close: bool = False,
    ) -> None:
        self.in_hand.discard(request)
        attributes = request.headers.get(ATTRIBUTES)
        if attributes is not None:
            headers += b"%b: %b\r\n" % (ATTRIBUTES, attributes)
        request_id = self._id(request)
        request.respond(
            status,
            body,
            media_type,
            b"x-request-id: %b\r\n%b%b" % (request_id.encode("ascii"), self.date.line, headers),
            close,
        )
        seconds = time.monotonic() - request.received if request.received else 0.0
        self.counters.answered(request.path, status, seconds)
        self.access_log.add(request, status, len(body), seconds, request_id)

    def _id(self, request: Request) -> str:
        """Return the request's id: the client's, if that is one, or else a new one."""
        if not request.id:
            theirs = request.headers.get(b"x-request-id") or request.headers.get(b"x-amzn-requestid") or b""
            if 0 < len(theirs) <= MAX_REQUEST_ID and theirs.isascii() and theirs.decode("ascii").isprintable():
                request.id = theirs.decode("ascii")
            else:
                self._id_number += 1
                request.id = f"{self._id_prefix}-{self._id_number:x}"
        return request.id


def _read_model(body: bytes, below: Path) -> tuple[str, str]:
    """Return name and folder from the body of a request to load a model.

    Raises:
        RequestError: It is not one, or the folder is not one below ``below``.
    """
    asked = codecs.read_json(body)
    if not isinstance(asked, dict) or not all(isinstance(asked.get(key), str) for key in ("model_name", "url")):
        raise RequestError('The body is something else, expected {"model_name": "...", "url": "/a/folder"}.')
    name, url = asked["model_name"], asked["url"]
    if not 0 < len(name) <= MAX_MODEL_NAME or "/" in name or not name.isprintable():
        raise RequestError(f"model_name is {name[:200]!r}, expected up to {MAX_MODEL_NAME} characters without a slash.")
    try:
        folder = Path(url).resolve()
        is_folder = folder.is_dir()
    except (OSError, ValueError):  # ValueError: a zero byte
        is_folder = False
    if not is_folder or not folder.is_relative_to(below.resolve()):
        raise RequestError(f"url is {url[:200]!r}, expected a folder below {below}.")
    return name, str(folder)


def _stack(waiting: Sequence[Waiting]) -> np.ndarray:
    if len(waiting) == 1:
        return waiting[0][2].observations
    return np.concatenate([batch.observations for _, _, batch in waiting])


def _traceback(error: Exception) -> str:
    return "".join(traceback.format_exception(error))
