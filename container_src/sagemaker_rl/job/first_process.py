"""The first process of a container that a shell would be, which the kernel delivers no SIGTERM to.

SDK v3 replaces the image's entry point by ``bash -c ...`` if it is given a source (ModelTrainer's ``source_code``).
Bash reads the file that BASH_ENV names before it does anything (``first_process.sh``), and there becomes this program:
it runs the same command as a child, and passes signals on to those below that listen.
"""

import os
import subprocess
import sys
from types import FrameType

from sagemaker_rl.job import stopping


def main() -> None:
    """Run the command that the arguments are to its end, and end the process with its status."""
    stopping.handle(_pass_on)
    command = subprocess.Popen(sys.argv[1:])
    while True:
        pid, status = os.wait()  # orphans become children of a container's first process, which has to reap them
        if pid == command.pid:
            code = os.waitstatus_to_exitcode(status)
            sys.exit(code if code >= 0 else 128 - code)


def _pass_on(number: int, frame: FrameType | None) -> None:
    """Tell the processes that have a handler; all of them while none has, for then the job has not begun."""
    import psutil

    processes = psutil.Process().children(recursive=True)
    for process in [each for each in processes if stopping.is_caught(each.pid, number)] or processes:
        try:
            process.send_signal(number)
        except psutil.NoSuchProcess:
            continue


if __name__ == "__main__":
    main()
