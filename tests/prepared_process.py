"""A process that has imported all that a training job needs, and forks one for each job.

A job then starts in a tenth of a second instead of two or three: for tests of what jobs do, and not of how they start.
"""

import json
import os
import runpy
import socket
import subprocess
import sys
import tempfile
import traceback
from pathlib import Path
from typing import Any

COMMAND = ["sagemaker_rl.training_container", "train"]


class PreparedProcess:
    """Runs jobs one after the other."""

    def __init__(self, environment: dict[str, str]) -> None:
        self._socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            command = [sys.executable, __file__, str(theirs.fileno())]
            self._process = subprocess.Popen(command, env=environment, pass_fds=[theirs.fileno()])

    def run(
        self, folder: Path, environment: dict[str, str], seconds: float, program: Path | None = None
    ) -> tuple[int, str]:
        """Run a job in a folder, or a program of a user's there; return its exit status and what it printed."""
        self._socket.settimeout(seconds)
        with tempfile.TemporaryFile() as output:
            job = {"folder": str(folder), "environment": environment, "program": program and str(program)}
            socket.send_fds(self._socket, [json.dumps(job).encode()], [output.fileno()])
            status = int(self._socket.recv(100))
            output.seek(0)
            return status, output.read().decode("utf-8", "replace")

    def close(self) -> None:
        """End the process."""
        self._socket.close()
        self._process.wait(20)


def serve(connection: socket.socket) -> None:
    """Fork a job for each message, until the other side is closed."""
    from sagemaker_rl.coach.presets import import_coach

    import_coach()
    import sagemaker_rl.report.charts
    import sagemaker_rl.report.job
    import sagemaker_rl.report.page
    import sagemaker_rl.training.graph_methods
    import sagemaker_training.trainer

    while True:
        message, files, _, _ = socket.recv_fds(connection, 2**20, 1)
        if not message:
            return
        pid = os.fork()
        if pid == 0:
            connection.close()
            os._exit(run(json.loads(message), files[0]))
        os.close(files[0])
        _, status = os.waitpid(pid, 0)
        connection.send(str(os.waitstatus_to_exitcode(status)).encode())


def run(job: dict[str, Any], output: int) -> int:
    """Run the training image's entry point, or the job's program; return its exit status."""
    os.dup2(output, 1)
    os.dup2(output, 2)
    os.environ.clear()
    os.environ.update(job["environment"])
    os.chdir(job["folder"])
    sys.path[0] = job["folder"]  # as ``python -m`` has it
    for name in [name for name in sys.modules if name.partition(".")[0] == "sagemaker_training"]:
        del sys.modules[name]  # it reads the environment when it is imported, and what it needs itself stays
    try:
        if job["program"]:
            sys.argv = [job["program"]]
            runpy.run_path(job["program"], run_name="__main__")
        else:
            sys.argv = COMMAND[:]
            runpy.run_module(COMMAND[0], run_name="__main__", alter_sys=True)
        return 0
    except SystemExit as end:
        if end.code is not None and not isinstance(end.code, int):
            print(end.code, file=sys.stderr)
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        traceback.print_exc()
        return 1
    finally:
        sys.stdout.flush()
        sys.stderr.flush()


if __name__ == "__main__":
    serve(socket.socket(fileno=int(sys.argv[1])))
