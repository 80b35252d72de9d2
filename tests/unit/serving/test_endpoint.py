"""The table of routes, beside the documents and metrics that list the same."""

import asyncio
import json
import threading
import time
from types import SimpleNamespace

import pytest
from sagemaker_rl.serving import endpoint, http_statuses, metrics
from sagemaker_rl.serving.settings import Settings
from sagemaker_rl.serving.shared_state import SharedState

OPENAPI = json.loads(endpoint.OPENAPI.read_text(encoding="utf-8"))
MULTI_MODEL = {"SAGEMAKER_MULTI_MODEL": "true"}


def in_endpoint(use, **environment):
    """Return what ``use`` returns of an endpoint without connections."""
    settings = Settings.from_environment(environment)
    model = None if settings.multi_model else object()

    async def run():
        return use(endpoint.Endpoint(settings, SharedState(), 0, model, {}, None))

    return asyncio.run(run())


@pytest.fixture
def routes():
    """Every route that there is: the methods by path."""
    methods = {}
    for environment in ({}, MULTI_MODEL):
        methods |= in_endpoint(lambda e: {path: tuple(route) for path, route in e.routes.items()}, **environment)
    return methods


def test_openapi_describes_every_route(routes):
    described = {
        path: tuple(method.upper() for method in operations if method != "parameters")
        for path, operations in OPENAPI["paths"].items()
    }
    assert {
        path: tuple(method for method in methods if method != "HEAD") for path, methods in routes.items()
    } == described


def test_metrics_have_a_label_for_every_route(routes):
    assert set(metrics.ROUTES) == {path for path in routes if "{" not in path} | {"other"}


def test_openapi_describes_no_other_error():
    described = {
        int(status)
        for path in OPENAPI["paths"].values()
        for operation in path.values()
        if "responses" in operation
        for status in operation["responses"]
    }
    assert described - {200} == set(http_statuses.ERRORS)


def test_the_page_is_served_only_if_asked_for():
    assert in_endpoint(lambda e: "/" in e.routes, SAGEMAKER_RL_PAGE="1")
    assert not in_endpoint(lambda e: "/" in e.routes)


class FakeConnection(SimpleNamespace):
    """Keeps the answer."""

    accepted_before_drain = False

    def respond(self, request, status, body, media_type, headers, close):
        self.answer = (status, json.loads(body)["detail"], headers)


@pytest.mark.parametrize(
    ("environment", "method", "path", "status", "detail"),
    [
        (
            {},
            "GET",
            "/models",
            404,
            "/models is not served, expected /ping, /invocations, /execution-parameters, /metrics or /openapi.json.",
        ),
        ({}, "GET", "/nowhere", 404, "expected /ping, /invocations, /execution-parameters, /metrics or /openapi.json."),
        ({}, "PATCH", "/ping", 405, "PATCH /ping is not served, expected GET or HEAD."),
        ({}, "POST", "/execution-parameters", 405, "POST /execution-parameters is not served, expected GET or HEAD."),
        (MULTI_MODEL, "GET", "/execution-parameters", 404, "expected /ping, /models, /metrics or /openapi.json."),
        (MULTI_MODEL, "POST", "/invocations", 404, "expected /ping, /models, /metrics or /openapi.json."),
        (MULTI_MODEL, "GET", "/models/a%2fb", 404, "Model 'a/b' is not loaded."),
        (MULTI_MODEL, "GET", "/models/", 404, "Model '' is not loaded."),
        (MULTI_MODEL, "POST", "/models/a/invoke", 404, "Model 'a' is not loaded."),
        (MULTI_MODEL, "PUT", "/models/a", 405, "PUT /models/a is not served, expected GET or DELETE."),
        (MULTI_MODEL, "GET", "/models/a/b", 404, "expected /models/NAME or /models/NAME/invoke."),
        (MULTI_MODEL, "GET", "/models/a/invoke/", 404, "expected /models/NAME or /models/NAME/invoke."),
        (MULTI_MODEL, "GET", "/models?limit=x", 400, "limit is 'x', expected a whole number."),
    ],
)
def test_a_request_that_is_refused(environment, method, path, status, detail):
    def answer(tested):
        request = endpoint.Request(FakeConnection())
        request.method = method
        request.path, _, request.query = path.partition("?")
        tested.handle(request)
        return request.connection.answer

    answered, sentence, headers = in_endpoint(answer, **environment)
    assert answered == status
    assert sentence.endswith(detail)
    assert (b"allow: " in headers) == (status == 405)


class Kept(SimpleNamespace):
    """A connection that keeps all that is answered."""

    def respond(self, request, status, body, media_type, headers, close):
        self.answer = SimpleNamespace(status=status, body=body, media_type=media_type, headers=headers, close=close)


def ask(tested, method, path, **attributes):
    request = endpoint.Request(Kept(accepted_before_drain=attributes.pop("accepted", False)))
    request.method, request.path = method, path
    for name, value in attributes.items():
        setattr(request, name, value)
    tested.handle(request)
    return request.connection.answer


def in_endpoint_of(use, state=None, model=None, **environment):
    """Return what ``use`` returns of the second worker's endpoint."""
    settings = Settings.from_environment(environment)

    async def run():
        return use(endpoint.Endpoint(settings, state or SharedState(), 1, model or object(), {}, None))

    return asyncio.run(run())


def test_ping_answers_when_all_are_ready_and_no_more_when_they_drain():
    state = SharedState()

    def use(tested):
        before = ask(tested, "GET", "/ping")
        state.serving[0] = 1
        ready = ask(tested, "HEAD", "/ping")
        tested.start_draining()
        return before, ready, ask(tested, "GET", "/ping")

    before, ready, draining = in_endpoint_of(use, state)
    assert (before.status, before.close) == (503, False)
    assert b"Not every worker has loaded its model yet." in before.body
    assert (ready.status, ready.body, ready.media_type) == (200, b"", "")
    assert (draining.status, draining.close) == (503, True)
    assert b"The server is about to end." in draining.body
    assert b"retry-after: 1\r\n" in draining.headers
    assert b"retry-after" not in ready.headers


def test_documents_and_metrics_of_all_workers():
    state = SharedState()
    state.ready[0] = state.ready[1] = state.ready[2] = 1
    metrics.Counters(state.counters_of(2))  # beyond the two workers that there are

    def use(tested):
        metrics.Counters(state.counters_of(0)).add_answer("/ping", 200, 0.1)
        return [ask(tested, "GET", path) for path in ("/openapi.json", "/", "/metrics")]

    description, page, numbers = in_endpoint_of(use, state, SAGEMAKER_RL_PAGE="1", SAGEMAKER_MODEL_SERVER_WORKERS="2")
    assert (description.body, description.media_type) == (endpoint.OPENAPI.read_bytes(), "application/json")
    assert (page.body, page.media_type) == (endpoint.PAGE.read_bytes(), "text/html; charset=utf-8")
    assert numbers.media_type.startswith("text/plain")
    lines = numbers.body.decode().splitlines()
    assert 'sagemaker_rl_requests_total{route="/ping",status="200"} 1.0' in lines
    assert 'sagemaker_rl_requests_total{route="/openapi.json",status="200"} 1.0' in lines
    assert "sagemaker_rl_workers_ready 2.0" in lines
    assert "sagemaker_rl_worker_starts_total 2.0" in lines
    assert "sagemaker_rl_requests_in_hand 1.0" in lines  # this one


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({"WORKERS": "3"}, (3, "MULTI_RECORD", 6)),
        ({"WORKERS": "64"}, (16, "MULTI_RECORD", 6)),  # 100 MB together
        ({"WORKERS": "3", "PAYLOAD": "33"}, (3, "MULTI_RECORD", 33)),
        ({"WORKERS": "3", "PAYLOAD": "34"}, (2, "MULTI_RECORD", 34)),
        ({"WORKERS": "3", "PAYLOAD": "100"}, (1, "MULTI_RECORD", 100)),
        ({"WORKERS": "3", "PAYLOAD": "101"}, (1, "MULTI_RECORD", 100)),
        ({"WORKERS": "3", "PAYLOAD": "0"}, (3, "MULTI_RECORD", 0)),
        ({"WORKERS": "3", "TRANSFORMS": "16"}, (16, "MULTI_RECORD", 6)),
        ({"WORKERS": "3", "TRANSFORMS": "0"}, (3, "MULTI_RECORD", 6)),
        ({"WORKERS": "3", "STRATEGY": "SINGLE_RECORD"}, (3, "SINGLE_RECORD", 6)),
    ],
)
def test_what_batch_transform_is_told(environment, expected):
    names = {
        "WORKERS": "SAGEMAKER_MODEL_SERVER_WORKERS",
        "PAYLOAD": "SAGEMAKER_MAX_PAYLOAD_IN_MB",
        "TRANSFORMS": "SAGEMAKER_MAX_CONCURRENT_TRANSFORMS",
        "STRATEGY": "SAGEMAKER_BATCH_STRATEGY",
    }
    given = {names[name]: value for name, value in environment.items()}
    answer = in_endpoint_of(lambda tested: ask(tested, "GET", "/execution-parameters"), **given)
    assert (answer.status, answer.media_type) == (200, "application/json")
    keys = ("MaxConcurrentTransforms", "BatchStrategy", "MaxPayloadInMB")
    assert json.loads(answer.body) == dict(zip(keys, expected, strict=True))


def test_the_largest_body_is_what_the_variable_says():
    assert in_endpoint_of(lambda tested: tested.max_body_bytes, SAGEMAKER_MAX_PAYLOAD_IN_MB="3") == 3 * 1024 * 1024


class UserModel:
    """Keeps its requests until it may answer."""

    def __init__(self):
        self.event = threading.Event()

    def transform(self, body, headers):
        self.event.wait(30)
        return SimpleNamespace(status=200, body=body[::-1], content_type="text/x", detail="")


def test_requests_in_hand_are_counted_and_limited():
    model, state = UserModel(), SharedState()
    settings = Settings.from_environment({"SAGEMAKER_RL_MAX_QUEUE": "2", "SAGEMAKER_MODEL_SERVER_TIMEOUT_SECONDS": "5"})

    async def run():
        tested = endpoint.Endpoint(settings, state, 1, model, {}, None)
        requests = []
        for body in (b"12", b"34", b"56"):
            request = endpoint.Request(Kept(accepted_before_drain=False))
            request.method, request.path, request.body = "POST", "/invocations", body
            request.received = time.monotonic() - 4
            tested.handle(request)
            requests.append(request.connection)
        refused = requests.pop().answer
        assert refused.status == 503
        assert b"2 requests are waiting already." in refused.body
        tested.tick()
        assert list(state.counters_of(1)).count(2.0) == 1  # the number in hand
        assert not tested.is_stuck()
        next(iter(tested._in_hand)).received -= 1.5
        assert tested.is_stuck()
        tested.start_draining()
        late = ask(tested, "POST", "/invocations")
        assert (late.status, late.close) == (503, True)
        model.event.set()
        while len(tested._in_hand):
            await asyncio.sleep(0.001)
        assert [(one.answer.status, one.answer.body, one.answer.media_type) for one in requests] == [
            (200, b"21", "text/x"),
            (200, b"43", "text/x"),
        ]
        assert not tested.is_stuck()
        accepted = endpoint.Request(Kept(accepted_before_drain=True))
        accepted.method, accepted.path, accepted.body = "POST", "/invocations", b"78"
        tested.handle(accepted)
        while len(tested._in_hand):
            await asyncio.sleep(0.001)
        assert accepted.connection.answer.body == b"87"

    asyncio.run(run())


def test_an_error_of_the_servers_own_is_a_500_with_its_traceback_in_the_log(capfd):
    def use(tested):
        def fail(request):
            raise KeyError("a secret")

        tested.routes["/ping"] = {"GET": fail}
        return ask(tested, "GET", "/ping", headers={b"x-request-id": b"mine"})

    answer = in_endpoint_of(use)
    assert answer.status == 500
    assert json.loads(answer.body)["detail"] == "The log has the reason under the request id mine."
    assert answer.headers.startswith(b"x-request-id: mine\r\ndate: ")
    logged = json.loads(capfd.readouterr().out.splitlines()[0])
    assert (logged["request_id"], logged["level"]) == ("mine", "error")
    assert "KeyError: 'a secret'" in logged["traceback"]


def test_the_access_log_is_written_at_the_end(capfd):
    def use(tested):
        ask(tested, "GET", "/openapi.json", body=b"abc")
        tested.log_stuck()
        tested.flush_access_log()

    in_endpoint_of(use)
    stuck, request = (json.loads(line) for line in capfd.readouterr().out.splitlines())
    assert stuck["worker"] == request["worker"] == 1
    assert (request["path"], request["bytes_in"], request["status"]) == ("/openapi.json", 3, 200)
