"""Fixtures of several of these tests."""

import json
import signal
import socketserver
import threading
from http.server import BaseHTTPRequestHandler

import pytest
from launch.cli import interruption


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

    Yields the dict and the list of requests.
    """
    answers = {("GET", "/version"): (200, {"ApiVersion": "1.43"}), ("GET", "/_ping"): (200, {})}
    requests = []

    class Engine(BaseHTTPRequestHandler):
        def do_GET(self):
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            path = self.path.partition("?")[0]
            requests.append((self.command, path))
            status, body = next(
                (answer for (method, end), answer in answers.items() if method == self.command and path.endswith(end)),
                (404, {"message": "No such image"}),
            )
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.end_headers()
            if body is not None:
                self.wfile.write(json.dumps(body).encode())

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
