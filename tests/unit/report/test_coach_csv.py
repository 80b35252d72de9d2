"""Coach's CSV is read as far as it is whole."""

import numpy as np
import pytest
from job_folders import render_text
from jobs import CSV
from sagemaker_rl.report.coach_csv import read_coach_csv
from sagemaker_rl.report.run import Run


def test_a_csv_that_was_cut_off(folder):
    file = folder / "output/intermediate" / CSV
    file.write_text(file.read_text()[:-20])
    assert "was cut off: 1 row left out" in render_text(folder)
    assert len(Run.read(folder).series("Training Reward")[2]) == 39


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_row_counts_once_its_line_has_ended(tmp_path, end):
    """However much of it was written when the job was killed; pandas and csv end lines differently."""
    file = tmp_path / "worker.csv"
    first, last = f"Episode #,Training Reward,Wall-Clock Time{end}1,-5.25,0.5{end}", "12,90.125,11.75"
    for number in range(len(last) + 1):
        file.write_text(first + last[:number], newline="")
        content = read_coach_csv(file)
        columns = {name: values.tolist() for name, values in content.columns.items()}
        assert columns == {"Episode #": [1.0], "Training Reward": [-5.25], "Wall-Clock Time": [0.5]}
        assert content.notes == ([f"{file.name} was cut off: 1 row left out."] if number else [])
    file.write_text(first + last + end, newline="")
    assert read_coach_csv(file).columns["Wall-Clock Time"].tolist() == [0.5, 11.75]


@pytest.mark.parametrize("content", ["", "\0\0", "a,b\n1,2\n"])
def test_a_csv_of_something_else(folder, content):
    (folder / "output/intermediate" / CSV).write_text(content)
    assert "has no column 'Episode #'" in " ".join(Run.read(folder).notes)


def test_a_loss_that_is_no_number(folder):
    file = folder / "output/intermediate" / CSV
    file.write_text(file.read_text().replace(",5.0,2.0,", ",nan,2.0,"))
    assert "Loss is not a finite number in 1 row: a gap in its curve." in " ".join(Run.read(folder).notes)
    assert np.isfinite(Run.read(folder).series("Loss/Mean")[2]).all()


def test_a_loss_keeps_its_capitals(folder):
    file = folder / "output/intermediate" / CSV
    file.write_text(
        file.read_text().replace("Loss/Mean,Value", "KL Divergence/Mean,Value", 1).replace("5.0,2", "nan,2")
    )
    assert "KL divergence is not a finite number in 1 row: a gap in its curve." in " ".join(Run.read(folder).notes)


def test_explained_variance_follows_from_the_value_loss(folder):
    run = Run.read(folder)
    np.testing.assert_allclose(run.series("Explained Variance")[2], 1 - 2 * 2.0 / 4.0**2)
