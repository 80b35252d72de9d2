"""A real supervisor in this process, with real worker processes whose models are tiny, and a clock that tests set.

Nothing here depends on how fast the machine is: seconds pass only when a test says so, and a test waits for what has to
come of it.
"""

import contextlib
import json
import mmap
import os
import signal
import socket
import time
from pathlib import Path
from types import SimpleNamespace

from sagemaker_rl.errors import PolicyError
from sagemaker_rl.serving import (
    answers,
    handed_connections,
    http_requests,
    multi_model_api,
    restarts,
    shared_state,
    supervisor,
    waiting_connections,
    worker,
)
from sagemaker_rl.serving.settings import Settings
from sagemaker_rl.serving.shared_state import MAX_CONNECTIONS

CLOCKED = (answers, handed_connections, http_requests, restarts, shared_state, supervisor, waiting_connections)
SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD)
PATIENCE = 20.0
"""Real seconds after which a test fails that waits; nothing takes so long, even on a busy machine."""


class Shared:
    """What a test and all processes share: the time in seconds, and whether models are held up."""

    def __init__(self) -> None:
        self._numbers = memoryview(mmap.mmap(-1, 32)).cast("d")
        self._numbers[0] = 1000.0

    def monotonic(self) -> float:
        return self._numbers[0]

    def advance(self, seconds: float) -> None:
        self._numbers[0] += seconds

    def hold(self, what: str, is_held: bool) -> None:
        """Hold up ``answers`` or ``loads``, or let them go on."""
        self._numbers[1 if what == "answers" else 2] = is_held
        self._numbers[3] = 0

    @property
    def has_one(self) -> bool:
        """Whether a model has been held up since then."""
        return bool(self._numbers[3])

    def wait_while_held(self, what: str) -> None:
        if self._numbers[1 if what == "answers" else 2]:
            self._numbers[3] = 1
        while self._numbers[1 if what == "answers" else 2]:
            time.sleep(0.001)


class TinyModel:
    """Answers its own name, the id of its process, and the body."""

    executor = "tiny"

    def __init__(self, folder: Path, shared: Shared) -> None:
        self.folder = folder
        self._shared = shared

    def transform(self, body, headers):
        if body == b"hold":
            self._shared.wait_while_held("answers")
        return SimpleNamespace(
            status=200, body=f"{self.folder.name} {os.getpid()} {body.decode()}".encode(), content_type="text/plain"
        )


class Client:
    """One connection, which never blocks.

    Attributes:
        asked: the path of the request that is not answered yet; empty if there is none.
    """

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setblocking(False)
        self.asked = ""
        self._received = b""

    def ask(self, method: str, path: str, body: bytes = b"") -> None:
        assert not self.asked
        self.asked = path
        self.socket.sendall(b"%b %b HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n\r\n%b" % (
            method.encode(), path.encode(), len(body), body
        ))  # fmt: skip

    def answer(self) -> tuple[int, bytes] | None:
        """Return the status and the body of the answer once it is whole; the status is 0 if the connection is gone."""
        try:
            while data := self.socket.recv(65536):
                self._received += data
            is_open = False
        except BlockingIOError:
            is_open = True
        except ConnectionResetError:
            is_open = False
        head, separator, body = self._received.partition(b"\r\n\r\n")
        if separator:
            lines = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:])
            size = int(lines[b"content-length"])
            if len(body) >= size:
                assert len(body) == size, "more than was asked for"
                self._received, self.asked = b"", ""
                return int(head.split()[1]), body
        return None if is_open else (0, b"")

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)  # a worker that was forked since then has it open, too
        self.socket.close()

    @property
    def is_closed(self) -> bool:
        """Whether the other side has closed it."""
        try:
            return not self.socket.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            return False
        except ConnectionResetError:
            return True


class TinyEndpoint:
    """A multi-model endpoint of tiny models; a folder whose name begins with ``bad`` cannot be loaded."""

    def __init__(self, base: Path, monkeypatch, workers: int = 2, **environment: str) -> None:
        self.shared = Shared()
        self.stopped: set[int] = set()
        for module in CLOCKED:
            clock = SimpleNamespace(monotonic=self.shared.monotonic, sleep=self.shared.advance)
            monkeypatch.setattr(module, "time", clock)
        monkeypatch.setattr(worker, "load_model", self._load)
        monkeypatch.setattr(multi_model_api, "load_model", self._load)
        monkeypatch.setattr(worker, "SECONDS_BETWEEN_TICKS", 0.002)
        self.folder = base / "models"
        self.folder.mkdir(exist_ok=True)
        self.settings = Settings.from_environment(
            {
                "SAGEMAKER_BASE_DIR": str(base),
                "SAGEMAKER_MULTI_MODEL": "true",
                "SAGEMAKER_MODEL_SERVER_WORKERS": str(workers),
                "SAGEMAKER_RL_ACCESS_LOG_LINES_PER_SECOND": "0",
                **environment,
            }
        )
        listener = socket.create_server(("127.0.0.1", 0), backlog=100)
        listener.setblocking(False)
        self.port = listener.getsockname()[1]
        self.clients: list[Client] = []
        self._handlers = {number: signal.getsignal(number) for number in SIGNALS}
        self.supervisor = supervisor.Supervisor(self.settings, listener)

    def _load(self, folder: Path, settings: Settings) -> TinyModel:
        self.shared.wait_while_held("loads")
        if folder.name.startswith("bad"):
            raise PolicyError("It is bad.")
        return TinyModel(folder, self.shared)

    def start(self) -> None:
        self.supervisor.start(None)
        self.wait_until(self.is_complete)

    # --- Workers -----------------------------------------------------------------------------------------------------
    def workers(self) -> dict[int, int]:
        """Return the process id of each worker by its number."""
        return {number: process.pid for number, process in self.supervisor._workers.items()}

    def is_complete(self) -> bool:
        """Whether all workers are there, and have loaded their models."""
        count = self.settings.workers
        return len(self.workers()) == count and list(self.supervisor._state.ready[: count + 1]) == [1] * count + [0]

    def kill(self, pid: int) -> None:
        self.stopped.discard(pid)
        os.kill(pid, signal.SIGKILL)
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)  # it has ended when the supervisor looks next

    def stop(self, pid: int) -> None:
        self.stopped.add(pid)
        os.kill(pid, signal.SIGSTOP)
        os.waitid(os.P_PID, pid, os.WSTOPPED | os.WNOWAIT)

    def go_on(self, pid: int) -> None:
        self.stopped.discard(pid)
        os.kill(pid, signal.SIGCONT)
        self._wait_for_heartbeats()

    def advance(self, seconds: float) -> None:
        """Have time pass; all workers that are not stopped know it before the supervisor looks."""
        self.shared.advance(seconds)
        self._wait_for_heartbeats()

    def _wait_for_heartbeats(self) -> None:
        state, now = self.supervisor._state, self.shared.monotonic()
        deadline = time.monotonic() + PATIENCE
        for number, pid in self.workers().items():
            if state.ready[number] and pid not in self.stopped:
                while state.heartbeats[number] != now:
                    if os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None:
                        break
                    assert time.monotonic() < deadline
                    time.sleep(0.0005)

    # --- Time --------------------------------------------------------------------------------------------------------
    def turn(self, times: int = 1) -> None:
        for _ in range(times):
            self.supervisor.run_once(0.0005)

    def wait_until(self, condition) -> None:
        """Turn the supervisor's loop until a condition holds."""
        deadline = time.monotonic() + PATIENCE
        while not condition():
            assert time.monotonic() < deadline, f"it never comes; kept: {self.kept()}"
            self.turn()

    def wait_until_idle(self) -> None:
        """Wait until workers have noted that all answers are written.

        One that dies or stops between an answer and its note has it answered again, by 503.
        """
        self.wait_until(lambda: not any(self.supervisor._state.connection_states))

    # --- Clients -----------------------------------------------------------------------------------------------------
    def connect(self) -> Client:
        client = Client(self.port)
        self.clients.append(client)
        return client

    def request(self, client: Client, method: str, path: str, body: bytes = b"") -> tuple[int, bytes]:
        client.ask(method, path, body)
        return self.answer(client)

    def answer(self, client: Client) -> tuple[int, bytes]:
        result: tuple[int, bytes] | None = None

        def has_come() -> bool:
            nonlocal result
            result = client.answer()
            return result is not None

        self.wait_until(has_come)
        assert result is not None
        return result

    def load_body(self, name: str, folder: str = "") -> bytes:
        path = self.folder / (folder or name)
        path.mkdir(exist_ok=True)
        return json.dumps({"model_name": name, "url": str(path)}).encode()

    def models(self) -> list[str]:
        """Return the models that the endpoint says it has."""
        client = self.connect()
        status, body = self.request(client, "GET", "/models")
        assert status == 200
        self.close(client)
        return [model["modelName"] for model in json.loads(body)["models"]]

    def close(self, client: Client) -> None:
        self.clients.remove(client)
        client.close()

    # --- The end -----------------------------------------------------------------------------------------------------
    def kept(self) -> dict[str, object]:
        """Return what the supervisor keeps of connections, slots and operations, where it should keep none."""
        tested = self.supervisor
        free_slots = tested._connections._free_slots
        kept = {
            "connections": list(tested._connections),
            "slots": MAX_CONNECTIONS - len(set(free_slots)),
            "doubled slots": len(free_slots) - len(set(free_slots)),
            "slots of workers": [process.slots for process in tested._workers.values() if process.slots],
            "taken": [process.taken for process in tested._workers.values() if process.taken],
            "revoked": [slot for slot, revoked in enumerate(tested._state.revoked) if revoked],
            "waiting": len(tested._waiting),
            "operations": list(tested._operations._running),
            "states": [slot for slot, state in enumerate(tested._state.connection_states) if state],
        }
        return {name: value for name, value in kept.items() if value}

    def nothing_is_left(self) -> bool:
        return not self.kept()

    def end(self) -> None:
        """End all processes, and put this one's signals back."""
        self.shared.hold("answers", False)
        self.shared.hold("loads", False)
        for client in self.clients:
            client.close()
        for pid in self.workers().values():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)
        signal.set_wakeup_fd(-1)
        for number, handler in self._handlers.items():
            signal.signal(number, handler)
        for file in [key.fileobj for key in self.supervisor._selector.get_map().values()]:
            file.close()
        self.supervisor._selector.close()
