"""A program run as ranks: the command, waiting for other hosts, and telling ranks of a signal."""

import os
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest
from sagemaker_rl.errors import InputError
from sagemaker_rl.job import mpi_program
from sagemaker_training import mpi, params, process

LINE = "Hosts> Waiting for=algo-2, Seconds=0, At most=0.3\n"


@pytest.fixture
def _soon(monkeypatch):
    monkeypatch.setattr(mpi_program, "SECONDS_TO_LINE", 0.1)
    monkeypatch.setattr(mpi_program, "SECONDS_BETWEEN_TRIES", 0.02)
    monkeypatch.setenv(mpi_program.LIMIT, "0.3")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.mark.usefixtures("_soon")
def test_hosts_that_never_come_up_end_the_job_with_a_line_before(monkeypatch, capsys):
    with pytest.raises(InputError) as raised:
        mpi_program._wait_for("algo-2", lambda host: False)
    assert str(raised.value) == "Host algo-2 has not come up within 0 s (SAGEMAKER_RL_HOSTS_TIMEOUT); the job ends."
    assert LINE in capsys.readouterr().out


@pytest.mark.parametrize("limit", ["soon", "", "-1", "nan", "inf"])
def test_a_limit_that_is_no_number_of_seconds_is_refused(monkeypatch, limit):
    monkeypatch.setenv(mpi_program.LIMIT, limit)
    with pytest.raises(InputError, match=rf"^Environment variable {mpi_program.LIMIT} is '{limit}', expected a number"):
        mpi_program._wait_for("algo-2", lambda host: True)


@pytest.mark.usefixtures("_soon")
def test_a_host_that_is_there_is_not_waited_for(capsys):
    mpi_program.wait_until_known(["localhost"])
    assert capsys.readouterr().out == ""
    with pytest.raises(InputError, match=r"^Host no\.such\.host\.invalid has not come up"):
        mpi_program.wait_until_known(["localhost", "no.such.host.invalid"])


@pytest.mark.parametrize(("greeting", "expected"), [(b"SSH-2.0-OpenSSH\r\n", True), (b"HTTP", False), (b"", False)])
def test_a_host_lets_in_once_its_sshd_answers(monkeypatch, greeting, expected):
    with socket.create_server(("127.0.0.1", 0)) as server:
        monkeypatch.setattr(mpi_program, "SSH_PORT", server.getsockname()[1])

        def answer():
            connection, _ = server.accept()
            with connection:
                connection.sendall(greeting)

        thread = threading.Thread(target=answer)
        thread.start()
        assert mpi_program._lets_in("127.0.0.1") is expected
        thread.join()
    assert mpi_program._lets_in("127.0.0.1") is False


def environment(**given):
    parameters = {params.MPI_PROCESSES_PER_HOST: 2, **given.pop("parameters", {})}
    defaults = {
        "distribution_hosts": ["localhost"],
        "current_host": "localhost",
        "network_interface_name": None,
        "current_instance_type": "local",
        "additional_framework_parameters": parameters,
    }
    return SimpleNamespace(**{**defaults, **given})


@pytest.fixture
def commands(monkeypatch):
    """Have mpirun start nothing; return the commands."""
    started = []
    monkeypatch.setattr(mpi_program.shutil, "which", lambda name: f"/usr/bin/{name}")
    monkeypatch.setattr(mpi, "_modelparallel_environment_command", lambda instance_type: [])  # reads /opt/ml
    monkeypatch.setattr(process, "check_error", lambda command, *rest, **options: started.append(command))
    for name in ("TMPDIR", "LD_LIBRARY_PATH"):
        monkeypatch.setenv(name, "/x")
    return started


@pytest.mark.parametrize("processes", [1, 2, 3])
def test_one_host_needs_no_ssh_and_no_other_name(commands, monkeypatch, processes):
    monkeypatch.setattr(mpi_program.ssh_keys, "install", lambda: pytest.fail("no other host is to be let in"))
    mpi_program.run(environment(parameters={params.MPI_PROCESSES_PER_HOST: processes}), "main.py", ["--a", "1"])
    (command,) = commands
    assert command[0] == "env"
    assert not Path(command[1].removeprefix("TMPDIR=")).exists()  # it goes with the ranks
    assert command[2:7] == ["setpriv", "--pdeathsig", "TERM", "--", "mpirun"]
    assert os.environ["TMPDIR"] == "/x"
    assert command[-6:] == [sys.executable, "-m", "mpi4py", "main.py", "--a", "1"]
    assert command[command.index("-np") + 1] == str(processes)
    assert not [part for part in command if part.startswith("LD_PRELOAD") or part in ("--tag-output", "--display-map")]
    assert command[command.index("mpi_yield_when_idle") + 1] == "1"
    assert command[command.index("btl_tcp_if_include") + 1] == "lo"


@pytest.mark.parametrize(("named", "expected"), [("eth1", "eth1"), ("ethwe", "eth0"), (None, "lo")])
def test_hosts_talk_by_an_interface_that_is_there(commands, monkeypatch, named, expected):
    """The official SDK's version 3 names ``ethwe`` in its local mode."""
    present = [(1, "lo"), (2, "eth0"), (3, "eth1")]
    monkeypatch.setattr(mpi_program.socket, "if_nameindex", lambda: present)
    mpi_program.run(environment(network_interface_name=named), "main.py", [])
    (command,) = commands
    assert {command[command.index(f"{kind}_tcp_if_include") + 1] for kind in ("btl", "oob")} == {expected}


def test_an_option_of_the_jobs_own_stands_in_the_place_of_ours(commands):
    """Mpirun refuses a parameter that is listed twice."""
    own = "-mca mpi_yield_when_idle 0 --mca oob_tcp_keepalive_time 99"
    mpi_program.run(environment(parameters={params.MPI_CUSTOM_OPTIONS: own}), "main.py", [])
    (command,) = commands
    for name, value in (("mpi_yield_when_idle", "0"), ("oob_tcp_keepalive_time", "99")):
        assert command.count(name) == 1
        assert command[command.index(name) + 1] == value
    assert command.count("oob_tcp_keepalive_intvl") == 1


def test_a_value_that_only_hosts_may_know_is_not_passed_on(commands, monkeypatch):
    monkeypatch.setenv(mpi_program.ssh_keys.SHARED_VALUE, "hidden")
    monkeypatch.setenv("MINE", "1")
    mpi_program.run(environment(), "main.py", [])
    (command,) = commands
    passed = {command[index + 1] for index, part in enumerate(command) if part == "-x"}
    assert "MINE" in passed
    assert not {mpi_program.ssh_keys.SHARED_VALUE, "HOME", "HOSTNAME"} & passed


@pytest.mark.parametrize("processes", [0, "two", None, 1.5])
def test_a_number_of_processes_that_is_none_is_refused(commands, processes):
    with pytest.raises(InputError, match=rf"is {processes!r}, expected 1 or more\.$"):
        mpi_program.run(environment(parameters={params.MPI_PROCESSES_PER_HOST: processes}), "main.py", [])
    assert commands == []


def test_without_openmpi_a_sentence_says_so(monkeypatch):
    monkeypatch.setattr(mpi_program.shutil, "which", lambda name: None)
    with pytest.raises(InputError, match=r"mpirun is not installed here\.$"):
        mpi_program.run(environment(), "main.py", [])


SLEEP = "import signal, sys, time; signal.signal(signal.SIGTERM, lambda *_: sys.exit(7)); print(); time.sleep(100)"
RANK = f"import subprocess, sys; sys.exit(subprocess.run([sys.executable, '-c', {SLEEP!r}]).returncode)"


def send(process, number):
    process.send_signal(number)


def test_ranks_are_told_and_mpirun_is_not(tmp_path):
    launcher = tmp_path / "mpirun"
    launcher.symlink_to(sys.executable)
    environment = {**os.environ, mpi_program.RANK: "0", "PYTHONHOME": sys.base_prefix}
    assert mpi_program.tell_ranks(signal.SIGTERM, send) is False
    with subprocess.Popen([launcher, "-c", RANK], env=environment, stdout=subprocess.PIPE) as running:
        running.stdout.readline()
        assert psutil.Process(running.pid).name() == "mpirun"
        assert mpi_program.is_part_of_mpi(psutil.Process(running.pid))
        assert mpi_program.tell_ranks(signal.SIGTERM, send) is True
        assert running.wait(20) == 7


def test_other_children_are_no_part_of_mpi():
    with subprocess.Popen(["sleep", "100"]) as child:
        assert not mpi_program.is_part_of_mpi(psutil.Process(child.pid))
        assert mpi_program.tell_ranks(signal.SIGTERM, send) is False
        child.kill()
