"""A program run as the ranks of a job, on all its hosts, by sagemaker-training's runner and OpenMPI's mpirun.

The first host starts mpirun; the others wait for it (sagemaker_training/mpi.py, 5.1.4). On one host mpirun needs no
other, no ssh, and none of that runner's waiting.
"""

import contextlib
import os
import shutil
import socket
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sagemaker_training import environment, mpi, params, process

from sagemaker_rl.errors import InputError
from sagemaker_rl.job import outputs, ssh_keys

SSH_PORT = 22
SECONDS_TO_LINE = 15.0
"""After which the log says what the job waits for."""
SECONDS_BETWEEN_TRIES = 0.5
LIMIT = "SAGEMAKER_RL_HOSTS_TIMEOUT"
"""The environment variable of how many seconds hosts wait for each other, if others than SECONDS_FOR_HOSTS."""
SECONDS_FOR_HOSTS = 900.0
OF_A_HOST = ("HOME", "HOSTNAME", "PWD", "OLDPWD", "SHLVL", "_")
"""Environment variables that are not passed on to other hosts."""
KEEPALIVE = {"time": 8, "intvl": 3, "probes": 4}
"""Seconds without a word, then between questions, and how many of those: after 20 s another host is lost."""
PARAMETERS = {
    **{f"oob_tcp_keepalive_{name}": value for name, value in KEEPALIVE.items()},
    "mpi_yield_when_idle": 1,  # who waits leaves its core to who computes
}
"""Of mpirun, where the job's own options have no other: it refuses one that is listed twice."""
RANK = "OMPI_COMM_WORLD_RANK"
"""The environment variable that each rank has."""
LAUNCHERS = ("mpirun", "orterun", "orted")
"""Whose children are ranks: OpenMPI's, on the first host and on the others."""


def run(env: Any, program: str, arguments: list[str]) -> None:
    """Run a program in the folder of the user's source as ranks, or wait for those of the first host to end.

    Args:
        env: sagemaker-training's Environment.
        program: its file.
        arguments: its own.

    Raises:
        InputError: The job asks for what cannot be done, or its hosts do not come up.
        sagemaker_training.errors.ExecuteUserScriptError: mpirun failed.
    """
    if shutil.which("mpirun") is None:
        raise InputError("Hyperparameter sagemaker_mpi_enabled is set, but OpenMPI's mpirun is not installed here.")
    processes = env.additional_framework_parameters.get(params.MPI_PROCESSES_PER_HOST, 1)
    if not isinstance(processes, int) or processes < 1:
        raise InputError(f"Hyperparameter {params.MPI_PROCESSES_PER_HOST} is {processes!r}, expected 1 or more.")
    os.environ.setdefault("LD_LIBRARY_PATH", "")  # the runner passes it on, and mpirun warns where there is none
    variables = {name: value for name, value in os.environ.items() if name not in (*OF_A_HOST, ssh_keys.SHARED_VALUE)}
    hosts = list(env.distribution_hosts)
    if len(hosts) > 1:
        ssh_keys.install()
    runner: mpi.MasterRunner | mpi.WorkerRunner
    if env.current_host != hosts[0]:
        runner = _OtherHost(program, arguments, variables, processes, hosts[0], env.current_host)
    else:
        runner = _FirstHost(
            program,
            arguments,
            variables,
            processes,
            hosts[0],
            hosts,
            str(env.additional_framework_parameters.get(params.MPI_CUSTOM_OPTIONS) or ""),
            _network_interface(env.network_interface_name),
            instance_type=env.current_instance_type,
        )
    runner.run()


def _network_interface(named: str | None) -> str:
    """Return the interface by which ranks talk: the one that the job names.

    In place of one that is not there it is Docker's: the official SDK's version 3 names one in its local mode that
    containers do not have.
    """
    present = [name for _, name in socket.if_nameindex()]
    return "eth0" if named and named not in present and "eth0" in present else named or "lo"


class _FirstHost(mpi.MasterRunner):
    """Starts mpirun once all hosts are there."""

    def run(self, wait: bool = True, capture_error: bool = False) -> Any:
        if len(self._hosts) > 1:
            return super().run(wait, capture_error)
        with tempfile.TemporaryDirectory(prefix="ranks-") as folder:  # also of a rank that is killed
            command = ["env", f"TMPDIR={folder}", *self._create_command()]
            return process.check_error(
                command, [], self._processes_per_host, capture_error=False, cwd=environment.code_dir
            )

    def _wait_for_workers(self) -> None:
        for host in self._hosts[1:]:
            _wait_for(host, _lets_in)

    def _create_command(self) -> list[str]:
        # The lines of a log are the first rank's alone: nobody needs to be told which rank's they are.
        command = [part for part in super()._create_command() if part not in ("--tag-output", "--display-map")]
        chosen = [(name, value) for name, value in PARAMETERS.items() if name not in command]
        command[1:1] = [part for name, value in chosen for part in ("-mca", name, str(value))]
        if len(self._hosts) == 1:  # what is preloaded gives a host SageMaker's name of it
            preloaded = next(index for index, part in enumerate(command) if part.startswith("LD_PRELOAD="))
            del command[preloaded - 1 : preloaded + 1]
            if shutil.which("setpriv"):  # in a container process 1 takes all others along
                command[:0] = ["setpriv", "--pdeathsig", "TERM", "--"]
        return command


class _OtherHost(mpi.WorkerRunner):
    """Lets the first host in, and waits until its ranks have ended here."""

    def _wait_master_to_start(self) -> None:
        _wait_for(self._master_hostname, _lets_in)

    def _wait_for_status_file(self, status_file: str) -> bool:
        while not Path(status_file).exists():
            if not _lets_in(self._master_hostname):  # it has failed, and the job with it
                return False
            time.sleep(1)
        return True


def wait_until_known(hosts: list[str]) -> None:
    """Wait until the names of all hosts can be resolved.

    Raises:
        InputError: They cannot within the limit.
    """
    for host in hosts:
        _wait_for(host, _is_known)


def tell_ranks(number: int, tell: Callable[[Any, int], None]) -> bool:
    """Have ``tell`` send a signal to each rank of this job on this host; return whether there are any.

    mpirun itself would end them at once. What it has started here, and orted in a container, are below this process.
    """
    import psutil

    ranks = []
    for candidate in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.Error):
            parent = candidate.parent()
            if parent is not None and parent.name() in LAUNCHERS and RANK in candidate.environ():
                ranks.append(candidate)
    for rank in ranks:
        with contextlib.suppress(psutil.Error):
            tell(rank, number)
    return bool(ranks)


def is_part_of_mpi(child: Any) -> bool:
    """Tell whether a child process is sshd, or a rank that orted has left behind: neither is to be waited for."""
    import psutil

    try:
        return bool(child.name() == "sshd" or RANK in child.environ())
    except psutil.Error:
        return True


def _wait_for(host: str, is_there: Callable[[str], bool]) -> None:
    limit = _limit()
    began = said = time.monotonic()
    while not is_there(host):
        now = time.monotonic()
        if now - began > limit:
            raise InputError(f"Host {host} has not come up within {limit:.0f} s ({LIMIT}); the job ends.")
        if now - said > SECONDS_TO_LINE:
            said = now
            outputs.metric_line("Hosts", Waiting_for=host, Seconds=round(now - began), At_most=limit)
        time.sleep(SECONDS_BETWEEN_TRIES)


def _limit() -> float:
    """Return for how many seconds hosts wait for each other.

    Raises:
        InputError: The environment says something else than a number of seconds.
    """
    given = os.environ.get(LIMIT, str(SECONDS_FOR_HOSTS))
    try:
        limit = float(given)
    except ValueError:
        limit = -1.0
    if not 0 <= limit < float("inf"):
        raise InputError(f"Environment variable {LIMIT} is {given!r}, expected a number of seconds.")
    return limit


def _is_known(host: str) -> bool:
    try:
        socket.gethostbyname(host)
    except OSError:
        return False
    return True


def _lets_in(host: str) -> bool:
    """Tell whether a host's sshd answers."""
    try:
        with socket.create_connection((host, SSH_PORT), timeout=2) as connection:
            connection.settimeout(2)
            return connection.recv(4) == b"SSH-"
    except OSError:
        return False
