"""Fixtures of several of these tests."""

import functools
import json
import re
import signal
import socketserver
import threading
from http.server import BaseHTTPRequestHandler
from types import SimpleNamespace
from typing import ClassVar
from urllib.parse import parse_qsl

import botocore.session
import pytest
from botocore import loaders
from launch.cli import interruption

STREAMS = ("/build", "/push", "/images/create", "/logs")
"""Ends of paths whose answers are streams of objects."""


ONE_LOADER = functools.cache(loaders.create_loader)
"""Reads botocore's models of the services, which are large, once: each session would read them anew."""


@pytest.fixture(autouse=True)
def _one_loader(monkeypatch):
    monkeypatch.setattr(botocore.session, "create_loader", ONE_LOADER)


@pytest.fixture
def dead_proxy(monkeypatch):
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def interruptible():
    before = {number: signal.getsignal(number) for number in interruption.SIGNALS}
    interruption.install()
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture
def fake_engine(tmp_path, monkeypatch):
    """A Docker engine's API on a Unix socket: answers from a dict of (method, end of path) -> (status, body).

    Of several ends the longest counts. A body is an object, a text, bytes, or a list of objects, which are sent as a
    stream.
    Yields the dict and the list of requests, each the method and the path; its ``asked`` has their parameters, headers
    and bodies too.
    """

    class Requests(list):
        asked: ClassVar[list[SimpleNamespace]] = []

    Requests.asked = []
    answers = {("GET", "/version"): (200, {"ApiVersion": "1.43", "Arch": "amd64"}), ("GET", "/_ping"): (200, {})}
    requests = Requests()

    class Engine(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self):
            body = self._body()
            path, _, query = self.path.partition("?")
            requests.append((self.command, path))
            asked = SimpleNamespace(
                method=self.command,
                path=re.sub(r"^/v\d[\d.]*", "", path),
                query=dict(parse_qsl(query)),
                headers=self.headers,
                body=body,
            )
            requests.asked.append(asked)
            ends = [end for method, end in answers if method == self.command and path.endswith(end)]
            nearest = (self.command, max(ends, key=len, default=""))
            status, body = answers.get(nearest, (404, {"message": "No such image"}))
            self.send_response(status)
            self.send_header("Content-Type", "text/plain" if isinstance(body, str) else "application/json")
            self.send_header("Connection", "close")
            if path.endswith(STREAMS):
                self.send_header("Transfer-Encoding", "chunked")
                self.end_headers()
                parts = [json.dumps(line).encode() + b"\n" for line in body] if isinstance(body, list) else [body]
                for part in parts if status == 200 else [json.dumps(body).encode()]:
                    self.wfile.write(b"%x\r\n%s\r\n" % (len(part), part))
                self.wfile.write(b"0\r\n\r\n")
                return
            self.end_headers()
            if body is not None:
                self.wfile.write((body if isinstance(body, str) else json.dumps(body)).encode())

        def _body(self):
            if self.headers.get("Transfer-Encoding") != "chunked":
                return self.rfile.read(int(self.headers.get("Content-Length", 0)))
            body = b""
            while size := int(self.rfile.readline(), 16):
                body += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
            return body

        def do_POST(self):
            self.do_GET()

        def do_DELETE(self):
            self.do_GET()

        def address_string(self):
            return "unix"

        def log_message(self, *arguments):
            pass

    class Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
        daemon_threads = True

    address = str(tmp_path / "engine.sock")
    with Server(address, Engine) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        monkeypatch.setenv("DOCKER_HOST", f"unix://{address}")
        yield answers, requests
        server.shutdown()
