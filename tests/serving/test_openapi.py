"""The served OpenAPI description, and thousands of requests that schemathesis derives from it: none may be a 5xx."""

import json

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from jobs import ROOT
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

DESCRIPTION = ROOT / "container_src/sagemaker_rl/serving/openapi.json"
CHECKS = (not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance)
EXAMPLES = 300
schema = schemathesis.openapi.from_dict(json.loads(DESCRIPTION.read_text(encoding="utf-8")))


@schemathesis.serializer("application/jsonlines", "application/x-npy")
def as_it_is(context, value):
    return value if isinstance(value, bytes) else str(value).encode()


def test_it_is_served_as_it_is_checked_in(server):
    response = server.client().get("/openapi.json")
    assert response.headers["Content-Type"] == "application/json"
    assert response.content == DESCRIPTION.read_bytes()


@schema.include(path_regex="^/(ping|invocations|execution-parameters|metrics|openapi.json)$").parametrize()
@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
def test_no_generated_request_is_a_5xx(case, server):
    case.call_and_validate(base_url=server.url, checks=CHECKS)


@schema.include(path_regex="^/models").parametrize()
@settings(max_examples=EXAMPLES // 3, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
def test_nor_is_one_to_a_multi_model_endpoint(case, models_server):
    case.call_and_validate(base_url=models_server.url, checks=CHECKS)


@pytest.fixture(scope="module")
def models_server(start, ppo_model, tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    folder.chmod(0o755)  # the container's user is not this one
    with start(folder, SAGEMAKER_MULTI_MODEL="true") as running:
        yield running
