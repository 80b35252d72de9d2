"""Forks of a job's process, which step environments, compute gradients or write GIFs: how they end."""

import os
import signal
import threading
import time
from collections.abc import Callable
from typing import Any

from sagemaker_rl.job import stopping


def begin(parent: int, on_signal: Callable[[int, Any], None] | signal.Handlers) -> None:
    """Prepare a fork that was begun with ``stopping.SIGNALS`` blocked: it ends with the job's process, and not before.

    Args:
        parent: the job's process, which may be killed at any time.
        on_signal: what the fork does about SIGTERM and Ctrl-C, since the job decides when it ends.
    """
    for number in stopping.SIGNALS:
        signal.signal(number, on_signal)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, stopping.SIGNALS)
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()


def _end_with(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(1)
    os._exit(1)
