"""Coach's CSV is read as far as it is whole."""

import numpy as np
import pytest
from jobs import CSV
from sagemaker_rl.report.coach_csv import read_coach_csv
from sagemaker_rl.report.run import Run


def notes_of(folder):
    return " ".join(Run.read(folder).notes)


def test_a_csv_that_was_cut_off(folder):
    file = folder / "output/intermediate" / CSV
    file.write_text(file.read_text()[:-20])
    assert "was cut off: 1 row left out" in notes_of(folder)
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


ROWS = """Episode #,Wall-Clock Time,Training Reward,Evaluation Reward,Value Loss/Mean,Value Targets/Stdev,Another
2,0.5,-7,,2,4,1
9,1.5,x,-3.5,3,4,1
10,,inf,nan,3,0,1
11,2.5,8,,-1,-2,1
"""


def test_each_column_has_its_own_values(tmp_path):
    (tmp_path / "a.csv").write_text(ROWS)
    content = read_coach_csv(tmp_path / "a.csv")
    expected = {
        "Episode #": [2, 9, 10, 11],
        "Wall-Clock Time": [0.5, 1.5, np.nan, 2.5],
        "Training Reward": [-7, np.nan, np.inf, 8],
        "Evaluation Reward": [np.nan, -3.5, np.nan, np.nan],
        "Value Loss/Mean": [2, 3, 3, -1],
        "Value Targets/Stdev": [4, 4, 0, -2],
        # one minus twice the loss by the variance
        "Explained Variance": [1 - 4 / 16, 1 - 6 / 16, np.nan, 1 + 2 / 4],
    }
    assert content.columns.keys() == expected.keys()
    for name, values in expected.items():
        np.testing.assert_equal(content.columns[name], np.array(values, float), name)
    assert content.lost_evaluations == 1
    assert content.notes == [
        "Training reward is not a finite number in 2 rows: a gap in its curve.",
        "Evaluation reward is not a finite number in 1 row: a gap in its curve.",
    ]


@pytest.mark.parametrize(
    ("evaluations", "lost"),
    [("", 0), ("1 2", 0), ("nan 2", 0), ("1 nan", 1), ("1 nan 2 nan nan", 2), ("nan nan nan", 3), ("inf", 1)],
)
def test_evaluations_after_the_last_finite_one_are_lost(tmp_path, evaluations, lost):
    rows = ["Episode #,Evaluation Reward", "1,", *(f"2,{value}" for value in evaluations.split()), "3,"]
    (tmp_path / "a.csv").write_text("\n".join(rows))
    assert read_coach_csv(tmp_path / "a.csv").lost_evaluations == lost


def test_a_series_is_where_its_column_is_finite(folder):
    (folder / "output/intermediate" / CSV).write_text(ROWS)
    episodes, seconds, values = Run.read(folder).series("Training Reward")
    assert (episodes.tolist(), seconds.tolist(), values.tolist()) == ([2, 11], [0.5, 2.5], [-7, 8])
    assert [part.tolist() for part in Run.read(folder).series("Another")] == [[], [], []]
    assert [part.tolist() for part in Run("a").series("Training Reward")] == [[], [], []]


def test_a_csv_that_cannot_be_read(folder):
    file = folder / "output/intermediate" / CSV
    file.unlink()
    file.mkdir()
    assert any(note.startswith(f"{CSV} cannot be read: ") for note in Run.read(folder).notes)
