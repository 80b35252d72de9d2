"""What the page consists of: sections, charts, tables and pictures. Nothing here imports Bokeh: that takes a second."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, NamedTuple

from sagemaker_rl.report.styles import StyledRun


class Section(StrEnum):
    """Where on the page a chart of all runs stands; ``page.html.jinja`` has a place for each, under these names."""

    LEARNING = "learning"
    LOSSES = "losses"
    RETURNS = "returns"


class RunSection(StrEnum):
    """The same for a chart of one run."""

    POLICY = "policy"
    EPISODE = "episode"


class Table(NamedTuple):
    """Rows under the names of their columns."""

    header: list[str]
    rows: list[list[str]]


@dataclass(frozen=True)
class Chart:
    """A chart.

    Attributes:
        title: its caption.
        text: what it shows, in words.
        figure: Bokeh's figure.
        table: the same numbers, for those who cannot see the figure; None if there is no such table.
        key: the runs to be told apart in it; empty where the figure has a legend of its own.
    """

    title: str
    text: str
    figure: Any
    table: Table | None = None
    key: tuple[StyledRun, ...] = ()


@dataclass(frozen=True)
class Picture:
    """The animation of an episode.

    Attributes:
        moving: the animation, as a data URL; the first frame if the animation is too large for the page.
        still: its first frame, as a data URL.
        text: what it shows, in words.
    """

    moving: str
    still: str
    text: str
