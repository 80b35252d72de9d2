"""The progress of jobs, on a terminal and off it."""

import io
import re
import sys
import time

import pytest
from launch.cli import progress

TRAINING = (
    "Training> Name=main_level/agent, Worker=0, Episode={0}, Total reward=-1.0, Steps={0}00, Training iteration=0"
)
TESTING = "Testing> Name=main_level/agent, Worker=0, Episode={0}, Total reward=95.0, Steps={0}00, Training iteration=0"
HEATUP = "Heatup> Name=main_level/agent, Worker=0, Episode={0}, Total reward=-1.0, Steps={0}00, Training iteration=0"
EVALUATION = "Evaluation> Evaluation reward=95.5, Episode=28, Steps=60000, Training iteration=2"


def shown(capsys, progress_of_job, lines):
    with progress_of_job:
        for line in lines:
            progress_of_job(line)
    return [line.removeprefix("  ") for line in capsys.readouterr().out.splitlines()]


@pytest.mark.parametrize("path", ["accelerated, Environments=16", "stock Coach, Reason=accelerate is 0"])
def test_off_a_terminal_training_lines_are_few(capsys, path):
    milestones = [
        "Schedule> Preset=preset-x, Improve steps=60000, Seed=0",
        f"Path> Path={path}",
        "Checkpoint> Starting from the weights in=/opt/ml/checkpoints",
        EVALUATION,
        "Early stopping> Evaluations without a better one=2",
        "Model> Saved in=/opt/ml/model",
        "Error: discount is 1.5.",
    ]
    episodes = [TRAINING.format(episode) for episode in range(50)]
    tests = [TESTING.format(episode) for episode in range(5)]
    lines = shown(
        capsys, progress.TrainingProgress(), [*milestones[:3], "## noise", *episodes, *tests, *milestones[3:]]
    )
    expected_tests = [] if path.startswith("accelerated") else tests
    assert lines == [*milestones[:3], episodes[0], *expected_tests, *milestones[3:]]


def test_a_short_progress_has_an_evaluation_on_a_line(capsys, monkeypatch):
    clock = [100.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: clock[0])
    shows = progress.ShortTrainingProgress()
    lines = []
    for second, line in (
        (0, "Schedule> Preset=preset-x, Improve steps=60000, Seed=0"),
        (1, TRAINING.format(1)),
        (15, TRAINING.format(2)),
        (15.1, TRAINING.format(3)),
        (16, TRAINING.format(4)),
        (20, f"{EVALUATION}, Loss=64.0702, KL divergence=0, Seconds=2.6"),
        (21, "Checkpoint> Saved in=/opt/ml/output/data/checkpoint"),
        (22, "Early stopping> Evaluations without a better one=2"),
        (36, TRAINING.format(5)),
    ):
        clock[0] = 100 + second
        lines += shown(capsys, shows, [line])
    assert lines == [
        "Schedule> Preset=preset-x, Improve steps=60000, Seed=0",
        TRAINING.format(3),
        "Evaluation> Evaluation reward=95.5, Steps=60000, Seconds=2.6",
        "Early stopping> Evaluations without a better one=2",
    ]


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_on_a_terminal_training_counts_the_steps_of_its_schedule(monkeypatch):
    monkeypatch.setattr(sys, "stderr", Terminal())
    with progress.TrainingProgress() as shows:
        shows("Schedule> Preset=preset-x, Improve steps=60000, Seed=0")
        shows("Heatup> Name=main_level/agent, Worker=0, Episode=1, Total reward=-1.0, Steps=10000")
        shows(TRAINING.format(150))
        assert (shows.bar.n, shows.bar.total) == (5000, 60000)
        shows(EVALUATION)
        assert shows.bar.n == 60000


def test_training_lines_come_two_seconds_apart(capsys, monkeypatch):
    clock = [100.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: clock[0])
    shows = progress.TrainingProgress()
    printed = []
    for second in (0.0, 1.9, 2.0, 2.1, 3.9, 4.0, 7.0):
        clock[0] = 100 + second
        shows(TRAINING.format(int(10 * second)))
        printed.append(bool(capsys.readouterr().out))
    assert printed == [True, False, True, False, False, True, True]


@pytest.mark.parametrize("line", ["x Evaluation> ", "Modelling", "Checkpoints", "", HEATUP.format(1), " Error: x"])
def test_off_a_terminal_other_lines_are_not_shown(capsys, line):
    assert shown(capsys, progress.TrainingProgress(), [line]) == []


def test_an_error_is_shown(capsys):
    assert shown(capsys, progress.TrainingProgress(), ["Error: x"]) == ["Error: x"]


def test_on_a_terminal_the_bar_tells_the_last_evaluation_and_is_closed(monkeypatch, capsys):
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    with progress.TrainingProgress() as shows:
        shows("Schedule> Preset=preset-x, Improve steps=60000, Seed=0")
        shows(HEATUP.format(100))
        shows(TRAINING.format(150))
        shows(TRAINING.format(170))
        assert (shows.bar.n, shows.bar.total) == (7000, 60000)
        shows("Evaluation> Evaluation reward=-1.25e+01, Episode=28, Steps=8000, Training iteration=2")
        shows(EVALUATION.replace("95.5", "-12.345").replace("60000", "9000"))
        assert (shows.bar.n, shows.bar.postfix) == (9000, "evaluation reward -12.35")
        shows("## noise")
        assert shows.bar.n == 9000
        shows("Early stopping> Evaluations without a better one=1")
    assert terminal.getvalue().endswith("\n")  # as a closed bar leaves it
    assert capsys.readouterr().out == "  Early stopping> Evaluations without a better one=1\n"


# --- Any wait --------------------------------------------------------------------------------------------------------
def test_a_wait_in_silence_says_what_it_is_for(capsys, monkeypatch):
    monkeypatch.setattr(progress, "SECONDS_OF_SILENCE", 0.05)
    stdout = sys.stdout

    def said_after(seconds: float) -> list[str]:
        time.sleep(seconds)
        return [line.rpartition(":")[0] for line in capsys.readouterr().err.splitlines()]

    with progress.waiting_for("the whole"):
        assert set(said_after(0.3)) == {"Waiting for the whole"}
        with progress.waiting_for("a part"):
            assert set(said_after(0.3)) == {"Waiting for a part"}
        assert set(said_after(0.3)) == {"Waiting for the whole"}
    assert said_after(0.2) == []
    assert sys.stdout is stdout


def test_what_prints_is_not_interrupted(capsys, monkeypatch):
    monkeypatch.setattr(progress, "SECONDS_OF_SILENCE", 1.0)
    with progress.waiting_for("the whole"):
        begin = time.monotonic()
        while time.monotonic() - begin < 1.4:
            print("a line", flush=True)
            time.sleep(0.05)
    printed = capsys.readouterr()
    assert printed.err == ""
    assert re.fullmatch(r"(a line\n)+", printed.out)


def test_a_wait_that_fails_leaves_nothing_behind(capsys, monkeypatch):
    monkeypatch.setattr(progress, "SECONDS_OF_SILENCE", 0.01)
    with pytest.raises(ValueError, match="bad"), progress.waiting_for("the whole"), progress.waiting_for("a part"):
        raise ValueError("bad")
    capsys.readouterr()
    time.sleep(0.1)
    assert capsys.readouterr().err == ""
