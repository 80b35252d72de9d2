"""The trial of a finished policy: how long it may take, and what does not count."""

import sys
from types import SimpleNamespace

import pytest
from graphs import CORRIDOR, make_graph
from sagemaker_rl.job import introduction
from sagemaker_rl.job.ml_paths import MLPaths
from sagemaker_rl.report.trial import FILE, Trial
from sagemaker_rl.training import trial


@pytest.fixture
def corridor(tmp_path, monkeypatch):
    """Return a graph manager and paths; an episode has 20 steps, and a step takes 0.0194 s of the clock."""
    graph_manager = make_graph(tmp_path, CORRIDOR)
    paths = MLPaths(tmp_path)
    for folder in (paths.output_data, paths.intermediate):
        folder.mkdir(parents=True)
    introduction.introduce(paths)
    now = [0.0]

    class Corridor(sys.modules["corridor"].Corridor):
        def step(self, action):
            now[0] += 0.0194
            observation, _, _, info = super().step(action)
            return observation, 1.0, self.steps == 20, info

    monkeypatch.setattr(sys.modules["corridor"], "Corridor", Corridor)
    monkeypatch.setattr(trial, "time", SimpleNamespace(monotonic=lambda: now[0]))
    return graph_manager, paths


@pytest.mark.parametrize(("seconds", "episodes"), [(0.3, 50), (26, 60), (1000, 100)])
def test_whole_batches_count_until_the_time_is_up(corridor, seconds, episodes):
    graph_manager, paths = corridor
    trial.put_on_trial(graph_manager, paths, seconds)  # ten episodes take 3.88 s, and 20 s are for any trial
    result = Trial.load(paths.output_data / FILE)
    assert result.returns.tolist() == [20.0] * episodes
    assert result.lengths.tolist() == [20] * episodes


def test_where_not_even_ten_episodes_end_the_report_says_so(corridor, monkeypatch):
    monkeypatch.setattr(trial, "LEAST_SECONDS", 2.0)
    graph_manager, paths = corridor
    trial.put_on_trial(graph_manager, paths, 3.0)
    assert not (paths.output_data / FILE).exists()
    said = "The finished policy was not put on trial: 10 episodes take more than 3 s."
    assert said in (paths.intermediate / "job.json").read_text()
