"""The table that compares several runs."""

import numpy as np
from job_folders import make_trial
from sagemaker_rl.report.comparison import compare_runs
from sagemaker_rl.report.run import Run
from sagemaker_rl.report.styles import style_runs

EVALUATIONS = np.array([10.0, 40.0, -5.5, np.nan])


def setting(name, value, changed):
    return {"name": name, "value": value, "changed": changed}


def test_each_run_has_a_row_and_what_any_run_changed_a_column():
    settings = [setting("gae_lambda", 0.997, False), setting("discount", 0.9, True), setting("beta", 2, False)]
    job = {"preset": "a-preset", "seed": 3, "environment": "patient_envs:PatientContinuousMountainCar"}
    metadata = {"environment_steps": 1_000, "train_seconds": 4.0}
    known = Run(
        "a-job",
        job={**job, "settings": settings},
        metadata=metadata,
        columns={"Evaluation Reward": EVALUATIONS},
        trial=make_trial(),
    )
    other = Run("another-job", job={"settings": [setting("beta", 1, True)]}, failure="x")
    table = compare_runs(style_runs([known, other]))
    assert dict(zip(table.header, table.rows[0], strict=True)) == {
        "No.": "1",
        "Run": "a-job",
        "Status": "Completed",
        "Preset": "a-preset",
        "Seed": "3",
        "beta": "2",
        "discount": "0.9",
        "Steps": "1,000",
        "Seconds": "4.0",
        "Steps/s": "250",
        "Best evaluation": "40.00",
        "Unseen starts": "99.20",
        "Worst": "98.60",
        "Below best known": "0.61",
    }
    assert table.header[:7] == ["No.", "Run", "Status", "Preset", "Seed", "beta", "discount"]
    assert table.rows[1] == ["2", "another-job", "Failed", "", "", "1", *[""] * 8]
