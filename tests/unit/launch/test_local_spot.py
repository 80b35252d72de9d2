"""A Spot job of local mode is interrupted as often as the test switch says, and starts from its checkpoints."""

from pathlib import Path

import pytest
from launch.cli.errors import UsageError
from launch.local import spot
from local_containers import Running, write

pytest_plugins = ("local_containers",)


@pytest.mark.parametrize("is_spot", [True, False])
def test_a_spot_job_loses_its_instances_and_starts_from_what_was_copied_of_its_checkpoints(run, monkeypatch, is_spot):
    monkeypatch.setenv("RL_LOCAL_SPOT_INTERRUPTIONS", "2")
    monkeypatch.setattr(spot, "SECONDS_UNTIL_INTERRUPTED", (0.05, 0.1))
    found, seconds, warnings = [], [], iter((120, 0))
    monkeypatch.setattr(spot.random, "choice", lambda choices: next(warnings))

    def container(ml: Path, running: Running) -> int:
        found.append({path.name for path in (ml / "checkpoints").iterdir()})
        assert not (ml / "output/data").exists()
        write(ml / "output/data/lost.txt", "")
        number = len(found)
        running.say(f"start {number}")
        if is_spot and number < 3:
            running.stopped.wait()
            seconds.append(running.seconds)
            write(ml / f"checkpoints/of-{number}.txt", "")  # killed, it writes what nobody copies
        write(ml / "model/policy.json", str(number))
        return 0

    config = {"CheckpointConfig": {"S3Uri": f"file://{run.home}/checkpoints"}, "EnableManagedSpotTraining": is_spot}
    record = run(container, **config)
    assert record.status == "Completed"
    again = ["Interrupted", "Downloading", "Training"] * (2 if is_spot else 0)
    expected = ["Downloading", "Training", *again, "Uploading", "Completed"]
    assert [each.status for each in record.transitions] == expected
    assert found == ([set(), {"of-1.txt"}, {"of-1.txt"}] if is_spot else [set()])
    assert seconds == ([120, 0] if is_spot else [])
    lines = (run.job.folder / "logs/algo-1.log").read_text().splitlines()
    assert lines == [f"start {number}" for number in range(1, len(found) + 1)]
    messages = [each.message for each in record.transitions if each.status == "Interrupted"]
    assert [message.rpartition(" away ")[2] for message in messages] == (
        ["120 s after a warning", "without a warning"] if is_spot else []
    )


@pytest.mark.parametrize("setting", ["-1", "1.5", "two", "\u0663"])
def test_the_number_of_interruptions_is_a_whole_number(monkeypatch, setting):
    monkeypatch.setenv("RL_LOCAL_SPOT_INTERRUPTIONS", setting)
    with pytest.raises(UsageError, match=f"^RL_LOCAL_SPOT_INTERRUPTIONS is '{setting}', expected a whole number, 0 or"):
        spot.interruptions_wanted()
