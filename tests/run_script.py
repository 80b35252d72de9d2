"""A script as from the command line, in the test's own process."""

import contextlib
import io
import os
import runpy
import signal
import subprocess
import sys
from collections.abc import Mapping
from unittest import mock

import pytest
from jobs import ROOT
from launch.cli import interruption


def run_script(
    name: str, *arguments: str, environment: Mapping[str, str], input: str = ""
) -> subprocess.CompletedProcess[str]:
    """Run a script in this process, which has imported already what a script needs a second to import.

    That scripts run as processes of their own, too, is shown by ``tests/docs``.
    """
    command = [str(ROOT / "scripts" / name), *map(str, arguments)]
    out, err = io.StringIO(), io.StringIO()
    handlers = {number: signal.getsignal(number) for number in interruption.SIGNALS}
    try:
        with (
            mock.patch.dict(os.environ, environment, clear=True),
            mock.patch.object(sys, "argv", command),
            mock.patch.object(sys, "stdin", io.TextIOWrapper(io.BytesIO(input.encode()))),
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(err),
            pytest.raises(SystemExit) as ended,
        ):
            runpy.run_path(command[0], run_name="__main__")
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
    return subprocess.CompletedProcess(command, int(ended.value.code or 0), out.getvalue(), err.getvalue())
