"""How a script ends: by one sentence, a broken pipe, Ctrl-C while it imports."""

import os
import signal
import subprocess
import sys

import pytest
from jobs import ROOT
from launch.cli import errors, interruption
from launch.local import attached
from stand_ins import REQUEST, FakeEngine, FakeWorkload


def test_a_folder_that_cannot_be_written_is_one_sentence(interruptible, tmp_path, capsys):
    (tmp_path / "file").touch()

    def main():
        attached.run_training_job(FakeEngine(FakeWorkload()), REQUEST, tmp_path / "file" / "x")

    with pytest.raises(SystemExit) as ended:
        errors.run(main)
    assert ended.value.code == 2
    assert capsys.readouterr().err == f"Error: {tmp_path / 'file' / 'x'}: Not a directory.\n"


class Strange(Exception):
    """What a library raises."""


@pytest.mark.parametrize(
    ("raised", "status", "sentence"),
    [
        (None, 0, ""),
        (errors.UsageError("So not."), 2, "Error: So not.\n"),
        (errors.JobFailed("It did."), 1, "Failed: It did.\n"),
        (interruption.Interrupted(signal.SIGTERM), 128 + 15, "Interrupted.\n"),
        (interruption.Interrupted(signal.SIGINT), 128 + 2, "Interrupted.\n"),
        (OSError(28, "No space left on device", "a/b"), 2, "Error: a/b: No space left on device.\n"),
        (OSError(28, "No space left on device"), 2, "Error: [Errno 28] No space left on device.\n"),
        (Strange("usage"), 2, "Error: explained usage\n"),
        (Strange("failure"), 1, "Failed: explained failure\n"),
    ],
    ids=str,
)
def test_a_script_ends_with_a_status_and_a_sentence(interruptible, monkeypatch, capsys, raised, status, sentence):
    explanations = [
        lambda error: None,
        lambda error: errors.UsageError(f"explained {error}") if str(error) == "usage" else None,
        lambda error: errors.JobFailed(f"explained {error}") if isinstance(error, Strange) else None,
    ]
    monkeypatch.setattr(errors, "_explanations", [])
    for explanation in explanations:
        errors.register_explanation(explanation)

    def main():
        if raised:
            raise raised

    with pytest.raises(SystemExit) as ended:
        errors.run(main)
    assert ended.value.code == status
    assert capsys.readouterr().err == sentence


def test_a_fault_of_the_script_keeps_its_traceback(interruptible):
    with pytest.raises(ZeroDivisionError):
        errors.run(lambda: 1 / 0)


@pytest.mark.parametrize("lines", [100_000, 1])
def test_nobody_reads_on(lines):
    """What is still in a buffer when the script ends meets the closed pipe, too."""
    wait = "(print('y', flush=True), sys.stdin.read())"
    program = (
        f"import sys\nfrom launch.cli import errors\nerrors.run(lambda: [{wait}, [print('y') for _ in range({lines})]])"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "scripts"), "PYTHONUNBUFFERED": ""}
    process = subprocess.Popen(
        [sys.executable, "-c", program],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment,
    )
    assert process.stdout.readline() == b"y\n"
    process.stdout.close()
    process.stdin.close()
    assert process.wait(30) == 128 + signal.SIGPIPE
    assert process.stderr.read() == b""
    process.stderr.close()


@pytest.mark.parametrize(
    ("script", "imported"), [("train", "boto3"), ("predict", "botocore"), ("push_images", "docker")]
)
def test_ctrl_c_while_a_script_imports_what_it_needs(tmp_path, script, imported):
    # In short pieces: Python calls no handler for a signal that arrives just before it sleeps until it has slept.
    importing = "import time\nprint('importing', flush=True)\nfor _ in range(600):\n    time.sleep(0.1)\n"
    (tmp_path / f"{imported}.py").write_text(importing)
    process = subprocess.Popen(
        [sys.executable, str(ROOT / f"scripts/{script}.py"), "--help"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    assert process.stdout.readline() == "importing\n"
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert (process.returncode, err) == (128 + signal.SIGINT, "Interrupted.\n")
