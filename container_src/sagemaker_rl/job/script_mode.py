"""Script mode: the user's own source, unpacked, its requirements installed, its program run.

As sagemaker-training does it (https://github.com/aws/sagemaker-training-toolkit, its entry_point.py), with a reason for
whatever fails, and SIGTERM or Ctrl-C passed on to what runs.
"""

import contextlib
import errno
import os
import re
import shutil
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sagemaker_rl import pip_failures
from sagemaker_rl.errors import InputError
from sagemaker_rl.job import disks, exit_reasons, hosts, outputs, stopping
from sagemaker_rl.job.failures import ProgramFailed
from sagemaker_rl.job.ml_paths import BUNDLED_CODE, MLPaths
from sagemaker_rl.job.stopping import Stopped
from sagemaker_rl.job.stream_tail import STDERR, STDOUT, StreamTail

RANKS = re.compile(r"\b(mpi4py|horovod|OMPI_COMM_WORLD\w*|sagemaker_rl)\b")
"""What programs name that know ranks: MPI, or this project's launcher."""
HOSTS = re.compile(r"\b(SM_HOSTS|SM_CURRENT_HOST|resourceconfig|current_host|MASTER_ADDR|sagemaker_rl)\b")
"""What programs name that know of other hosts, which they reach by themselves; the launcher lets one train."""
SOURCES = (".py", ".sh")
SHELLS = ("sh", "bash", "dash", "ash", "ksh", "zsh")
EVALUATION_PROGRAM = "evaluate-coach.py"
"""The entry point that the image lends to a source without one of that name."""


def run_as_ranks(program: str, paths: MLPaths) -> None:
    """Run a program of the image as the ranks of the job, from where sagemaker-training has a user's source.

    Raises:
        InputError, ProgramFailed, Stopped: As ``run_users_program``.
    """
    from sagemaker_training import environment

    env = environment.Environment()
    paths.code.mkdir(parents=True, exist_ok=True)
    shutil.copy(BUNDLED_CODE / program, paths.code / program)
    with _passing_signals_on(paths):
        _run(env, program, paths)


def run_users_program(paths: MLPaths) -> None:
    """Run the hyperparameter ``sagemaker_program`` of the source ``sagemaker_submit_directory``.

    Raises:
        InputError: The source cannot be unpacked, or the program cannot be started, or its requirements not installed.
        ProgramFailed: It failed.
        Stopped: SIGTERM or Ctrl-C ended it.
    """
    from sagemaker_training import environment

    env = environment.Environment()
    program = _unpack(env, paths.code)
    # Between the two, the source is as the user sent it, and nothing of it has been imported or installed.
    with _passing_signals_on(paths):
        _install(program, paths.code)
        _run(env, program, paths)


def _unpack(env: Any, code: Path) -> str:
    """Unpack the source into ``code``; return the program's path in it."""
    from sagemaker_training import files

    program = env.user_entry_point
    if not program:
        raise InputError(
            "Hyperparameter sagemaker_program is missing, expected a script in sagemaker_submit_directory."
        )
    try:
        files.download_and_extract(env.module_dir, str(code))
    except Exception as error:  # of S3, of the network, of the archive
        raise InputError(
            f"Hyperparameter sagemaker_submit_directory is {env.module_dir!r}, which cannot be unpacked: {error}"
        ) from None
    if Path(program).name == EVALUATION_PROGRAM and (code / program).parent.is_dir() and not (code / program).exists():
        # The image's, at a place from where Python finds the user's modules and the launcher the user's presets.
        shutil.copy(BUNDLED_CODE / EVALUATION_PROGRAM, code / program)
        outputs.metric_line("Program", Program=program, Reason="the source has none, hence the image's")
    if not (code / program).exists():
        raise InputError(f"Hyperparameter sagemaker_program is {program!r}, which is not in {env.module_dir}.")
    if _has_windows_lines(code / program):
        raise InputError(
            f"Hyperparameter sagemaker_program is {program!r}, whose lines end as on Windows (CRLF), expected LF."
        )
    return str(program)


def _has_windows_lines(program: Path) -> bool:
    r"""Tell whether a shell script was written on Windows: the system would look for ``/bin/bash\r``."""
    if program.suffix == ".py" or not program.is_file():
        return False
    with program.open("rb") as file:
        first = file.readline(1024)
    return first.endswith(b"\r\n") and (first.startswith(b"#!") or program.suffix == ".sh")


def _install(program: str, code: Path) -> None:
    """Install the source's requirements, and the source itself if it has a setup.py."""
    from sagemaker_training import entry_point, errors

    with StreamTail(STDOUT) as stdout, StreamTail(STDERR) as stderr:
        try:
            entry_point.install(program, str(code))
            return
        except (errors.InstallRequirementsError, errors.InstallModuleError):
            pass
        except errors.ClientError as error:  # a name that is none
            raise InputError(str(error)) from None
    file = "requirements.txt" if (code / "requirements.txt").is_file() else "setup.py"
    raise InputError(pip_failures.installation_reason(file, stdout.text, stderr.text, exit_reasons.OWN_IMAGE))


def _run(env: Any, program: str, paths: MLPaths) -> None:
    """Run the program to its end, under mpirun if the job asks for it."""
    from sagemaker_training import environment, errors, runner

    from sagemaker_rl.job import mpi_program

    variables = env.to_env_vars()
    environment.write_env_vars(variables)
    with_mpi = bool(env.additional_framework_parameters.get("sagemaker_mpi_enabled"))
    with_mpi = with_mpi and _names(paths.code, RANKS)
    knows_others = len(env.hosts) == 1 or with_mpi or _names(paths.code, HOSTS)
    if not knows_others and not hosts.trains_here(paths, f"{program} does not know of others"):
        return
    if os.environ.get("SM_STUDIO_LOCAL_MODE", "false").lower() != "true":
        mpi_program.wait_until_known(env.hosts)
    with StreamTail(STDERR) as stderr:
        try:
            if with_mpi:
                mpi_program.run(env, program, env.to_cmd_args())
            else:
                runner.get(runner.RunnerType.Process, program, env.to_cmd_args(), variables).run()
            return
        except errors.ExecuteUserScriptError as error:
            status = int(error.return_code)
        except errors.ClientError as error:
            raise InputError(str(error)) from None
    reason_of = exit_reasons.ranks_reason if with_mpi else exit_reasons.program_reason
    reason = reason_of(program, status, _of_the_program(stderr.text))
    full = disks.full_folder(paths) if os.strerror(errno.ENOSPC) in reason else None
    raise ProgramFailed(f"{reason} ({full} is full)" if full else reason)


def _names(code: Path, words: re.Pattern[str]) -> bool:
    """Tell whether a source names what a program needs to work together with others.

    One that does not would do the same thing on each host.
    """
    files = (file for file in code.rglob("*") if file.suffix in SOURCES and file.is_file())
    return any(words.search(file.read_text(encoding="utf-8", errors="replace")) for file in files)


def _of_the_program(stderr: str) -> str:
    """Leave out what sagemaker-training logs before it starts the program, to this process's standard error."""
    toolkits = stderr.rfind(" sagemaker-training-toolkit ")
    return stderr if toolkits < 0 else stderr[toolkits:].partition("\n")[2]


def _tell(program: Any, number: int) -> None:
    """Send a signal to a program; to what a shell has started in the place of the shell, which would not pass it on.

    A shell that waits for a command dies at once of a signal that it has no trap for, and takes its container along.
    """
    import psutil

    with contextlib.suppress(psutil.NoSuchProcess):
        commands = program.children() if _is_shell(program) else []
        if not commands or stopping.is_caught(
            program.pid, number
        ):  # first, since a shell whose command has ended may have, too
            program.send_signal(number)
        for command in commands:
            _tell(command, number)


def _is_shell(program: Any) -> bool:
    """Tell whether a process is a shell; one that runs a script has the script's name, as ``train.sh``."""
    import psutil

    try:
        return Path(program.exe()).name in SHELLS
    except psutil.AccessDenied:
        return program.name() in SHELLS


@dataclass
class _StopRequest:
    requested_by: str = ""


@contextlib.contextmanager
def _passing_signals_on(paths: MLPaths) -> Iterator[_StopRequest]:
    """Pass SIGTERM and SIGINT on to programs that are started inside the context; raise ``Stopped`` while none runs.

    A program that fails without a reason after it was asked to stop has stopped.
    """
    import psutil

    from sagemaker_rl.job import mpi_program

    helpers = set(psutil.Process().children())  # the upload of intermediate output must outlive the user's program
    stop = _StopRequest()

    def pass_on(number: int, frame: object) -> None:
        stop.requested_by = signal.Signals(number).name
        children = set(psutil.Process().children()) - helpers
        programs = {child for child in children if not mpi_program.is_part_of_mpi(child)}
        if mpi_program.tell_ranks(number, _tell):
            return
        if not programs:
            raise Stopped(stop.requested_by)
        for program in programs:
            _tell(program, number)

    before = {number: signal.getsignal(number) for number in stopping.SIGNALS}
    stopping.handle(pass_on)
    try:
        yield stop
    except (InputError, ProgramFailed):
        if stop.requested_by and not paths.failure.exists():
            raise Stopped(stop.requested_by) from None
        raise
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
