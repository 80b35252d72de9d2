"""Training ends after so many evaluations that find no better policy, but not before anything was learnt."""

from types import SimpleNamespace

import pytest
from sagemaker_rl.errors import InputError
from sagemaker_rl.training.early_stopping import EarlyStopping


def graph_manager(test=False, threshold=0.0, **attributes):
    expected = SimpleNamespace(test=test, min_reward_threshold=threshold)
    return SimpleNamespace(preset_validation_params=expected, **attributes)


def best(reward, evaluations_since):
    return SimpleNamespace(reward=reward, evaluations_since=evaluations_since)


@pytest.mark.parametrize(
    ("patience", "of_preset", "due"),
    [(3, {}, 3), (3, {"early_stopping_patience": 1}, 3), (None, {"early_stopping_patience": 2}, 2)],
)
def test_the_jobs_patience_comes_before_the_presets(patience, of_preset, due):
    stopping = EarlyStopping(graph_manager(**of_preset), patience)
    assert [since for since in range(6) if stopping.is_due(best(-5.0, since))][:1] == [due]


@pytest.mark.parametrize(
    ("patience", "of_preset"),
    [(None, {}), (0, {}), (0, {"early_stopping_patience": 1}), (None, {"early_stopping_patience": 0})],
)
def test_zero_is_never(patience, of_preset):
    assert not any(EarlyStopping(graph_manager(**of_preset), patience).is_due(best(1.0, n)) for n in (0, 1, 1000))


@pytest.mark.parametrize(
    ("path", "patience", "due"),
    [
        ("rl.steps_between_evaluation_periods:EnvironmentSteps", None, False),
        ("rl.agent_params.network_wrappers.main.batch_size", None, False),
        ("rl.agent_params.algorithm.optimization_epochs", 2, True),
        ("rl.improve_steps:EnvironmentSteps", None, True),
        ("rl.agent_params.algorithm.discount", None, True),
    ],
)
def test_a_presets_patience_is_for_its_own_schedule(path, patience, due):
    stopping = EarlyStopping(graph_manager(early_stopping_patience=2), patience, [(path, 1)])
    assert stopping.is_due(best(1.0, 2)) == due


@pytest.mark.parametrize(("test", "reward", "due"), [(True, 97.9, False), (True, 98.0, True), (False, -3.0, True)])
def test_a_preset_that_expects_a_return_is_given_time_until_then(test, reward, due):
    assert EarlyStopping(graph_manager(test, 98), 2).is_due(best(reward, 2)) == due


def test_without_an_evaluation_there_is_nothing_to_end_for():
    assert not EarlyStopping(graph_manager(), 2).is_due(best(None, 2))
    assert EarlyStopping(SimpleNamespace(preset_validation_params=None), 2).is_due(best(1.0, 2))


@pytest.mark.parametrize("wrong", [-1, 1.5, "soon", True, None])
def test_a_presets_patience_is_a_whole_number(wrong):
    with pytest.raises(InputError, match=f"^Hyperparameter early_stopping_patience is {wrong!r}, expected a whole num"):
        EarlyStopping(graph_manager(early_stopping_patience=wrong), None)
