"""Schedules in each of Coach's units: the fast path counts as stock Coach does."""

import math

import pytest
from graphs import CORRIDOR, make_graph
from jobs import DQN
from sagemaker_rl.coach.graph import agent_of
from sagemaker_rl.errors import InputError

SHORT = {
    "agent_params__algorithm__num_consecutive_playing_steps": 60,
    "agent_params__algorithm__optimization_epochs": 1,
    "agent_params__network_wrappers__main__batch_size": 20,
}
"""The corridor of at most 50 steps an episode, a training after 60."""


def make_run(folder, fast, **changes):
    from sagemaker_rl.training.choice import StockRun

    graph_manager = make_graph(folder, CORRIDOR, **SHORT, **changes)
    if not fast:
        return graph_manager, StockRun(graph_manager)
    from sagemaker_rl.training.accelerated.support import reason_for_stock, run_class_of

    assert reason_for_stock(graph_manager) is None
    return graph_manager, run_class_of(graph_manager)(graph_manager, 1, 3, lambda: None)


def counted(graph_manager, phase):
    """Return what Coach's counter has: environment steps, episodes, training steps."""
    from rl_coach import core_types

    counter = graph_manager.total_steps_counters[core_types.RunPhase[phase]]
    units = (core_types.EnvironmentSteps, core_types.EnvironmentEpisodes, core_types.TrainingSteps)
    return tuple(counter[unit] for unit in units)


@pytest.mark.parametrize("fast", [True, False])
def test_a_training_of_each_unit_has_coachs_length(tmp_path, fast):
    graph_manager, run = make_run(tmp_path, fast)
    from rl_coach.core_types import EnvironmentEpisodes, EnvironmentSteps, Frames, TrainingSteps

    for unit in (TrainingSteps, EnvironmentSteps, Frames):
        before = counted(graph_manager, "TRAIN")
        run.train_and_act(unit(70))
        steps, _, training_steps = counted(graph_manager, "TRAIN")
        assert (steps - before[0], training_steps - before[2]) == (70, 70)
    assert run.take_losses()["Loss"] is not None  # a training was among them
    episodes = counted(graph_manager, "TRAIN")[1]
    run.train_and_act(EnvironmentEpisodes(3))
    assert counted(graph_manager, "TRAIN")[1] == episodes + 3


@pytest.mark.parametrize("fast", [True, False])
def test_an_evaluation_in_steps_is_of_whole_episodes_that_reach_them(tmp_path, fast):
    graph_manager, run = make_run(tmp_path, fast)
    from rl_coach.core_types import EnvironmentEpisodes, EnvironmentSteps

    for steps in (1, 120):
        before = counted(graph_manager, "TEST")
        assert run.evaluate(EnvironmentSteps(steps)) is False
        played, episodes, training_steps = (
            now - then for now, then in zip(counted(graph_manager, "TEST"), before, strict=True)
        )
        length = played // episodes  # the deterministic policy has one way through the corridor, or none
        assert (episodes, training_steps) == (math.ceil(steps / length), 0)
        assert agent_of(graph_manager).num_evaluation_episodes_completed == episodes
    before = counted(graph_manager, "TEST")
    run.evaluate(EnvironmentEpisodes(0))  # of Coach's SimpleScheduleWithoutEvaluation
    assert counted(graph_manager, "TEST") == before


def test_heatup_in_episodes_ends_with_the_last_of_them(tmp_path):
    from sagemaker_rl.training.accelerated.dqn import DQNRun

    run = DQNRun(make_graph(tmp_path, DQN), 4, 3, lambda: None)
    run.envs.patience = 30  # steps of an episode
    from rl_coach.core_types import EnvironmentEpisodes

    run.heatup(EnvironmentEpisodes(5))
    assert counted(run.graph_manager, "HEATUP") == (2 * 30 * 4, 2 * 4, 0)  # the four cars end together
    assert len(run.replay) == 240
    run.heatup(EnvironmentEpisodes(0))
    assert len(run.replay) == 240


def test_a_period_of_few_episodes_has_as_few_copies(tmp_path):
    from sagemaker_rl.training.accelerated.ppo import PPORun
    from sagemaker_rl.training.schedule import most_copies

    changes = {"improve_steps:EnvironmentEpisodes": 12, "steps_between_evaluation_periods:EnvironmentEpisodes": 3}
    graph_manager = make_graph(tmp_path, CORRIDOR, **SHORT, **changes)
    assert [most_copies(graph_manager, at_most) for at_most in (1, 64)] == [1, 3]
    assert PPORun(graph_manager, 64, 3, lambda: None).envs.num_envs == 3


@pytest.mark.parametrize("name", ["heatup_steps", "evaluation_steps"])
def test_training_steps_where_nothing_is_trained_are_refused(tmp_path, name):
    graph_manager = make_graph(tmp_path, CORRIDOR, **SHORT)
    from rl_coach.core_types import TrainingSteps
    from sagemaker_rl.training.schedule import check_schedule

    setattr(graph_manager, name, TrainingSteps(0))
    check_schedule(graph_manager, None, [])
    setattr(graph_manager, name, TrainingSteps(5))
    units = "EnvironmentSteps, EnvironmentEpisodes, Frames, Time"
    with pytest.raises(InputError, match=rf"^The preset's {name} are TrainingSteps\(5\), expected one of {units}\.$"):
        check_schedule(graph_manager, None, [])


PLAYING = 60
"""Steps between two trainings of SHORT; its batches have 20."""


@pytest.mark.parametrize(
    ("changes", "environments", "changed", "sentence"),
    [
        ({}, PLAYING, [], None),
        ({}, PLAYING + 1, [], "parallel_environments is 61, expected at most the 60 environment steps between two"),
        ({"agent_params__network_wrappers__main__batch_size": PLAYING}, None, [], None),
        (
            {"agent_params__network_wrappers__main__batch_size": PLAYING + 1},
            None,
            [],
            "training_batch_size is 61, expected at most the 60 environment steps between two trainings",
        ),
        ({"improve_steps": PLAYING, "steps_between_evaluation_periods": PLAYING}, None, ["rl.improve_steps"], None),
        (
            {"improve_steps": 41, "steps_between_evaluation_periods": 20},
            None,
            ["rl.improve_steps:EnvironmentSteps"],
            None,
        ),
        (
            {"improve_steps": 40, "steps_between_evaluation_periods": 20},
            None,
            ["rl.steps_between_evaluation_periods"],
            "improve_steps is 40, expected at least the 60 environment steps between two trainings: nothing would",
        ),
    ],
)
def test_a_schedule_that_would_train_on_nothing_is_refused(tmp_path, changes, environments, changed, sentence, capsys):
    from sagemaker_rl.training.schedule import check_schedule

    graph_manager = make_graph(tmp_path, CORRIDOR, **{**SHORT, **changes})
    capsys.readouterr()
    asked = [(path, 1) for path in changed]
    if sentence is None:
        check_schedule(graph_manager, environments, asked)
    else:
        with pytest.raises(InputError) as raised:
            check_schedule(graph_manager, environments, asked)
        assert f"Hyperparameter {sentence}" in str(raised.value)
    assert capsys.readouterr().out == ""


def test_a_presets_own_schedule_that_never_trains_is_said(tmp_path, capsys):
    from sagemaker_rl.training.schedule import check_schedule

    changes = {"improve_steps": 40, "steps_between_evaluation_periods": 20}
    graph_manager = make_graph(tmp_path, CORRIDOR, **{**SHORT, **changes})
    capsys.readouterr()
    check_schedule(graph_manager, None, [("rl.agent_params.algorithm.discount", 1)])
    assert capsys.readouterr().out == (
        "Schedule> Trainings=0, Reason=improve_steps is 40 and num_consecutive_playing_steps is 60\n"
    )
