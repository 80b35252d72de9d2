"""Requests checked against botocore's model of SageMaker's API, before anything is sent."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import botocore.session
from botocore.exceptions import ParamValidationError
from botocore.validate import ParamValidator

MISSING = "Missing required parameter"


def validate(operation: str, request: Mapping[str, Any], whole: bool = True) -> None:
    """Check the names and types of a request's parameters, and, if it is whole, that none is missing.

    Raises:
        ParamValidationError: It has not the form that the API asks for.
    """
    report = ParamValidator().validate(dict(request), _service().operation_model(operation).input_shape)
    errors = [line for line in report.generate_report().splitlines() if whole or not line.startswith(MISSING)]
    if errors:
        raise ParamValidationError(report="\n".join(errors))


@lru_cache
def _service() -> Any:
    return botocore.session.get_session().get_service_model("sagemaker")
