"""Why a program ended: one sentence from its exit status and from what it wrote to standard error at its end.

https://docs.python.org/3/library/traceback.html, https://docs.python.org/3/library/subprocess.html#subprocess.Popen.returncode
"""

import itertools
import re
import signal

from sagemaker_rl.pip_failures import TERMINAL_CODES, last_line, shown_lines

EXCEPTION = re.compile(r"[A-Za-z_][\w.<>]*(: |:$|$)")
"""The line of a traceback that names the exception: unindented, a dotted name, and perhaps a message."""
IN_A_TRACEBACK = ('  File "', "Traceback (most recent call last):")
"""A syntax error in the program itself has the first without the second."""
MAX_LINES_AFTER_A_TRACEBACK = 20
"""More than that, and the program went on after it: the exception was caught."""
MAX_MESSAGE_LINES = 5
IGNORED = "Exception ignored in"
"""Before the traceback of a finalizer, which ends no program."""
MPI_TAG = re.compile(r"^\[\d+,[^\]]*\]<std(?:err|out)>: ?")
"""What ``mpirun --tag-output`` puts before a line."""
MPI_BLOCK = re.compile(r"^-{20,}\n.*?^-{20,}\n", re.MULTILINE | re.DOTALL)
"""What mpirun says itself, which stands between two lines."""
MPI_KILLED = re.compile(r"process rank (\d+) with PID \d+ on node (\S+)\s+exited on\s+signal (\d+)")
MPI_LEFT = re.compile(r"process rank (\d+) with PID \d+ on\s+node (\S+)\s+exiting\s+improperly")
"""It ended by itself, with exit status 0, while the others went on."""
MPI_ENDED = re.compile(r"Process name: \[\[\d+,\d+\],(\d+)\]\s+Exit code:\s+(\d+)")
MPI_REFUSED = re.compile(r"^(?:mpirun: )?(.*)\n+Type 'mpirun --help' for usage", re.MULTILINE)
MPI_LOST = re.compile(r"ORTE has lost communication with a remote daemon.*?Remote daemon: \S+ on node (\S+)", re.DOTALL)
MPI_DENIED = re.compile(r"Permission denied \([\w,-]+\)|Host key verification failed")
OWN_IMAGE = "install it in an image of your own (docs/environments.md)"


def missing_module(name: str) -> str:
    """Return the sentence about a module that can be imported neither from the source nor from the image."""
    return (
        f"No module named {name!r} in the source or in the image: name its package in requirements.txt, or {OWN_IMAGE}."
    )


def program_reason(program: str, status: int, stderr: str) -> str:
    """Return why a program failed.

    Args:
        program: its file's name.
        status: its exit status; negative if a signal ended it, or 128 more than the signal if a shell says so.
        stderr: the end of what it wrote to standard error.
    """
    number = signal_of(status)
    if number is not None:
        return f"{program} was killed by signal {number}{_meaning(number)}."
    lines = _without_ignored(_lines(stderr))
    exception = last_exception(lines)
    if exception:
        missing = re.fullmatch(r"ModuleNotFoundError: No module named '([^']+)'", exception)
        if missing:
            return f"{program} failed with ModuleNotFoundError: {missing_module(missing[1])}"
        return f"{program} failed with {exception}"
    last = last_line(lines)
    return f"{program} ended with exit status {status}{': ' + last if last else '; see the log.'}"


def ranks_reason(program: str, status: int, output: str) -> str:
    """Return why a program failed that mpirun ran as several ranks; arguments as of ``program_reason``."""
    text = TERMINAL_CODES.sub("", output)
    if killed := MPI_KILLED.search(text):
        number = int(killed[3])
        return f"Rank {killed[1]} of {program} on {killed[2]} was killed by signal {number}{_meaning(number)}."
    if lost := MPI_LOST.search(text):
        return f"Host {lost[1]} of the job was lost while {program} ran; its ranks end with it."
    if denied := MPI_DENIED.search(text):
        return f"The ranks of {program} cannot be started on another host: {denied[0]}."
    own = MPI_BLOCK.sub("", text)
    errors = [line.removeprefix("Error: ") for line in _lines(own) if line.startswith("Error: ")]
    if errors:
        return errors[0]
    if last_exception(_lines(own)):
        return program_reason(program, status, own)
    if left := MPI_LEFT.search(text):
        return f"Rank {left[1]} of {program} on {left[2]} ended by itself, with exit status 0, while others went on."
    if ended := MPI_ENDED.search(text):
        return f"Rank {ended[1]} of {program} ended with exit status {ended[2]}; see the log."
    if refused := MPI_REFUSED.search(text):
        return f"mpirun does not take hyperparameter sagemaker_mpi_custom_mpi_options: {refused[1].strip()}"
    return program_reason(program, status, own)


def signal_of(status: int) -> int | None:
    """Return the signal that an exit status stands for; None if it stands for none."""
    number = -status if status < 0 else status - 128
    return number if number in signal.valid_signals() else None


def _meaning(number: int) -> str:
    if number == signal.SIGKILL:
        return ", perhaps out of memory"
    description = signal.strsignal(number)
    return f" ({description.lower()})" if description else ""


def _lines(text: str) -> list[str]:
    """Return a log's lines as a terminal would show them, without what mpirun puts before them."""
    return [MPI_TAG.sub("", line) for line in shown_lines(text)]


def last_exception(lines: list[str]) -> str:
    """Return the line that names the exception of the last traceback; empty if the log does not end with one."""
    marks = [index for index, line in enumerate(lines) if line.startswith(IN_A_TRACEBACK)]
    if not marks:
        return ""
    for index in range(marks[-1] + 1, len(lines)):
        line = lines[index]
        if not line or line[0].isspace():  # source lines, and an empty one that a message may begin with
            continue
        after = lines[index + 1 :]
        if not EXCEPTION.match(line) or sum(map(bool, after)) > MAX_LINES_AFTER_A_TRACEBACK:
            return ""
        message = [line, *itertools.takewhile(_continues_a_message, after[: MAX_MESSAGE_LINES - 1])]
        return " ".join(part.strip() for part in message)
    return ""


def _without_ignored(lines: list[str]) -> list[str]:
    """Leave out the tracebacks of finalizers."""
    kept = []
    in_ignored = False
    for line in lines:
        if line.startswith(IGNORED):
            in_ignored = True
        elif not in_ignored:
            kept.append(line)
        elif line and not line[0].isspace() and not line.startswith(IN_A_TRACEBACK):
            in_ignored = False  # the line that names the exception is its last
    return kept


def _continues_a_message(line: str) -> bool:
    return bool(line.strip()) and not line.startswith("---")  # mpirun puts what it says between such lines


def own_words(error: Exception) -> str:
    """Return an exception's message in one line; of MXNet's, which begin with C++ frames, the line after them."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip() and not _is_frame(line)]
    return " ".join(lines[:MAX_MESSAGE_LINES]).removeprefix(f"{type(error).__name__}: ")


def _is_frame(line: str) -> bool:
    return line.startswith((*IN_A_TRACEBACK, "  [bt]"))
