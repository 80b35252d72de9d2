"""Models are loaded in a process of their own first: what ends that process, ends nothing else.

A user's code may call ``os._exit``, and MXNet may crash on a graph that is damaged: neither is an exception.
"""

import os
import signal
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from sagemaker_rl.policy.artifact import DESCRIPTION_FILE
from sagemaker_rl.serving import control, multi_model_api
from sagemaker_rl.serving.control import ModelOperation, Outcome
from sagemaker_rl.serving.settings import Settings

FRACTION_OF_TIMEOUT = 0.9
"""Of the seconds to answer, for a trial: the worker that was asked to load the model can still answer then."""


def cause_of_end(status: int) -> str:
    """Return in words how a process ended, from what ``os.waitpid`` says."""
    if not os.WIFSIGNALED(status):
        return f"status {os.WEXITSTATUS(status)}"
    number = os.WTERMSIG(status)
    return f"signal {number}{', perhaps out of memory' if number == signal.SIGKILL else ''}"


def failure(attempt: Callable[[], object]) -> str:
    """Return how a child process ended that made an attempt; empty if the attempt returned, or raised an exception.

    What the child prints is lost: the attempt is made again.
    """
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            for file in (1, 2):
                os.dup2(os.open(os.devnull, os.O_WRONLY), file)
            attempt()
            status = 0
        except Exception:
            status = 0
        finally:
            os._exit(status)
    _, ended = os.waitpid(pid, 0)
    return cause_of_end(ended) if ended else ""


@dataclass
class _Trial:
    """A process that loads a model.

    Attributes:
        operation: that has it loaded.
        channel: on which it says what came of it.
        deadline: in seconds on the machine's monotonic clock.
        is_overdue: it was killed.
    """

    operation: ModelOperation
    channel: socket.socket
    deadline: float
    is_overdue: bool = False


class Trials:
    """The trials that a multi-model endpoint runs at the moment.

    Args:
        settings: how to serve.
        become_child: called in a new process, closes the files of its parent.
    """

    def __init__(self, settings: Settings, become_child: Callable[[], None]) -> None:
        self._settings = settings
        self._become_child = become_child
        self._running: dict[int, _Trial] = {}

    def start(self, operation: ModelOperation) -> int | None:
        """Load a model in a new process; return its id, or None for a folder in which there is nothing to load."""
        if not any(os.path.lexists(os.path.join(operation.url, name)) for name in (DESCRIPTION_FILE, "code")):
            return None
        channel, childs_channel = control.socket_pair()
        pid = os.fork()
        if pid == 0:
            try:
                self._become_child()
                np.seterr(all="ignore")
                _, status, detail = multi_model_api.load(operation.name, Path(operation.url), self._settings)
                outcome = Outcome(operation.number, status, detail)
                control.send(childs_channel, outcome.to_message(control.CARRIED_OUT))
            finally:
                os._exit(0)
        childs_channel.close()
        seconds = FRACTION_OF_TIMEOUT * self._settings.seconds_to_answer
        self._running[pid] = _Trial(operation, channel, time.monotonic() + seconds)
        return pid

    def outcome(self, pid: int, status: int) -> Outcome | None:
        """Return what came of a trial whose process has ended; None if the process was none."""
        trial = self._running.pop(pid, None)
        if trial is None:
            return None
        received = control.receive(trial.channel)
        trial.channel.close()
        if received is not None and received[0]:
            return Outcome.from_message(received[0])
        name = trial.operation.name
        if trial.is_overdue:
            seconds = FRACTION_OF_TIMEOUT * self._settings.seconds_to_answer
            detail = f"Model {name!r} cannot be loaded: it was not within {seconds:g} seconds."
        else:
            detail = f"Model {name!r} cannot be loaded: it ended its process with {cause_of_end(status)}."
        return Outcome(trial.operation.number, 400, detail)

    def kill_overdue(self) -> None:
        """Kill the trials that take too long."""
        now = time.monotonic()
        for pid, trial in self._running.items():
            if now > trial.deadline and not trial.is_overdue:
                trial.is_overdue = True
                os.kill(pid, signal.SIGKILL)

    def kill(self) -> None:
        """Kill all trials: the endpoint is about to end."""
        for pid in self._running:
            os.kill(pid, signal.SIGKILL)
