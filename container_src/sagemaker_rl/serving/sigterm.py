"""SIGTERM, by which SageMaker stops an endpoint: handled from the first moment of the process on."""

import os
import signal


def end_process_at_sigterm() -> None:
    """End the process with status 0 as soon as a SIGTERM arrives, without waiting for anything.

    In a container the process is number 1, for which the kernel drops a SIGTERM that has no handler.
    """
    # Not SystemExit: a bare ``except`` in one of the packages that are being imported could swallow it.
    signal.signal(signal.SIGTERM, lambda number, frame: os._exit(0))
