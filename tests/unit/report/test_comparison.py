"""The table that compares several runs."""

import numpy as np
from job_folders import make_trial
from sagemaker_rl.report.comparison import compare_objectives, compare_runs
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


def test_the_jobs_of_a_tuning_job_are_compared_by_their_objective():
    def tuned(name: str, metrics: list, **hyperparameters: str) -> Run:
        given = {"_tuning_objective_metric": "reward", "seed": "1", "sagemaker_x": name, **hyperparameters}
        description = {"FinalMetricDataList": metrics, "TrainingJobStatus": "Completed"}
        return Run(name, hyperparameters=given, description=description)

    other = {"MetricName": "other", "Value": 3}
    first = tuned("first", [other, {"MetricName": "reward", "Value": 98.456}], rate="0.000123456789", layers="2")
    second = tuned("second", [other], rate="1.5", layers="deep.net")
    second.failure = "x"
    table = compare_objectives(style_runs([first, second]))
    assert table is not None
    assert table.header == ["No.", "reward", "layers", "rate", "Status", "Run"]
    assert table.rows == [
        ["1", "98.46", "2", "0.000123457", "Completed", "first"],
        ["2", "", "deep.net", "1.5", "Failed", "second"],
    ]
    assert compare_objectives(style_runs([first, Run("third")])) is None
    assert compare_objectives(style_runs([Run("third"), Run("fourth")])) is None


def test_a_run_that_failed_early_shows_what_it_was_given():
    known = Run("known", job={"settings": [setting("discount", 0.9, True)]})
    failed = Run("failed", hyperparameters={"discount": "1.5"}, failure="x")
    table = compare_runs(style_runs([known, failed]))
    assert [row[table.header.index("discount")] for row in table.rows] == ["0.9", "1.5"]
