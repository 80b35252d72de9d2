"""How a script ends: by one sentence, a broken pipe, Ctrl-C while it imports."""

import os
import signal
import subprocess
import sys

import pytest
from jobs import ROOT
from launch.cli import errors
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


def test_nobody_reads_on():
    program = "from launch.cli import errors\nerrors.run(lambda: [print('y') for _ in range(100_000)])"
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "scripts")}
    process = subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment
    )
    assert process.stdout.readline() == b"y\n"
    process.stdout.close()
    assert process.wait(30) == 128 + signal.SIGPIPE
    assert process.stderr.read() == b""
    process.stderr.close()


@pytest.mark.parametrize(
    ("script", "imported"), [("train", "boto3"), ("predict", "botocore"), ("push_images", "docker")]
)
def test_ctrl_c_while_a_script_imports_what_it_needs(tmp_path, script, imported):
    (tmp_path / f"{imported}.py").write_text("import time\nprint('importing', flush=True)\ntime.sleep(60)\n")
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
