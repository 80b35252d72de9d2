"""Stand-ins for what local mode runs on: an HTTP server, an engine and what it starts, interruptions."""

import contextlib
import os
import signal
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

REQUEST = {"TrainingJobName": "job", "HyperParameters": {}}
PLATFORM = {"Os": "linux", "Architecture": "amd64"}
"""In what the engine says of an image."""


class Healthy(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()

    def log_message(self, *arguments):
        pass


@contextlib.contextmanager
def server_of(handler):
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


class FakeWorkload:
    """Prints ``log``; ``during_stop`` is called while it is being stopped."""

    def __init__(self, log=(), during_stop=lambda: None):
        self.log = log
        self.during_stop = during_stop
        self.stopped = False

    def lines(self):
        yield from self.log

    def wait(self):
        return 0

    def stop(self):
        self.during_stop()
        self.stopped = True


class FakeEngine:
    name = host = "fake"

    def __init__(self, workload, url="http://127.0.0.1:9", during_start=lambda: None):
        self.workload = workload
        self.url = url
        self.during_start = during_start
        self.ml = None

    def train(self, ml, name, settings):
        self.ml = ml
        self.during_start()
        return self.workload

    def serve(self, ml, name):
        self.ml = ml
        self.during_start()
        return self.workload, self.url


def interrupt():
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(0.01)  # Python runs the handler
