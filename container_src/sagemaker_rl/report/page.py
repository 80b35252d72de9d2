"""``report.html``: one file that needs no network, from whatever jobs left."""

import base64
import io
import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from PIL import Image

from sagemaker_rl.job import outputs
from sagemaker_rl.report import optimum
from sagemaker_rl.report.looks import Look, looks
from sagemaker_rl.report.run import CARS, EVALUATION_REWARD, Run, as_read

if TYPE_CHECKING:
    from sagemaker_rl.report.charts import Chart

Made = TypeVar("Made")
FILE = "report.html"
DETAILED_RUNS = 4
"""Of so many runs, at most, policy and episode are shown; their curves and their rows are of all."""
GIF_SCORE = re.compile(r"_score-(-?\d+(?:\.\d+)?(?:e[-+]?\d+)?)")
LEARNED = 0.5
"""Of the way from the first evaluation to the best known return: a car that learns to stand still goes an eighth."""
CLOSE = 0.1
"""Of the best known return: a policy is said to be within a regret that is not larger than this share."""
LARGEST_PICTURE = 150_000
"""In bytes. A larger one is shown by its first frame, so that the page stays below 3 MB."""


@dataclass(frozen=True)
class Picture:
    """The moving picture of an episode, and its first frame for those who do not want it to move; data URLs."""

    moving: str
    still: str
    text: str


@dataclass(frozen=True)
class Section:
    """A part of the page about one run."""

    run: Run
    maps: "list[Chart]"
    no_maps: str
    picture: Picture | None
    traces: "list[Chart]"


def write(runs: Sequence[Run], file: Path) -> None:
    """Write the page about one run, or about several beside each other; it appears whole or not at all."""
    outputs.write_text(file, render(list(runs)))


def render(runs: list[Run]) -> str:
    """Return the page's HTML."""
    shown = looks(runs)
    learning: list[Chart] = []
    losses: list[Chart] = []
    goodness: list[Chart] = []
    sections = [
        Section(run, [], _no_maps(run), _or_note([run], "The moving picture", None, _picture, run), [])
        for run in runs[:DETAILED_RUNS]
    ]
    if any(run.columns or run.trial or run.trace for run in runs):
        from sagemaker_rl.report import charts  # a second, which a job that failed at once has no use for

        trained = [look for look in shown if not look.run.is_evaluation]
        for over_time in (False, True):
            drawn = _or_note(runs, "The reward", None, charts.rewards, trained, over_time)
            learning += [drawn] if drawn else []
        losses = _or_note(runs, "The losses", losses, charts.losses, trained)
        for draw in (charts.returns, charts.returns_by_start):
            drawn = _or_note(runs, "The returns of unseen starts", None, draw, shown)
            goodness += [drawn] if drawn else []
        nothing: list[Chart] = []
        sections = [
            replace(
                each,
                maps=_or_note([each.run], "The policy", nothing, charts.maps, each.run),
                traces=_or_note([each.run], "The episode", nothing, charts.traces, each.run),
            )
            for each in sections
        ]
    everything = [*learning, *losses, *goodness]
    for section in sections:
        everything += [*section.maps, *section.traces]
    library, script, divs = _embedded(everything)
    no_words: list[str] = []
    verdicts = [_or_note([run], "The verdict", no_words, verdict, run) for run in runs]
    known = [_or_note([run], "What ran", [("Job", run.name), ("Status", run.status)], facts, run) for run in runs]
    templates = Environment(
        loader=FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    return templates.get_template("page.html.jinja").render(
        runs=runs,
        looks=shown,
        title=_title(runs),
        verdicts=verdicts,
        facts=known,
        learning=learning,
        losses=losses,
        goodness=goodness,
        sections=sections,
        comparison=_or_note(runs, "The comparison", None, _comparison, shown) if len(runs) > 1 else None,
        best_is_known=any(optimum.of(run.environment) for run in runs),
        div_of={id(chart): div for chart, div in zip(everything, divs, strict=True)},
        chart_script=script,
        library=library,
        written=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        id=id,
    )


def _or_note(runs: Sequence[Run], what: str, otherwise: Made, make: Callable[..., Made], *arguments: object) -> Made:
    """Return what ``make`` does; a part of the page that cannot be made is missing from it, and a note says so."""
    try:
        return make(*arguments)
    except Exception as error:  # whatever a job has left
        for run in runs:
            run.notes.append(f"{what} cannot be shown: {type(error).__name__}: {error}.")
        return otherwise


def _embedded(drawn: "list[Chart]") -> tuple[str, str, tuple[str, ...]]:
    """Return Bokeh's own script, the one that draws the charts, and where each of them goes."""
    if not drawn:
        return "", "", ()
    from bokeh.embed import components
    from bokeh.resources import Resources

    script, divs = components([chart.figure for chart in drawn])
    return Resources(mode="inline", components=["bokeh"]).render_js(), script, tuple(divs)


def _title(runs: list[Run]) -> str:
    if len(runs) > 1:
        return f"{len(runs)} runs compared"
    what = "Evaluation" if runs[0].is_evaluation else "Training"
    return f"{what} of {runs[0].environment or runs[0].name}"


# --- In words --------------------------------------------------------------------------------------------------------
def verdict(run: Run) -> list[str]:
    """Return what the reader wants to know first, a sentence each."""
    said = []
    if run.failure:
        said.append(f"The job failed: {run.failure}")
    said += _learning(run)
    if run.evaluation:
        mean, std = (_short(run.evaluation.get(name)) for name in ("mean_return", "std_return"))
        episodes = run.evaluation.get("episodes", "?")
        said.append(f"This evaluation: mean return {mean}, standard deviation {std}, {episodes} episodes.")
    said += _against_the_optimum(run)
    return said


def _learning(run: Run) -> list[str]:
    """Return whether it learned, from its evaluations."""
    if run.is_evaluation:
        return []
    evaluations = run.series(EVALUATION_REWARD)[2]
    said = []
    if len(evaluations) > 1:
        first, best, last = float(evaluations[0]), float(evaluations.max()), float(evaluations[-1])
        known = optimum.of(run.environment)
        share = (best - first) / (known.mean - first) if known and known.mean > first else None
        change = f"from {as_read(first)} in the first evaluation to {as_read(best)}"
        if best <= first:
            said.append(f"It did not get better than its first evaluation, {as_read(first)}.")
        elif known and share is not None and share >= LEARNED:
            way = f"{_percent(share)} of the way to the best known {known.mean:.2f}"
            said.append(f"It learned: {change} in the best, {way}.")
        else:
            said.append(f"The evaluation reward went {change} at best, {as_read(last)} at the end.")
            if known and share is not None:
                way = f"{_percent(share)} of the way from the first to the best known {known.mean:.2f}"
                said.append(f"That is {way}, less than the {_percent(LEARNED)} that are called learned here.")
    elif len(evaluations) == 1:
        said.append(
            f"{'There was one evaluation' if run.ended else 'One evaluation so far'}: {as_read(evaluations[0])}."
        )
    elif not run.lost_evaluations:
        said.append("There was no evaluation." if run.ended else "There is no evaluation yet.")
    if run.lost_evaluations:
        lost = run.lost_evaluations
        said.append(
            "The last evaluation is no number." if lost == 1 else f"The last {lost} evaluations are no numbers."
        )
    return said


def _percent(share: float) -> str:
    """Return whole percents, of which 100 are all and no less."""
    return f"{min(math.floor(100 * share + 1e-9), 100)}%"


def _short(value: Any) -> str:
    return as_read(value) if isinstance(value, int | float) else "not a number"


def _against_the_optimum(run: Run) -> list[str]:
    if run.trial is None:
        return []
    tried = run.trial
    if not np.isfinite(tried.returns).all():
        return [f"On {len(tried.returns)} unseen starts its returns are not all finite numbers."]
    mean, worst = as_read(tried.returns.mean()), f"The worst is {as_read(tried.returns.min())}."
    said = f"On {len(tried.returns)} unseen starts its mean return is {mean}"
    best, regret = run.best_known, run.regret
    if best is None or regret is None:
        sentences = [f"{said}. {worst}"]
    elif regret <= 0:
        sentences = [f"{said}, as good as the best known {as_read(best)}."]
    elif regret <= CLOSE * abs(best):
        sentences = [f"{said}: within {regret:.2f} of the best known {as_read(best)}. {worst}"]
    else:
        sentences = [f"{said}: {regret:.2f} below the best known {as_read(best)}. {worst}"]
    if run.out_of_patience:
        of_all = f"{run.out_of_patience} of the {len(tried.returns)}"
        sentences.append(f"{of_all} never reached the flag: their episodes ended after {optimum.PATIENCE:,} steps.")
    return sentences


def facts(run: Run) -> list[tuple[str, str]]:
    """Return what ran: names and values."""
    job, metadata = run.job, run.metadata
    algorithm, instance = (
        content if isinstance(content := run.description.get(name), dict) else {}
        for name in ("AlgorithmSpecification", "ResourceConfig")
    )
    image = str(job.get("image") or "")
    if not image.startswith("none"):  # else the description names one that did not run
        image = str(algorithm.get("TrainingImage") or image)
    versions = metadata.get("versions") or job.get("versions")
    steps, seconds = metadata.get("environment_steps"), metadata.get("train_seconds")
    billed = run.description.get("BillableTimeInSeconds")
    found: list[tuple[str, Any]] = [
        ("Job", run.name),
        ("Status", run.status),
        ("Preset", job.get("preset") or metadata.get("preset") or run.evaluation.get("preset")),
        ("Environment", job.get("environment")),
        ("Algorithm", job.get("algorithm")),
        ("Path", job.get("path")),
        ("Image", image),
        (
            "Instances",
            f"{instance.get('InstanceCount', 1)} of {instance['InstanceType']}"
            if instance.get("InstanceType")
            else None,
        ),
        ("Git revision", job.get("git_revision") or metadata.get("git_revision")),
        ("Seed", "none: random" if job.get("seed", "") is None else job.get("seed", metadata.get("seed"))),
        ("Duration of training", _seconds(seconds)),
        ("Duration of evaluation", _seconds(run.evaluation.get("seconds"))),
        ("Billed", f"{billed} s" if billed else None),
        ("Environment steps", _count(steps)),
        ("Steps per second", _rate(steps, seconds)),
        ("Episodes", metadata.get("episodes")),
        ("Trainings", metadata.get("training_iterations")),
        ("Policy kept is of step", _count(metadata.get("policy_steps"))),
        ("Versions", ", ".join(map(" ".join, versions.items())) if isinstance(versions, dict) else versions),
    ]
    return [(name, str(value)) for name, value in found if value not in (None, "")]


def _seconds(value: Any) -> str | None:
    return f"{value:,.1f} s" if isinstance(value, int | float) else None


def _count(value: Any) -> str | None:
    return f"{value:,}" if isinstance(value, int | float) else value or None


def _rate(steps: Any, seconds: Any) -> str | None:
    known = isinstance(steps, int | float) and isinstance(seconds, int | float) and seconds
    return f"{steps / seconds:,.0f}" if known else None


def _comparison(shown: list[Look]) -> tuple[list[str], list[list[str]]]:
    """Return the columns of the table of runs and, a row for each, what is in them; each row begins with its label."""
    changed = sorted({str(s["name"]) for look in shown for s in look.run.settings if s["changed"]})
    header = [
        "No.",
        "Run",
        "Status",
        "Preset",
        "Seed",
        *changed,
        "Steps",
        "Seconds",
        "Steps/s",
        "Best evaluation",
        "Unseen starts",
        "Worst",
        "Below best known",
    ]
    rows = []
    for look in shown:
        run = look.run
        known = dict(facts(run))
        settings = {str(s["name"]): s["value"] for s in run.settings}
        evaluations, below = run.series(EVALUATION_REWARD)[2], run.regret
        rows.append(
            [
                look.label.removeprefix("Run "),
                run.name,
                run.status,
                known.get("Preset", ""),
                known.get("Seed", ""),
                *(str(settings.get(name, "")) for name in changed),
                known.get("Environment steps", ""),
                known.get("Duration of training", "").removesuffix(" s"),
                known.get("Steps per second", ""),
                as_read(evaluations.max()) if len(evaluations) else "",
                as_read(run.trial.returns.mean()) if run.trial else "",
                as_read(run.trial.returns.min()) if run.trial else "",
                "" if below is None else as_read(below),
            ]
        )
    return header, rows


def _no_maps(run: Run) -> str:
    if run.trial is None:
        return str(run.job.get("no_trial") or "") or "The finished policy was not put on trial."
    return f"There are no heat maps: {run.trial.no_map}." if run.trial.no_map else ""


def _picture(run: Run) -> Picture | None:
    """Return the run's GIF, read whole; None if there is none, or it is damaged."""
    if run.gif is None:
        return None
    try:
        moving = run.gif.read_bytes()
        with Image.open(io.BytesIO(moving)) as film:
            frames = getattr(film, "n_frames", 1)
            still = io.BytesIO()
            film.convert("RGB").quantize(64).save(still, format="PNG", optimize=True)
    except (OSError, ValueError, SyntaxError) as error:
        run.notes.append(f"{run.gif.name} cannot be read: {error}.")
        return None
    what = "The car" if run.environment in CARS else "The environment"
    score = GIF_SCORE.search(run.gif.name)
    returned = f" with the return {as_read(float(score[1]))}" if score else ""
    text = f"{what} in an evaluation episode{returned}, in {frames} picture{'' if frames == 1 else 's'}."
    if not run.is_evaluation:
        text += " It shows the policy of that time of the training; the one that is kept may be another."
    first = _data_url("png", still.getvalue())
    if len(moving) > LARGEST_PICTURE:
        run.notes.append(f"{run.gif.name} has {len(moving):,} bytes: the page shows its first frame.")
        return Picture(first, first, text)
    return Picture(_data_url("gif", moving), first, text)


def _data_url(kind: str, content: bytes) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(content).decode()}"
