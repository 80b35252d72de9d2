"""The local AWS server as a user of AWS meets it: answers that lag, come in pages, change, and are refused in between.

::

    timeline.answers("DescribeEndpoint", state(EndpointStatus="Creating"), THROTTLED, PASSED)   # its first three calls
    timeline.lags("DescribeEndpoint", behind="UpdateEndpoint", calls=2)     # for two calls it answers as before
    timeline.lists_in_pages_of("ListModels", 1)
    timeline.requests                                                       # what the scripts have asked, in order
"""

import json
import threading
from collections import defaultdict, deque
from collections.abc import Callable, Iterator
from http.server import ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl

import httpx
import pytest
from local_aws import Aws
from proxy import Between

Fields = dict[str, Any]
Pass = Callable[[Fields], httpx.Response]
"""Sends a request, perhaps with other fields, to the server."""
Step = Callable[[Fields, Pass], httpx.Response]
"""Answers one call of an operation, by its fields and what passes them on."""


def PASSED(request: Fields, send: Pass) -> httpx.Response:
    """Answer as the server does."""
    return send(request)


def state(**fields: Any) -> Step:
    """Return a step that answers as the server does, but with some fields as they are given here, None for none."""

    def step(request: Fields, send: Pass) -> httpx.Response:
        content = {**send(request).json(), **fields}
        return _json(200, {name: value for name, value in content.items() if value is not None})

    return step


def given(**fields: Any) -> Step:
    """Return a step that answers by these fields alone, without the server."""
    return lambda request, send: _json(200, fields)


def refused(code: str, message: str = "", status: int = 400) -> Step:
    """Return a step that refuses a call: the server does not hear of it."""

    def step(request: Fields, send: Pass) -> httpx.Response:
        if "Action" in request:  # of IAM and CloudFormation
            error = f"<Error><Code>{code}</Code><Message>{message}</Message></Error>"
            return httpx.Response(status, text=f"<ErrorResponse>{error}</ErrorResponse>")
        return _json(status, {"__type": code, "message": message})

    return step


def after(do: Callable[[], Any], step: Step = PASSED) -> Step:
    """Return a step that does something before it answers."""

    def doing(request: Fields, send: Pass) -> httpx.Response:
        do()
        return step(request, send)

    return doing


THROTTLED = refused("ThrottlingException", "Rate exceeded")
TOO_MANY = refused("TooManyRequestsException", "Rate exceeded", 429)
FAULT = refused("InternalFailure", "It is not you.", 500)
NOT_FOUND = refused("ValidationException", "Requested resource not found.")


def _json(status: int, content: Fields) -> httpx.Response:
    return httpx.Response(status, json=content, headers={"Content-Type": "application/x-amz-json-1.1"})


class Timeline:
    """What stands between the scripts and the server; ``requests`` has each operation with its fields, in order."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, Fields]] = []
        self._steps: dict[str, deque[Step]] = defaultdict(deque)
        self._page_sizes: dict[str, int] = {}
        self._lags: dict[str, tuple[str, int]] = {}
        self._left: dict[str, int] = {}
        self._last: dict[str, httpx.Response] = {}

    @property
    def operations(self) -> list[str]:
        return [operation for operation, _ in self.requests]

    def of(self, operation: str) -> list[Fields]:
        return [fields for each, fields in self.requests if each == operation]

    def answers(self, operation: str, *steps: Step) -> None:
        """Take these steps at the next calls of an operation; later ones are answered as the server does."""
        self._steps[operation].extend(steps)

    def lags(self, operation: str, *, behind: str, calls: int) -> None:
        """Have so many calls after a change (the operation ``behind``) answered as the last one before it was."""
        self._lags[operation] = (behind, calls)

    def lists_in_pages_of(self, operation: str, size: int) -> None:
        """Have the list in an operation's answer come in pages of at most ``size`` entries; the last one is empty."""
        self._page_sizes[operation] = size

    def answer(self, operation: str, fields: Fields, send: Pass) -> httpx.Response:
        self.requests.append((operation, fields))
        if self._left.get(operation):
            self._left[operation] -= 1
            return self._last[operation]
        steps = self._steps[operation]
        step = steps.popleft() if steps else PASSED
        if operation in self._page_sizes and step is PASSED:
            return self._page(operation, fields, send)
        answer = self._last[operation] = step(fields, send)
        for lagging, (behind, calls) in self._lags.items():
            if behind == operation and answer.status_code == 200:
                self._left[lagging] = calls
        return answer

    def _page(self, operation: str, fields: Fields, send: Pass) -> httpx.Response:
        begin = 0
        whole = {name: value for name, value in fields.items() if name not in ("NextToken", "nextToken", "MaxResults")}
        for name in fields.keys() & {"NextToken", "nextToken"}:
            begin = int(fields[name].removeprefix("page-from-"))
        answer = send(whole)
        if answer.status_code != 200:
            return answer
        content = answer.json()
        (key,) = (name for name, value in content.items() if isinstance(value, list))
        entries, end = content[key], begin + self._page_sizes[operation]
        content[key] = entries[begin:end]
        name = "nextToken" if key[0].islower() else "NextToken"
        content.pop(name, None)
        return _json(200, {**content, **({name: f"page-from-{end}"} if begin < len(entries) else {})})


@pytest.fixture
def timeline(aws: Aws) -> Iterator[Timeline]:
    """All that the scripts ask AWS goes by it; what the test asks by ``aws.client`` does not."""
    made = Timeline()
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("OnTimeline", (_Handler,), {"timeline": made}))
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    with httpx.Client(base_url=aws.url, trust_env=False) as upstream:
        server.RequestHandlerClass.upstream = upstream
        aws.environment["AWS_ENDPOINT_URL"] = f"http://127.0.0.1:{server.server_port}"
        yield made
        server.shutdown()
        server.server_close()


class _Handler(Between):
    timeline: Timeline

    def do_ANY(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        headers = {
            key: value for key, value in self.headers.items() if key.lower() not in ("connection", "content-length")
        }
        target = self.headers.get("X-Amz-Target", "").rpartition(".")[2]
        fields = json.loads(body) if target else {}
        if "x-www-form-urlencoded" in self.headers.get("Content-Type", ""):
            fields = dict(parse_qsl(body.decode()))
            target = fields["Action"]

        def send(asked: Fields) -> httpx.Response:
            content = body if asked == fields else json.dumps(asked).encode()
            return self.upstream.request(self.command, self.path, content=content, headers=headers)

        answer = self.timeline.answer(target, fields, send) if target else send(fields)
        length = answer.headers.get("Content-Length") if self.command == "HEAD" else None
        self.answer(answer.status_code, answer.headers, answer.content, length)

    do_GET = do_POST = do_PUT = do_HEAD = do_DELETE = do_ANY  # noqa: N815
