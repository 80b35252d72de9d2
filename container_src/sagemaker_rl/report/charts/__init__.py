"""The report's charts, drawn by Bokeh (https://docs.bokeh.org), whose script goes into the page.

To add a chart, write a function that draws it, in the module of its subject, and name it in one of the two tables.
"""

from collections.abc import Callable
from dataclasses import dataclass

from sagemaker_rl.report.charts.episode import draw_trace
from sagemaker_rl.report.charts.learning import draw_rewards_by_episode, draw_rewards_by_time, draw_signals
from sagemaker_rl.report.charts.policy_maps import draw_policy_maps
from sagemaker_rl.report.charts.returns import draw_return_distribution, draw_returns_by_start
from sagemaker_rl.report.parts import Chart, RunSection, Section
from sagemaker_rl.report.run import Run
from sagemaker_rl.report.styles import StyledRun


@dataclass(frozen=True)
class ChartFunction:
    """A function that draws charts of all runs together.

    Attributes:
        section: where they stand on the page.
        subject: what the page says cannot be shown if the function raises.
        draw: returns the charts; none if the jobs left nothing to draw.
    """

    section: Section
    subject: str
    draw: Callable[[list[StyledRun]], list[Chart]]


@dataclass(frozen=True)
class RunChartFunction:
    """The same for charts of one run."""

    section: RunSection
    subject: str
    draw: Callable[[Run], list[Chart]]


CHARTS_OF_ALL_RUNS: tuple[ChartFunction, ...] = (
    ChartFunction(Section.LEARNING, "The reward", draw_rewards_by_episode),
    ChartFunction(Section.LEARNING, "The reward", draw_rewards_by_time),
    ChartFunction(Section.LOSSES, "The losses", draw_signals),
    ChartFunction(Section.RETURNS, "The returns of unseen starts", draw_return_distribution),
    ChartFunction(Section.RETURNS, "The returns of unseen starts", draw_returns_by_start),
)
"""In the page's order."""
CHARTS_OF_EACH_RUN: tuple[RunChartFunction, ...] = (
    RunChartFunction(RunSection.POLICY, "The policy", draw_policy_maps),
    RunChartFunction(RunSection.EPISODE, "The episode", draw_trace),
)
"""In the page's order; drawn for each of the first runs."""
