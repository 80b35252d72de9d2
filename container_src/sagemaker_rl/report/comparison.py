"""The table that compares several runs."""

from sagemaker_rl.report.coach_csv import EVALUATION_REWARD
from sagemaker_rl.report.facts import PRESET, SEED, SPEED, STEPS, TRAINING_TIME, list_facts
from sagemaker_rl.report.formatting import format_number
from sagemaker_rl.report.parts import Table
from sagemaker_rl.report.run import Run
from sagemaker_rl.report.styles import StyledRun


def compare_runs(styled_runs: list[StyledRun]) -> Table:
    """Return a row for each run, which begins with its number.

    Every setting that a run changed has a column, and so has the objective of a tuning job.
    """
    changed = sorted(
        {str(setting.name) for styled in styled_runs for setting in styled.run.settings if setting.changed}
    )
    objectives = sorted({styled.run.objective for styled in styled_runs if styled.run.objective})
    rows = [_cells(styled, changed, objectives) for styled in styled_runs]
    return Table([column for column, _ in rows[0]], [[cell for _, cell in row] for row in rows])


def _cells(styled: StyledRun, changed: list[str], objectives: list[str]) -> list[tuple[str, str]]:
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
        *((name, _objective(run, name)) for name in objectives),
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


def _objective(run: Run, name: str) -> str:
    value = run.objective_value if run.objective == name else None
    return "" if value is None else format_number(value)
