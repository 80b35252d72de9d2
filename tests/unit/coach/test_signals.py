"""What Coach logs: where to, and the means of its signals."""

import io
import sys
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from sagemaker_rl.coach import repairs, signals

repairs.apply()


def make_agent(episodes, **columns):
    """Return an agent that has logged these columns, a row per episode."""
    return SimpleNamespace(
        agent_logger=SimpleNamespace(data=pd.DataFrame(columns, index=episodes)), current_episode=episodes[-1]
    )


def test_means_are_of_the_episodes_since_the_last_call():
    agent = make_agent([1, 2, 3, 4, 5], **{"Loss/Mean": [1.0, 2.0, 9.0, 40.0, 500.0], "Loss": [7.0] * 5})
    means = signals.SignalMeans(agent)
    agent.current_episode = 2
    assert means.take(["Loss"]) == {"Loss": 1.5}
    assert means.take(["Loss"]) == {"Loss": None}
    agent.current_episode = 4
    assert means.take(["Loss"]) == {"Loss": 24.5}
    agent.current_episode = 5
    assert means.take(["Loss"]) == {"Loss": 500.0}


def test_what_is_no_finite_number_does_not_count():
    values = [None, np.nan, np.inf, "", 2.0, 4, np.float32(9.0)]
    agent = make_agent(list(range(1, 8)), **{"Value Loss/Mean": values, "Entropy/Mean": [""] * 7})
    found = signals.SignalMeans(agent).take(["Value Loss", "Entropy", "KL Divergence"])
    assert found == {"Value Loss": 5.0, "Entropy": None, "KL Divergence": None}


@pytest.mark.parametrize(("rows", "written"), [(0, []), (1, [{"everything": True}])])
def test_the_last_row_of_the_csv_is_written(rows, written):
    calls = []
    logger = SimpleNamespace(data=[0] * rows, dump_output_csv=lambda **options: calls.append(options))
    signals.close_csv(SimpleNamespace(agent_logger=logger))
    assert calls == written


def test_coach_logs_into_the_folder_and_a_line_at_once(tmp_path, monkeypatch):
    from rl_coach import logger

    monkeypatch.setattr(logger, "experiment_path", None)
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw))
    signals.direct_coach_to(tmp_path)
    print("a line")
    written = raw.getvalue()
    monkeypatch.setattr(sys, "stdout", io.StringIO())  # which cannot be configured
    signals.direct_coach_to(tmp_path / "another")
    assert written == b"a line\n"
    assert logger.experiment_path == str(tmp_path / "another")
