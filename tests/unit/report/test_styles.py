"""Colours and dashes of the runs."""

import numpy as np
from sagemaker_rl.report.charts.learning import draw_rewards_by_episode
from sagemaker_rl.report.run import Run
from sagemaker_rl.report.styles import COLOURS, DASH, OPTIMUM_COLOUR, style_runs


def test_every_line_can_be_seen_on_white_and_in_the_dark(folder):
    """WCAG 2.2, 1.4.11: a contrast of 3."""

    def luminance(colour: str) -> float:
        channels = np.array([int(colour[at : at + 2], 16) for at in (1, 3, 5)]) / 255
        linear = np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
        return float(linear @ [0.2126, 0.7152, 0.0722])

    for colour in (*COLOURS, OPTIMUM_COLOUR):
        for paper in ("#ffffff", "#14171a"):
            low, high = sorted([luminance(colour), luminance(paper)])
            assert (high + 0.05) / (low + 0.05) >= 3, (colour, paper)
    for run_count in (1, 3):
        (chart,) = draw_rewards_by_episode(style_runs([Run.read(folder)] * run_count))
        assert all(renderer.glyph.line_alpha == 1 for renderer in chart.figure.renderers)


def test_runs_have_numbers_colours_and_from_the_seventh_on_dashes():
    runs = [Run(f"job-{number}") for number in range(14)]
    styled = style_runs(runs)
    assert [each.run for each in styled] == runs
    assert [each.label for each in styled] == [f"Run {number}" for number in range(1, 15)]
    assert [each.number for each in styled[8:10]] == ["9", "10"]
    assert [each.colour for each in styled] == [*COLOURS, *COLOURS[:2]]
    assert [each.dash for each in styled] == [()] * 6 + [DASH] * 6 + [()] * 2
    (alone,) = style_runs(runs[3:4])
    assert (alone.label, alone.number, alone.colour, alone.dash) == ("", "", COLOURS[0], ())
    assert [each.label for each in style_runs(runs[:2])] == ["Run 1", "Run 2"]
