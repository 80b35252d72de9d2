"""Colours and dashes of the runs."""

import numpy as np
from sagemaker_rl.report.charts.learning import draw_rewards_by_episode
from sagemaker_rl.report.run import Run
from sagemaker_rl.report.styles import COLOURS, OPTIMUM_COLOUR, style_runs


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
