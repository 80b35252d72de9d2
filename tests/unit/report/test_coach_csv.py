"""Coach's CSV is read as far as it is whole."""

import numpy as np
import pytest
from job_folders import render_text
from jobs import CSV
from sagemaker_rl.report.run import Run


def test_a_csv_that_was_cut_off(folder):
    file = folder / "output/intermediate" / CSV
    file.write_text(file.read_text()[:-20])
    assert "was cut off: 1 row left out" in render_text(folder)
    assert len(Run.read(folder).series("Training Reward")[2]) == 39


@pytest.mark.parametrize("content", ["", "\0\0", "a,b\n1,2\n"])
def test_a_csv_of_something_else(folder, content):
    (folder / "output/intermediate" / CSV).write_text(content)
    assert "has no column 'Episode #'" in render_text(folder)


def test_a_loss_that_is_no_number(folder):
    file = folder / "output/intermediate" / CSV
    file.write_text(file.read_text().replace(",5.0,2.0,", ",nan,2.0,"))
    assert "Loss is not a finite number in 1 row: a gap in its curve." in render_text(folder)
    assert np.isfinite(Run.read(folder).series("Loss/Mean")[2]).all()


def test_a_loss_keeps_its_capitals(folder):
    file = folder / "output/intermediate" / CSV
    file.write_text(
        file.read_text().replace("Loss/Mean,Value", "KL Divergence/Mean,Value", 1).replace("5.0,2", "nan,2")
    )
    assert "KL divergence is not a finite number in 1 row: a gap in its curve." in render_text(folder)


def test_explained_variance_follows_from_the_value_loss(folder):
    run = Run.read(folder)
    np.testing.assert_allclose(run.series("Explained Variance")[2], 1 - 2 * 2.0 / 4.0**2)
