"""``make demo``'s script interrupted, and the build script's and its own mistakes, from the command line.

The whole of ``make demo`` is a command of the README: tests/aws/test_walk_through.py runs it, and looks at its results.
"""

import os
import signal
import subprocess
import sys

import pytest
from jobs import ROOT
from run_script import run_script


def processes_of(folder) -> list[str]:
    """Return the processes whose environment names ``folder``: what the demo has left running."""
    import psutil

    found = []
    for process in psutil.process_iter():
        try:
            if str(folder) in process.environ().get("SAGEMAKER_BASE_DIR", ""):
                found.append(" ".join(process.cmdline()))
        except psutil.Error:
            continue
    return found


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_an_interrupted_demo_ends_what_it_started(tmp_path, number):
    command = [sys.executable, str(ROOT / "scripts/demo.py"), "--runs", str(tmp_path)]
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(number, signal.SIG_DFL),  # ignored where the tests run in the background
    ) as demo:
        assert any("Schedule>" in line for line in demo.stdout)  # it trains
        assert processes_of(tmp_path)
        demo.send_signal(number)
        _, complaint = demo.communicate(timeout=60)
    assert demo.returncode == 128 + number
    assert complaint == "Interrupted.\n"
    assert not processes_of(tmp_path)
    assert not list(tmp_path.rglob(".ml"))
    (log,) = tmp_path.rglob("job.log")
    assert "Schedule>" in log.read_text()
    assert (log.parent / "output" / "success").is_file()  # the job could end as SageMaker would have it end


@pytest.mark.parametrize(
    ("arguments", "status", "sentence"),
    [
        (["-p", "nonsense"], 2, "Error: -p is 'nonsense', expected NAME=VALUE."),
        (["--preset", "preset-mountain-cat"], 1, "RLCOACH_PRESET is 'preset-mountain-cat', which is no preset here"),
        (["-p", "discount=1.5"], 1, "discount is 1.5, expected a number between 0 and 1."),
        (["-p", "RLCOACH_PRESET=preset-mountain-car-dqn"], 2, "Error: -p RLCOACH_PRESET: use --preset.\n"),
        (["-p", "seed=1"], 2, "Error: -p seed: use --seed.\n"),
        (["-p", "save_model=0"], 2, "Error: -p save_model: the demo always saves the model.\n"),
        (["--runs", "/dev/null/x"], 2, "Error: /dev/null/x"),
        (["--engine", "dokcer"], 2, "invalid choice: 'dokcer'"),
    ],
)
def test_mistakes(tmp_path, arguments, status, sentence):
    done = run_script("demo.py", "--runs", str(tmp_path), *arguments, environment=os.environ)
    assert done.returncode == status, done.stdout + done.stderr
    assert sentence in done.stderr
    assert "Traceback" not in done.stdout + done.stderr


@pytest.mark.parametrize("name", ["demo.py --engine docker", "build_images.py"])
def test_no_engine(tmp_path, name):
    done = run_script(*name.split(), environment={**os.environ, "DOCKER_HOST": f"unix://{tmp_path}/no.sock"})
    assert done.returncode == 2
    assert (
        done.stderr == f"Error: No Docker engine answers at unix://{tmp_path}/no.sock, expected one that is running.\n"
    )


@pytest.mark.parametrize("name", ["demo.py", "build_images.py"])
def test_help_has_examples(name):
    done = run_script(name, "--help", environment=os.environ)
    assert done.returncode == 0
    assert "Examples:" in done.stdout
