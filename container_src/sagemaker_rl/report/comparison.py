"""The tables that compare several runs, or the training jobs of a tuning job."""

from typing import Any

from sagemaker_rl.report.coach_csv import EVALUATION_REWARD
from sagemaker_rl.report.facts import PRESET, SEED, SPEED, STEPS, TRAINING_TIME, list_facts
from sagemaker_rl.report.formatting import format_number
from sagemaker_rl.report.parts import Table
from sagemaker_rl.report.styles import StyledRun


def compare_runs(styled_runs: list[StyledRun]) -> Table:
    """Return a row for each run, which begins with its number; every setting that a run changed has a column."""
    changed = sorted(
        {str(setting.name) for styled in styled_runs for setting in styled.run.settings if setting.changed}
    )
    rows = [_cells(styled, changed) for styled in styled_runs]
    return Table([column for column, _ in rows[0]], [[cell for _, cell in row] for row in rows])


def _cells(styled: StyledRun, changed: list[str]) -> list[tuple[str, str]]:
    """Return columns and cells."""
    run = styled.run
    facts = dict(list_facts(run))
    # A run that failed early has no settings, but was given some.
    settings = run.hyperparameters | {str(setting.name): setting.value for setting in run.settings}
    evaluations, regret = run.series(EVALUATION_REWARD).values, run.regret
    return [
        ("No.", styled.number),
        ("Run", run.name),
        ("Status", run.status),
        ("Preset", facts.get(PRESET, "")),
        ("Seed", facts.get(SEED, "")),
        *((name, str(settings.get(name, ""))) for name in changed),
        ("Steps", facts.get(STEPS, "")),
        ("Seconds", facts.get(TRAINING_TIME, "").removesuffix(" s")),
        ("Steps/s", facts.get(SPEED, "")),
        ("Best evaluation", format_number(evaluations.max()) if len(evaluations) else ""),
        ("Unseen starts", format_number(run.trial.returns.mean()) if run.trial else ""),
        ("Worst", format_number(run.trial.returns.min()) if run.trial else ""),
        ("Below best known", "" if regret is None else format_number(regret)),
    ]


def compare_objectives(styled_runs: list[StyledRun]) -> Table | None:
    """Return a row for each training job of a tuning job: its objective, and the hyperparameters that differ.

    It is None if the runs have no objective in common.
    """
    runs = [styled.run for styled in styled_runs]
    objective = runs[0].objective
    if not objective or any(run.objective != objective for run in runs):
        return None
    names = sorted({name for run in runs for name in run.hyperparameters if not name.startswith(("sagemaker_", "_"))})
    tuned = [name for name in names if len({run.hyperparameters.get(name) for run in runs}) > 1]
    rows = [
        [
            styled.number,
            "" if styled.run.objective_value is None else format_number(styled.run.objective_value),
            *(_short(styled.run.hyperparameters.get(name, "")) for name in tuned),
            styled.run.status,
            styled.run.name,
        ]
        for styled in styled_runs
    ]
    return Table(["No.", objective, *tuned, "Status", "Run"], rows)


def _short(value: Any) -> str:
    """Return a number with six digits, and what is none as it is."""
    try:
        return f"{float(value):.6g}" if "." in str(value) else str(value)
    except ValueError:
        return str(value)
