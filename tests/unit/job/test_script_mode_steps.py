"""The steps of script mode, each alone: unpacking, installing, running, and passing signals on."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
from sagemaker_rl.errors import InputError
from sagemaker_rl.job import disks, mpi_program, script_mode
from sagemaker_rl.job.failures import ProgramFailed
from sagemaker_rl.job.ml_paths import MLPaths
from sagemaker_rl.job.stopping import SIGNALS, Stopped
from sagemaker_training import entry_point, environment, errors, runner


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("a.sh", b"echo\r\n", True),
        ("a.sh", b"echo\necho\r\n", False),
        ("a.sh", b"echo\r", False),
        ("a.sh", b"", False),
        ("a", b"#!/bin/sh\r\n", True),
        ("a", b"#!/bin/sh\n", False),
        ("a", b"a name\r\n", False),
        ("a.py", b"#!/usr/bin/python\r\n", False),
        ("a.sh", b"#" * 1022 + b"\r\n", True),
        ("a.sh", b"#" * 1023 + b"\r\n", False),  # only so much is read
    ],
)
def test_a_shell_script_from_windows(tmp_path, name, content, expected):
    (tmp_path / name).write_bytes(content)
    assert script_mode._has_windows_lines(tmp_path / name) is expected


def test_a_folder_is_no_shell_script(tmp_path):
    assert script_mode._has_windows_lines(tmp_path) is False


LOGGED = "2026-01-01 10:00:00,1 sagemaker-training-toolkit INFO     Invoking user script\n"


@pytest.mark.parametrize(
    ("stderr", "expected"),
    [
        ("of the program\nin two lines\n", "of the program\nin two lines\n"),
        (f"{LOGGED}of the program\n", "of the program\n"),
        (f"{LOGGED}between\n{LOGGED}of the program\nin two lines\n", "of the program\nin two lines\n"),
        (LOGGED, ""),
        (" sagemaker-training-toolkit INFO\nrest", "rest"),
    ],
)
def test_what_sagemaker_training_logs_is_not_the_programs(stderr, expected):
    assert script_mode._of_the_program(stderr) == expected


def unpack(folder, program, **files) -> tuple[str, dict[str, str]]:
    """Unpack a source of these files; return the program, and what is unpacked."""
    source, code = folder / "source", folder / "code"
    for name, content in files.items():
        file = source / name.replace("__", "/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content)
    source.mkdir(exist_ok=True)
    found = script_mode._unpack(SimpleNamespace(user_entry_point=program, module_dir=str(source)), code)
    files = {str(path.relative_to(code)): path for path in code.rglob("*") if path.is_file()}
    return found, {name: path.read_text() for name, path in files.items()}


def test_a_source_is_unpacked_as_it_is(tmp_path, capsys):
    assert unpack(tmp_path, "main", main="x", other="y") == ("main", {"main": "x", "other": "y"})
    assert "Program>" not in capsys.readouterr().out


def test_the_images_evaluation_program_is_lent_to_a_source_without_one(tmp_path, capsys):
    program, files = unpack(tmp_path, "src/evaluate-coach.py", src__preset="x")
    images = (script_mode.BUNDLED_CODE / "evaluate-coach.py").read_text()
    assert (program, files) == ("src/evaluate-coach.py", {"src/preset": "x", "src/evaluate-coach.py": images})
    assert "Program> Program=src/evaluate-coach.py, Reason=the source has none" in capsys.readouterr().out


def test_an_evaluation_program_of_the_sources_own_is_kept(tmp_path, capsys):
    own = {"evaluate-coach.py": "mine"}
    assert unpack(tmp_path, "evaluate-coach.py", **own) == ("evaluate-coach.py", own)
    assert "Program>" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("program", "reason"),
    [
        (None, "sagemaker_program is missing, expected a script in sagemaker_submit_directory."),
        ("", "sagemaker_program is missing, expected a script in sagemaker_submit_directory."),
        ("train-coach.py", "sagemaker_program is 'train-coach.py', which is not in {source}."),
        ("nowhere/evaluate-coach.py", "sagemaker_program is 'nowhere/evaluate-coach.py', which is not in {source}."),
        ("a.sh", "sagemaker_program is 'a.sh', whose lines end as on Windows (CRLF), expected LF."),
    ],
)
def test_a_program_that_cannot_be_run(tmp_path, program, reason):
    with pytest.raises(InputError) as raised:
        unpack(tmp_path, program, **{"a.sh": "echo\r\n"})
    assert str(raised.value) == f"Hyperparameter {reason.format(source=tmp_path / 'source')}"


def test_a_source_that_cannot_be_unpacked(tmp_path):
    env = SimpleNamespace(user_entry_point="main.py", module_dir=str(tmp_path / "gone.tar.gz"))
    with pytest.raises(
        InputError, match=r"sagemaker_submit_directory is '.*gone.tar.gz', which cannot be unpacked: .*No"
    ):
        script_mode._unpack(env, tmp_path / "code")


@pytest.mark.parametrize("name", ["requirements.txt", "setup.py"])
@pytest.mark.parametrize("kind", [errors.InstallRequirementsError, errors.InstallModuleError])
def test_what_cannot_be_installed_is_named(tmp_path, monkeypatch, kind, name):
    (tmp_path / name).touch()

    def install(program, code):
        assert (program, code) == ("main.py", str(tmp_path))
        os.write(1, b"The conflict is caused by:\n    The user requested a==1\n    b 2 depends on a==2\n\n")
        os.write(2, b"ERROR: No matching distribution found for a==1\n")
        raise kind("pip")

    monkeypatch.setattr(entry_point, "install", install)
    with pytest.raises(InputError) as raised:
        script_mode._install("main.py", tmp_path)
    assert str(raised.value) == f"{name} cannot be installed: it asks for a==1, but b 2 depends on a==2."


def test_a_program_outside_the_source_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "path", sys.path[:])
    with pytest.raises(InputError, match=r"main.py"):
        script_mode._install("../main.py", tmp_path)


@pytest.fixture
def programs(monkeypatch):
    """Have a program of any kind end as the test says; return how, and what was called."""
    ends: dict[str, object] = {"status": 0, "stderr": b"", "mpi": None, "calls": [], "hosts": ["algo-1"]}
    calls = ends["calls"]

    def run():
        calls.append("run")
        os.write(2, ends["stderr"])
        if isinstance(ends["status"], Exception):
            raise ends["status"]
        if ends["status"]:
            raise errors.ExecuteUserScriptError("main.py", return_code=ends["status"])

    monkeypatch.delenv("SM_STUDIO_LOCAL_MODE", raising=False)
    monkeypatch.setattr(environment, "write_env_vars", lambda variables: calls.append(variables))
    monkeypatch.setattr(mpi_program, "wait_until_known", calls.append)
    monkeypatch.setattr(runner, "get", lambda *given: calls.append(given) or SimpleNamespace(run=run))
    monkeypatch.setattr(mpi_program, "run", lambda env, *given: calls.append(given) or run())
    return ends


def run_program(folder, ends) -> None:
    env = SimpleNamespace(
        hosts=ends["hosts"],
        to_env_vars=lambda: {"A": "1"},
        to_cmd_args=lambda: ["--a", "1"],
        additional_framework_parameters={} if ends["mpi"] is None else {"sagemaker_mpi_enabled": ends["mpi"]},
    )
    script_mode._run(env, "main.py", MLPaths(folder))


@pytest.mark.parametrize("mpi", [None, False])
@pytest.mark.parametrize(("studio", "waits"), [(None, True), ("false", True), ("True", False)])
def test_a_program_is_run_once_the_hosts_have_names(tmp_path, monkeypatch, programs, mpi, studio, waits):
    if studio:
        monkeypatch.setenv("SM_STUDIO_LOCAL_MODE", studio)
    programs["mpi"] = mpi
    run_program(tmp_path, programs)
    given = (runner.RunnerType.Process, "main.py", ["--a", "1"], {"A": "1"})
    assert programs["calls"] == [{"A": "1"}, *[["algo-1"]] * waits, given, "run"]


@pytest.mark.parametrize(
    "source", ["from mpi4py import MPI", "import horovod", "from sagemaker_rl.coach_launcher import *"]
)
def test_a_program_that_knows_ranks_is_run_as_such(tmp_path, programs, source):
    write_source(tmp_path, {"lib/ranks.py": source})
    programs["mpi"] = True
    run_program(tmp_path, programs)
    assert programs["calls"] == [{"A": "1"}, ["algo-1"], ("main.py", ["--a", "1"]), "run"]


@pytest.mark.parametrize("mpi", [None, True])
@pytest.mark.parametrize("this", ["algo-1", "algo-2"])
def test_a_program_that_does_not_know_of_others_is_run_on_the_first_host_alone(tmp_path, programs, capsys, mpi, this):
    write_source(tmp_path, {"main.py": "import rl_coach  # no mpi4pyx", "README.md": "mpi4py, SM_HOSTS"})
    configuration = {"current_host": this, "hosts": ["algo-1", "algo-2"]}
    write_source(tmp_path, {"../input/config/resourceconfig.json": json.dumps(configuration)})
    programs.update(mpi=mpi, hosts=["algo-1", "algo-2"])
    run_program(tmp_path, programs)
    given = (runner.RunnerType.Process, "main.py", ["--a", "1"], {"A": "1"})
    assert programs["calls"][1:] == ([["algo-1", "algo-2"], given, "run"] if this == "algo-1" else [])
    line = "Hosts> Hosts=2, Training on=algo-1 alone, Reason=main.py does not know of others\n"
    assert capsys.readouterr().out == line


@pytest.mark.parametrize("mpi", [None, True])
def test_a_program_that_finds_the_other_hosts_by_itself_is_run_on_all(tmp_path, programs, mpi):
    write_source(tmp_path, {"main.py": "import os; os.environ['SM_HOSTS']"})
    programs.update(mpi=mpi, hosts=["algo-1", "algo-2"])
    run_program(tmp_path, programs)
    assert programs["calls"][-1] == "run"


def write_source(folder, files) -> None:
    for name, content in files.items():
        file = folder / "code" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content)


@pytest.mark.parametrize(
    ("status", "stderr", "reason"),
    [
        (3, b"no rows\n", "main.py ended with exit status 3: no rows"),
        (-9, b"", "main.py was killed by signal 9, perhaps out of memory."),
        (1, LOGGED.encode(), "main.py ended with exit status 1; see the log."),
        (
            1,
            b"cat: No space left on device\n",
            "main.py ended with exit status 1: cat: No space left on device (/x is full)",
        ),
    ],
)
def test_a_program_that_fails(tmp_path, monkeypatch, programs, status, stderr, reason):
    monkeypatch.setattr(disks, "full_folder", lambda paths: "/x" if paths.root == tmp_path else None)
    programs.update(status=status, stderr=stderr)
    with pytest.raises(ProgramFailed) as raised:
        run_program(tmp_path, programs)
    assert str(raised.value) == reason


def test_without_a_full_folder_none_is_named(tmp_path, monkeypatch, programs):
    monkeypatch.setattr(disks, "full_folder", lambda paths: None)
    programs.update(status=1, stderr=b"No space left on device")
    with pytest.raises(ProgramFailed, match=r"device$"):
        run_program(tmp_path, programs)


def test_a_program_that_cannot_be_started(tmp_path, programs):
    programs["status"] = errors.ClientError("It cannot be started.")
    with pytest.raises(InputError, match=r"^It cannot be started\.$"):
        run_program(tmp_path, programs)


@pytest.fixture
def _handlers():
    """The process's handlers are put back; SIGINT is ignored where the tests run in the background."""
    handlers = {number: signal.getsignal(number) for number in SIGNALS}
    signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    for number, handler in handlers.items():
        signal.signal(number, handler)


def sleeping() -> subprocess.Popen[bytes]:
    return subprocess.Popen(["sleep", "100"])


@pytest.mark.parametrize("number", SIGNALS)
@pytest.mark.usefixtures("_handlers")
def test_a_signal_reaches_the_programs_and_no_helper(number):
    before = {each: signal.getsignal(each) for each in SIGNALS}
    with sleeping() as helper:
        with script_mode._passing_signals_on(MLPaths(Path())) as stop, sleeping() as first, sleeping() as second:
            assert stop.requested_by == ""
            signal.raise_signal(number)
            assert (first.wait(20), second.wait(20)) == (-number, -number)
            assert stop.requested_by == number.name
            with pytest.raises(Stopped, match=f"^{number.name}$"):
                signal.raise_signal(number)  # none runs any more
        assert helper.poll() is None
        helper.kill()
    assert {each: signal.getsignal(each) for each in SIGNALS} == before


SAVING = """
import pathlib, signal, sys, time
def save(number, frame):
    pathlib.Path("saved").write_text(signal.Signals(number).name)
    sys.exit(0)
signal.signal(signal.SIGTERM, save)
pathlib.Path("ready").touch()
time.sleep(100)
"""


@pytest.mark.parametrize(
    ("script", "status", "left"),
    [
        ("python save.py\necho $? > status", 0, {"saved": "SIGTERM", "status": "0\n"}),
        ("sh -c 'python save.py; exit 3'\n", 3, {"saved": "SIGTERM"}),
        ("trap 'echo trapped > trap; exit 5' TERM\npython save.py", 5, {"saved": "SIGTERM", "trap": "trapped\n"}),
        ("touch ready\nwhile true; do :; done", -signal.SIGTERM, {}),
    ],
    ids=["a shell", "a shell in a shell", "a shell with a trap", "a shell alone"],
)
@pytest.mark.usefixtures("_handlers")
def test_a_signal_reaches_what_a_shell_has_started(tmp_path, script, status, left):
    (tmp_path / "save.py").write_text(SAVING)
    (tmp_path / "entry.sh").write_text(script)
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    with (
        script_mode._passing_signals_on(MLPaths(tmp_path)),
        subprocess.Popen(["bash", "entry.sh"], cwd=tmp_path, env=environment) as shell,
    ):
        deadline = time.monotonic() + 60
        while not (tmp_path / "ready").exists():
            assert time.monotonic() < deadline
            time.sleep(0.01)
        signal.raise_signal(signal.SIGTERM)
        assert shell.wait(60) == status
    found = {file.name: file.read_text() for file in tmp_path.iterdir()}
    assert {name: content for name, content in found.items() if name in ("saved", "status", "trap")} == left


@pytest.mark.usefixtures("_handlers")
def test_handlers_are_put_back_after_a_failure():
    before = [signal.getsignal(number) for number in SIGNALS]
    with pytest.raises(KeyError), script_mode._passing_signals_on(MLPaths(Path())):
        raise KeyError
    assert [signal.getsignal(number) for number in SIGNALS] == before


@pytest.mark.parametrize("at", ["_install", "_run"])
@pytest.mark.parametrize("error", [InputError("It is red."), ProgramFailed("It is red.")])
@pytest.mark.parametrize(("signalled", "written"), [(False, False), (True, False), (True, True)])
@pytest.mark.usefixtures("_handlers")
def test_a_program_that_was_stopped_has_failed_only_if_it_says_so(tmp_path, monkeypatch, at, error, signalled, written):
    paths = MLPaths(tmp_path)
    called = []

    def step(name):
        def run(*given):
            called.append(name)
            if name != at:
                return
            if signalled:
                with sleeping() as program:
                    signal.raise_signal(signal.SIGTERM)
                    program.wait(20)
            if written:
                paths.failure.parent.mkdir()
                paths.failure.write_text("its own words")
            raise error

        return run

    monkeypatch.setattr(environment, "Environment", lambda: "env")
    monkeypatch.setattr(script_mode, "_unpack", lambda env, code: (env, code) == ("env", paths.code) and "main.py")
    for name in ("_install", "_run"):
        monkeypatch.setattr(script_mode, name, step(name))
    expected = Stopped if signalled and not written else type(error)
    with pytest.raises(expected, match="SIGTERM" if expected is Stopped else "It is red."):
        script_mode.run_users_program(paths)
    assert called == ["_install", "_run"][: 1 + (at == "_run")]
