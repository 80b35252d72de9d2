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
"""Of runs; each has a contrast of 3 or more with white and with the dark background, and none is near another."""
SOLID = 6
"""So many runs are drawn solid; those after them dashed, for who does not see their colours."""


@dataclass(frozen=True, eq=False)
class Look:
    """A run, and how it is drawn and called where there are several.

    ``label`` is "Run 1" and so on, empty where there is but one run; ``dash`` is of SVG and of Bokeh, in pixels.
    """

    run: Run
    label: str
    colour: str
    dash: tuple[int, ...] = ()


def looks(runs: list[Run]) -> list[Look]:
    """Return a look for each of the runs."""
    return [
        Look(
            run,
            f"Run {index + 1}" if len(runs) > 1 else "",
            COLOURS[index % len(COLOURS)],
            (7, 4) if index % len(COLOURS) >= SOLID else (),
        )
        for index, run in enumerate(runs)
    ]
