"""The routes of an endpoint: which function answers which path and method, beginning at ``Endpoint.handle``.

https://docs.aws.amazon.com/sagemaker/latest/dg/your-algorithms-inference-code.html. ``openapi.json`` describes the
same routes.
"""

import functools
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from sagemaker_rl.errors import RequestError
from sagemaker_rl.serving import codecs, metrics
from sagemaker_rl.serving.answers import DRAINING, Answers
from sagemaker_rl.serving.body_room import BodyRoom
from sagemaker_rl.serving.http_requests import Request
from sagemaker_rl.serving.invocations import Invocations
from sagemaker_rl.serving.log import AccessLog, log
from sagemaker_rl.serving.models import Model
from sagemaker_rl.serving.multi_model_api import MultiModelApi, RequestOperation
from sagemaker_rl.serving.settings import Settings
from sagemaker_rl.serving.shared_state import SharedState

MAX_MB_OF_TRANSFORMS = 100
"""Of all requests that batch transform sends at once, and so of one: MaxPayloadInMB of
https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_CreateTransformJob.html."""
OPENAPI = Path(__file__).with_name("openapi.json")
PAGE = Path(__file__).with_name("page.html")

Route = dict[str, Callable[[Request], None]]
"""The function that answers, by HTTP method."""


class Endpoint:
    """The application behind a worker's connections: ``http_requests.Application``.

    Args:
        settings: how to serve.
        state: shared by all workers.
        worker: the number of this one.
        model: what ``/invocations`` asks; None in multi-model mode.
        models: what ``/models/NAME/invoke`` asks, by name.
        request_operation: has every worker load or unload a model.

    Attributes:
        routes: by path, as in ``openapi.json``.
    """

    def __init__(
        self,
        settings: Settings,
        state: SharedState,
        worker: int,
        model: Model | None,
        models: dict[str, Model],
        request_operation: RequestOperation,
    ) -> None:
        self.max_body_bytes = settings.max_body_bytes
        self.room = BodyRoom(
            state.reserved_bytes[: settings.workers], state.body_beside, worker, state.bytes_for_bodies
        )
        self._settings = settings
        self._state = state
        self._worker = worker
        self._counters = metrics.Counters(state.counters_of(worker))
        self._access_log = AccessLog(settings.access_log_lines, worker)
        self._answers = Answers(self._counters, self._access_log)
        self._in_hand = self._answers.in_hand
        threads = ThreadPoolExecutor(settings.model_threads, thread_name_prefix="model")
        self._invocations = Invocations(settings, self._answers, self._counters, threads)
        self.multi_model = MultiModelApi(
            settings, self._answers, self._counters, self._invocations, threads, models, request_operation
        )
        # metrics.ROUTES lists the paths that are counted each; requests for any other path count as "other"
        self.routes: dict[str, Route] = {
            "/ping": _for_get(self._ping),
            "/metrics": _for_get(self._metrics),
            "/openapi.json": _for_get(self._openapi),
        }
        if settings.page:
            self.routes["/"] = _for_get(self._page)
        if model is None:
            self.routes.update(self.multi_model.routes)
        else:
            self.routes["/invocations"] = {"POST": functools.partial(self._invocations.invoke, model)}
            self.routes["/execution-parameters"] = _for_get(self._execution_parameters)

    def handle(self, request: Request) -> None:
        """Answer a request, now or later."""
        self._in_hand.add(request)
        try:
            route = self.routes.get(request.path) or self._find_route(request.path)
            answer = route.get(request.method)
            if answer is None:
                self._refuse_method(request, route)
            else:
                answer(request)
        except Exception as error:
            self._answers.answer_error(request, error)

    def _find_route(self, path: str) -> Route:
        """Return the route of a path that holds a model's name.

        Raises:
            RequestError: 404, the path is another one.
        """
        if self._settings.multi_model and path.startswith("/models/"):
            _, *rest = path.removeprefix("/models/").split("/")
            route = self.routes.get("/".join(["/models/{model_name}", *rest]))
            expected = "/models/NAME or /models/NAME/invoke"
        else:
            route = None
            served = "/ping, /models" if self._settings.multi_model else "/ping, /invocations, /execution-parameters"
            expected = f"{served}, /metrics or /openapi.json"
        if route is None:
            raise RequestError(f"{path[:200]} is not served, expected {expected}.", 404)
        return route

    def _refuse_method(self, request: Request, route: Route) -> None:
        allow = f"allow: {', '.join(route)}\r\n".encode("ascii")
        detail = f"{request.method} {request.path} is not served, expected {' or '.join(route)}."
        self._answers.refuse(request, 405, detail, allow)

    # --- What the routes answer --------------------------------------------------------------------------------------
    def _ping(self, request: Request) -> None:
        if self._invocations.draining:
            self._answers.refuse(request, 503, DRAINING, close=True)
        elif self._state.serving[0]:
            self._answers.respond(request, 200, b"")
        else:
            self._answers.refuse(request, 503, "Not every worker has loaded its model yet.")

    def _execution_parameters(self, request: Request) -> None:
        """Tell batch transform how to send its records; what its user has said has come as our settings.

        https://docs.aws.amazon.com/sagemaker/latest/dg/your-algorithms-batch-code.html
        """
        settings = self._settings
        payload = min(settings.max_payload_in_mb, MAX_MB_OF_TRANSFORMS)
        at_once = min(settings.workers, MAX_MB_OF_TRANSFORMS // max(payload, 1))
        parameters = {
            "MaxConcurrentTransforms": settings.max_concurrent_transforms or at_once,
            "BatchStrategy": settings.batch_strategy,
            "MaxPayloadInMB": payload,
        }
        self._answers.respond_json(request, parameters)

    def _metrics(self, request: Request) -> None:
        self._counters.set_in_hand(len(self._in_hand))
        workers = self._settings.workers
        counters = [self._state.counters_of(worker) for worker in range(workers)]
        body = metrics.exposition(counters, self._state.ready[:workers])
        self._answers.respond(request, 200, body, metrics.CONTENT_TYPE)

    def _openapi(self, request: Request) -> None:
        self._answers.respond(request, 200, OPENAPI.read_bytes(), codecs.JSON)

    def _page(self, request: Request) -> None:
        self._answers.respond(request, 200, PAGE.read_bytes(), "text/html; charset=utf-8")

    # --- What connections and the worker ask for ---------------------------------------------------------------------
    def refuse(self, request: Request, status: int, detail: str) -> None:
        """Answer a request that never became whole."""
        self._answers.refuse(request, status, detail)

    def start_draining(self) -> None:
        """Refuse from now on the requests that no connection has accepted yet."""
        self._invocations.draining = True

    def tick(self) -> None:
        """Renew the Date header, write the access log, and set the metrics; called several times a second."""
        self._answers.renew_date()
        self._access_log.flush()
        self._counters.set_in_hand(len(self._in_hand))

    def seconds_saturated(self) -> float:
        """Return for how long a user's functions have taken all threads of this worker."""
        return self._invocations.seconds_saturated()

    def is_stuck(self) -> bool:
        """Tell whether a request has waited for its answer for too long."""
        return self._answers.longest_wait() > self._settings.seconds_to_answer

    def log_stuck(self) -> None:
        """Log why this worker is about to end."""
        seconds = self._answers.longest_wait()
        log("error", f"No answer after {seconds:.0f} seconds: this worker is replaced.", worker=self._worker)

    def flush_access_log(self) -> None:
        """Write the lines that are still gathered, before the worker ends."""
        self._access_log.flush()


def _for_get(answer: Callable[[Request], None]) -> Route:
    return {"GET": answer, "HEAD": answer}
