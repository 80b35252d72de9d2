"""``report.html``: one file that needs no network, from whatever jobs left."""

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from PIL import Image

from sagemaker_rl import outputs
from sagemaker_rl.report import optimum
from sagemaker_rl.report.run import CARS, EVALUATION_REWARD, Run

if TYPE_CHECKING:
    from sagemaker_rl.report.charts import Chart

FILE = "report.html"
DETAILED_RUNS = 4
"""Of so many runs, at most, policy and episode are shown; their curves and their rows are of all."""
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
    learning, losses, goodness = [], [], []
    sections = [Section(run, [], _no_maps(run), _picture(run), []) for run in runs[:DETAILED_RUNS]]
    if any(run.columns or run.trial or run.trace for run in runs):
        from sagemaker_rl.report import charts  # a second, which a job that failed at once has no use for

        trained = [run for run in runs if not run.is_evaluation]
        learning = [chart for over_time in (False, True) if (chart := charts.rewards(trained, over_time))]
        losses = charts.losses(trained)
        goodness = [chart for chart in (charts.returns(runs), charts.returns_by_start(runs)) if chart]
        sections = [replace(each, maps=charts.maps(each.run), traces=charts.traces(each.run)) for each in sections]
    everything = [*learning, *losses, *goodness]
    for section in sections:
        everything += [*section.maps, *section.traces]
    library, script, divs = _embedded(everything)
    templates = Environment(
        loader=FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    return templates.get_template("page.html.jinja").render(
        runs=runs,
        title=_title(runs),
        verdicts=[verdict(run) for run in runs],
        facts=[facts(run) for run in runs],
        learning=learning,
        losses=losses,
        goodness=goodness,
        sections=sections,
        comparison=_comparison(runs) if len(runs) > 1 else None,
        div_of={id(chart): div for chart, div in zip(everything, divs, strict=True)},
        chart_script=script,
        library=library,
        written=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        id=id,
    )


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
    evaluations = run.series(EVALUATION_REWARD)[2]
    if len(evaluations) > 1:
        first, best = float(evaluations[0]), float(evaluations.max())
        change = f"from {first:.2f} in the first evaluation to {best:.2f} in the best"
        said.append(
            f"It learned: {change}."
            if best > first
            else f"It did not get better than its first evaluation, {first:.2f}."
        )
    elif len(evaluations) == 1 and not run.is_evaluation:
        said.append(f"One evaluation so far: {evaluations[0]:.2f}.")
    elif not run.is_evaluation:
        said.append("There is no evaluation yet.")
    if run.evaluation:
        mean, std = (_short(run.evaluation.get(name)) for name in ("mean_return", "std_return"))
        episodes = run.evaluation.get("episodes", "?")
        said.append(f"This evaluation: mean return {mean}, standard deviation {std}, {episodes} episodes.")
    said += _against_the_optimum(run)
    return said


def _short(value: Any) -> str:
    return f"{value:.2f}" if isinstance(value, int | float) else "not a number"


def regret(run: Run) -> float | None:
    """Return how far the mean return of the unseen starts is below the best known from the same starts."""
    best = optimum.of(run.environment)
    if best is None or run.trial is None or not np.isfinite(run.trial.returns).all():
        return None
    return float(best.at(run.trial.starts[:, 0]).mean() - run.trial.returns.mean())


def _against_the_optimum(run: Run) -> list[str]:
    if run.trial is None:
        return []
    tried = run.trial
    if not np.isfinite(tried.returns).all():
        return [f"On {len(tried.returns)} unseen starts its returns are not all finite numbers."]
    said = f"On {len(tried.returns)} unseen starts its mean return is {tried.returns.mean():.2f}"
    best, below = optimum.of(run.environment), regret(run)
    if best is None or below is None:
        return [f"{said}, its worst {tried.returns.min():.2f}."]
    on_average = f"{best.at(tried.starts[:, 0]).mean():.2f}"
    if below <= 0.005:
        return [f"{said}, as good as the best known {on_average}."]
    within = f"within {np.ceil(below * 100) / 100:.2f} of the best known {on_average}"
    return [f"{said}: {within}. The worst is {tried.returns.min():.2f}."]


def facts(run: Run) -> list[tuple[str, str]]:
    """Return what ran: names and values."""
    job, metadata = run.job, run.metadata
    image = run.description.get("AlgorithmSpecification", {}).get("TrainingImage") or job.get("image")
    steps, seconds = metadata.get("environment_steps"), metadata.get("train_seconds")
    billed = run.description.get("BillableTimeInSeconds")
    instance = run.description.get("ResourceConfig", {})
    found: list[tuple[str, Any]] = [
        ("Job", run.name),
        ("Status", run.status),
        ("Preset", job.get("preset") or metadata.get("preset") or run.evaluation.get("preset")),
        ("Environment", job.get("environment")),
        ("Algorithm", job.get("algorithm")),
        ("Image", image),
        (
            "Instances",
            f"{instance.get('InstanceCount', 1)} of {instance['InstanceType']}"
            if instance.get("InstanceType")
            else None,
        ),
        ("Git revision", job.get("git_revision") or metadata.get("git_revision")),
        ("Seed", "none: random" if job.get("seed", "") is None else job.get("seed", metadata.get("seed"))),
        ("Duration of training", f"{seconds:,.1f} s" if isinstance(seconds, int | float) else None),
        ("Billed", f"{billed} s" if billed else None),
        ("Environment steps", f"{steps:,}" if isinstance(steps, int) else None),
        ("Steps per second", f"{steps / seconds:,.0f}" if isinstance(steps, int) and seconds else None),
        ("Episodes", metadata.get("episodes")),
        ("Trainings", metadata.get("training_iterations")),
        ("Policy kept is of step", f"{metadata['policy_steps']:,}" if metadata.get("policy_steps") else None),
        ("Versions", ", ".join(f"{name} {version}" for name, version in metadata.get("versions", {}).items())),
    ]
    return [(name, str(value)) for name, value in found if value not in (None, "")]


def _comparison(runs: list[Run]) -> tuple[list[str], list[list[str]]]:
    changed = sorted({s["name"] for run in runs for s in run.job.get("settings", []) if s.get("changed")})
    header = [
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
    for run in runs:
        known = dict(facts(run))
        settings = {s["name"]: s["value"] for s in run.job.get("settings", [])}
        evaluations, below = run.series(EVALUATION_REWARD)[2], regret(run)
        rows.append(
            [
                run.name,
                run.status,
                known.get("Preset", ""),
                known.get("Seed", ""),
                *(str(settings.get(name, "")) for name in changed),
                known.get("Environment steps", ""),
                known.get("Duration of training", "").removesuffix(" s"),
                known.get("Steps per second", ""),
                f"{evaluations.max():.2f}" if len(evaluations) else "",
                f"{run.trial.returns.mean():.2f}" if run.trial else "",
                f"{run.trial.returns.min():.2f}" if run.trial else "",
                "" if below is None else f"{below:.2f}",
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
    episode, _, score = run.gif.stem.partition("episode-")[2].partition("_score-")
    text = f"The car of episode {episode}, an evaluation with the return {float(score):.2f}, in {frames} pictures."
    if run.environment not in CARS:
        text = text.replace("The car", "The environment")
    first = _data_url("png", still.getvalue())
    if len(moving) > LARGEST_PICTURE:
        run.notes.append(f"{run.gif.name} has {len(moving):,} bytes: the page shows its first frame.")
        return Picture(first, first, text)
    return Picture(_data_url("gif", moving), first, text)


def _data_url(kind: str, content: bytes) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(content).decode()}"
