"""A proxy between a script and the local AWS server, which passes answers on, spoils them or holds them back."""

import contextlib
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
import pytest


class Between(BaseHTTPRequestHandler):
    """Passes requests on to the AWS server, as ``spoil`` lets it."""

    upstream = ""
    asked = 0
    protocol_version = "HTTP/1.0"

    def parse_request(self):
        is_whole = super().parse_request()
        if is_whole and "Expect" in self.headers:  # else a client waits a second before it sends a file
            self.handle_expect_100()
        return is_whole

    def do_ANY(self):
        type(self).asked += 1
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        headers = {key: value for key, value in self.headers.items() if key.lower() != "connection"}
        answer = httpx.request(self.command, self.upstream + self.path, content=body, headers=headers, trust_env=False)
        self.spoil(answer)

    do_GET = do_POST = do_PUT = do_HEAD = do_ANY  # noqa: N815

    def answer(self, status, headers, body, length=None):
        self.send_response(status)
        for key, value in headers.items():
            if key.lower() not in ("content-length", "connection", "server", "date", "transfer-encoding"):
                self.send_header(key, value)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments):
        pass


@pytest.fixture
def between(aws_server: str) -> Iterator[Callable[..., Any]]:
    """Start a proxy that hands each answer of the server to ``spoil``; return its address and its handler."""
    servers = []

    def start(spoil: Callable[[Any, httpx.Response], None]) -> tuple[str, Any]:
        own = {"upstream": aws_server, "asked": 0, "spoil": lambda handler, answer: spoil(handler, answer)}
        handler = type("Spoils", (Between,), own)
        server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        servers.append(server)
        return f"http://127.0.0.1:{server.server_port}", handler

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


class Holding:
    """Holds one answer back, so that a test can do something meanwhile: the call of an operation of that number."""

    def __init__(self, operation: str, number: int = 1) -> None:
        self._operation, self._left = operation, number
        self.reached, self.let_go = threading.Event(), threading.Event()

    def __call__(self, handler: Between, answer: httpx.Response) -> None:
        if operation_of(handler) == self._operation:
            self._left -= 1
            if self._left == 0:
                self.reached.set()
                self.let_go.wait(60)
        with contextlib.suppress(OSError):  # whoever asked has gone
            handler.answer(answer.status_code, answer.headers, answer.content)


def operation_of(handler: Between) -> str:
    return str(handler.headers.get("X-Amz-Target", "")).rpartition(".")[2]


def throttling(times: int, operation: str = "") -> Callable[[Any, httpx.Response], None]:
    """Return what refuses so many calls of an operation, or of any, as AWS does when there are too many of them."""
    refused: list[str] = []

    def spoil(handler: Between, answer: httpx.Response) -> None:
        if operation in ("", operation_of(handler)) and len(refused) < times:
            refused.append(operation)
            body = b'{"__type": "ThrottlingException", "message": "Rate exceeded"}'
            handler.answer(400, {"Content-Type": "application/x-amz-json-1.1"}, body)
        else:
            handler.answer(answer.status_code, answer.headers, answer.content)

    return spoil
