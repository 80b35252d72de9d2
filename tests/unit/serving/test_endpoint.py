"""The table of routes, beside the documents and metrics that list the same."""

import asyncio
import json
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
        ({}, "GET", "/models", 404, "/models is not served, expected /ping, /invocations, /metrics or /openapi.json."),
        ({}, "GET", "/nowhere", 404, "expected /ping, /invocations, /metrics or /openapi.json."),
        ({}, "PATCH", "/ping", 405, "PATCH /ping is not served, expected GET or HEAD."),
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
