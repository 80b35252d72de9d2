"""The charts of the training."""

import pytest
from sagemaker_rl.report.charts.learning import draw_signals
from sagemaker_rl.report.run import Run
from sagemaker_rl.report.styles import style_runs


def test_a_constant_curve_stays_near_its_value(folder):
    (value_loss,) = [chart for chart in draw_signals(style_runs([Run.read(folder)])) if chart.title == "Value loss"]
    assert value_loss.figure.y_range.default_span == pytest.approx(0.4)
