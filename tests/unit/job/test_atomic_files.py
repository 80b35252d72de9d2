"""What a job writes is old or new and whole, whatever happens while it is written."""

import json

from faulty_writes import check
from sagemaker_rl.errors import InputError
from sagemaker_rl.job import failures, outputs

pytest_plugins = ("faulty_writes",)


def test_a_json_file(disk):
    file = disk / "evaluation.json"
    outputs.write_json(file, {"mean_return": 1.0})
    content = {"mean_return": float("nan"), "returns": [1.0, float("inf")], "seconds": (0.5, 2)}
    check(disk, lambda: outputs.write_json(file, content), lambda: json.loads(file.read_text()))
    assert json.loads(file.read_text()) == {"mean_return": None, "returns": [1.0, None], "seconds": [0.5, 2]}


def test_the_failure_file_is_whole_or_missing(disk, capsys):
    """SageMaker reads it; where it cannot be written, the log has the reason and the sentence about the file."""
    file = disk / "output/failure"

    def fail() -> None:
        raise InputError("x" * 2000)

    def read() -> str | None:
        return file.read_text() if file.exists() else None

    def write() -> None:
        assert failures.run(fail, file) == "x" * failures.FAILURE_REASON_LENGTH
        printed = capsys.readouterr().err
        assert f"Error: {'x' * 1024}\n" in printed
        if read() is None:
            assert f"The failure file {file} cannot be written: " in printed
            raise OSError

    assert failures.FAILURE_REASON_LENGTH == 1024
    check(disk, write, read)
