"""``report.html``: one file that needs no network, from whatever jobs left.

A part of the page that cannot be made is missing from it, and a note says so: nothing that a job left, or that a
user's own code wrote, may cost the whole page.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from sagemaker_rl.job import outputs
from sagemaker_rl.report.comparison import compare_objectives, compare_runs
from sagemaker_rl.report.facts import list_facts
from sagemaker_rl.report.optimum import find_optimum
from sagemaker_rl.report.parts import Chart, Picture, RunSection, Section
from sagemaker_rl.report.picture import load_picture
from sagemaker_rl.report.run import Run
from sagemaker_rl.report.styles import StyledRun, style_runs
from sagemaker_rl.report.verdict import verdict

FILE = "report.html"
RUNS_IN_DETAIL = 4
"""The page shows policy and episode of so many runs at most; curves and tables are of all runs."""
Part = TypeVar("Part")
SectionName = TypeVar("SectionName", Section, RunSection)
Charts = dict[SectionName, list[Chart]]
"""Has every section as a key."""


@dataclass(frozen=True)
class RunInDetail:
    """What the page shows of one run by itself: charts, why it has no maps, and the animation."""

    run: Run
    charts: Charts[RunSection]
    why_no_maps: str
    picture: Picture | None


def write(runs: Sequence[Run], file: Path) -> None:
    """Write the page about one run, or about several beside each other; it appears whole or not at all."""
    outputs.write_text(file, render(list(runs)))


def render(runs: list[Run]) -> str:
    """Return the page's HTML."""
    styled_runs = style_runs(runs)
    pictures = [_make_or_note([run], "The moving picture", None, load_picture, run) for run in runs[:RUNS_IN_DETAIL]]
    charts, charts_by_run = _draw_charts(styled_runs)
    library, script, divs = _embed([charts, *charts_by_run])
    runs_in_detail = [
        RunInDetail(run, run_charts, _explain_missing_maps(run), picture)
        for run, run_charts, picture in zip(runs, charts_by_run, pictures, strict=False)
    ]
    no_sentences: list[str] = []
    verdicts = [_make_or_note([run], "The verdict", no_sentences, verdict, run) for run in runs]
    facts = [
        _make_or_note([run], "What ran", [("Job", run.name), ("Status", run.status)], list_facts, run) for run in runs
    ]
    comparison = _make_or_note(runs, "The comparison", None, compare_runs, styled_runs) if len(runs) > 1 else None
    objectives = _make_or_note(runs, "The objective", None, compare_objectives, styled_runs) if len(runs) > 1 else None
    templates = Environment(
        loader=FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    return templates.get_template("page.html.jinja").render(
        runs=runs,
        styled_runs=styled_runs,
        title=_title(runs),
        verdicts=verdicts,
        facts=facts,
        charts=charts,
        runs_in_detail=runs_in_detail,
        comparison=comparison,
        objectives=objectives,
        has_optimum=any(find_optimum(run.environment) for run in runs),
        divs=divs,
        chart_script=script,
        library=library,
        written=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        id=id,
    )


def _make_or_note(
    runs: Sequence[Run], subject: str, fallback: Part, make: Callable[..., Part], *arguments: object
) -> Part:
    """Return what ``make`` returns; if it raises, ``fallback``, and ``runs`` get a note that names the ``subject``."""
    try:
        return make(*arguments)
    except Exception as error:  # whatever a job has left
        for run in runs:
            run.notes.append(f"{subject} cannot be shown: {type(error).__name__}: {error}.")
        return fallback


def _draw_charts(styled_runs: list[StyledRun]) -> tuple[Charts[Section], list[Charts[RunSection]]]:
    """Return the charts of all runs together, and those of each run that is shown in detail."""
    runs = [styled.run for styled in styled_runs]
    charts: Charts[Section] = {section: [] for section in Section}
    charts_by_run: list[Charts[RunSection]] = [{section: [] for section in RunSection} for _ in runs[:RUNS_IN_DETAIL]]
    if not any(run.columns or run.trial or run.trace for run in runs):
        return charts, charts_by_run
    # Bokeh is imported here: it takes a second, which a job that failed at once need not spend.
    from sagemaker_rl.report.charts import CHARTS_OF_ALL_RUNS, CHARTS_OF_EACH_RUN

    no_charts: list[Chart] = []
    for function in CHARTS_OF_ALL_RUNS:
        charts[function.section] += _make_or_note(runs, function.subject, no_charts, function.draw, styled_runs)
    for run, run_charts in zip(runs, charts_by_run, strict=False):
        for entry in CHARTS_OF_EACH_RUN:
            run_charts[entry.section] += _make_or_note([run], entry.subject, no_charts, entry.draw, run)
    return charts, charts_by_run


def _embed(all_charts: Sequence[Mapping[Any, list[Chart]]]) -> tuple[str, str, dict[int, str]]:
    """Return Bokeh's own script, the script that draws the charts, and each chart's place as HTML by its ``id()``."""
    charts = [chart for by_section in all_charts for in_section in by_section.values() for chart in in_section]
    if not charts:
        return "", "", {}
    from bokeh.document import Document  # as late as the charts themselves
    from bokeh.embed import components
    from bokeh.resources import Resources

    document = Document()
    with document.models.freeze():  # else Bokeh walks through all charts again with each one that is added
        for chart in charts:
            document.add_root(chart.figure)
    script, divs = components([chart.figure for chart in charts])
    library = Resources(mode="inline", components=["bokeh"]).render_js()
    return library, script, {id(chart): div for chart, div in zip(charts, divs, strict=True)}


def _title(runs: list[Run]) -> str:
    if len(runs) > 1:
        return f"{len(runs)} runs compared"
    job = "Evaluation" if runs[0].is_evaluation else "Training"
    return f"{job} of {runs[0].environment or runs[0].name}"


def _explain_missing_maps(run: Run) -> str:
    """Return why the run has no maps of its policy; empty if it has some."""
    if run.trial is None:
        return str(run.job.get("no_trial") or "") or "The finished policy was not put on trial."
    return f"There are no heat maps: {run.trial.no_map}." if run.trial.no_map else ""
