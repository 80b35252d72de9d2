"""The HTTP statuses of an endpoint's answers. ``openapi.json`` describes when each of them is given."""

from http import HTTPStatus

ERRORS = {
    400: "bad request",
    404: "not found",
    405: "method not allowed",
    406: "not acceptable",
    408: "request timeout",
    409: "conflict",
    413: "content too large",
    414: "uri too long",
    415: "unsupported media type",
    417: "expectation failed",
    431: "request header fields too large",
    500: "internal error",
    501: "not implemented",
    503: "service unavailable",
    505: "http version not supported",
    507: "insufficient storage",
}
"""The field ``error`` of an answer by its status. A user's own code may answer with any other."""

STATUS_LINES = {status.value: f"HTTP/1.1 {status.value} {status.phrase}\r\n".encode() for status in HTTPStatus}
