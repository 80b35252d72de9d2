"""How the report tells its runs apart: by a number, a colour and, from the seventh on, dashes."""

from dataclasses import dataclass

from sagemaker_rl.report.run import Run

COLOURS = (
    "#2f7fc1",
    "#c4581a",
    "#a848b4",
    "#9c9000",
    "#fc2484",
    "#189ca8",
    "#1854fc",
    "#fc0000",
    "#b47884",
    "#00a800",
    "#fc00fc",
    "#786c3c",
)
"""Colours of the runs. Each has a contrast of at least 3 with the white and the dark background; all differ clearly."""
OPTIMUM_COLOUR = "#2c8a57"
"""The colour of the best known return."""
SOLID_RUNS = 6
"""This many runs are drawn with solid lines, those after them with dashes: colours alone are not seen by everyone."""
DASH = (7, 4)
"""Lengths of dash and gap, in pixels, as both SVG and Bokeh take them."""


@dataclass(frozen=True, eq=False)
class StyledRun:
    """A run, and how the page names and draws it.

    Attributes:
        run: the run.
        label: "Run 1" and so on; empty on a page about one run.
        colour: of its lines, as ``#rrggbb``.
        dash: of its lines; empty if they are solid.
    """

    run: Run
    label: str
    colour: str
    dash: tuple[int, ...] = ()

    @property
    def number(self) -> str:
        """The number in the label; empty on a page about one run."""
        return self.label.removeprefix("Run ")


def style_runs(runs: list[Run]) -> list[StyledRun]:
    """Return each run with its label, colour and dashes."""
    return [
        StyledRun(
            run,
            f"Run {index + 1}" if len(runs) > 1 else "",
            COLOURS[index % len(COLOURS)],
            DASH if index % len(COLOURS) >= SOLID_RUNS else (),
        )
        for index, run in enumerate(runs)
    ]
