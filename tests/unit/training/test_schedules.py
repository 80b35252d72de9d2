"""Schedules in each of Coach's units: the fast path counts as stock Coach does."""

import math

import pytest
from agent_presets import write_agent
from graphs import CORRIDOR, make_graph
from jobs import DQN
from sagemaker_rl.coach.graph import agent_of
from sagemaker_rl.coach.presets import import_preset
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


PLAYING = "agent_params__algorithm__num_consecutive_playing_steps"
BATCH = "agent_params__network_wrappers__main__batch_size"
IMPROVE = "Hyperparameter improve_steps is {}, expected at least the 60 environment steps between two trainings"
NOTHING = "improve_steps is {} and num_consecutive_playing_steps is 60"
CASES = {
    "as it is": ({}, None, [], None, None),
    "as many copies as steps": ({}, 60, [], None, None),
    "more copies than steps": (
        {},
        61,
        [],
        "Hyperparameter parallel_environments is 61, expected at most the 60 environment steps between two training",
        None,
    ),
    "a batch of all steps": ({BATCH: 60}, None, [], None, None),
    "a larger batch": (
        {BATCH: 61},
        None,
        [],
        "Hyperparameter training_batch_size is 61, expected at most the 60 environment steps between two trainings",
        None,
    ),
    "one training": (
        {"improve_steps": 60, "steps_between_evaluation_periods": 60},
        None,
        ["rl.improve_steps"],
        None,
        None,
    ),
    "a period too few, played whole": (
        {"improve_steps": 31, "steps_between_evaluation_periods": 30},
        None,
        ["rl.improve_steps"],
        None,
        None,
    ),
    "no training": (
        {"improve_steps": 30, "steps_between_evaluation_periods": 30},
        None,
        ["rl.improve_steps:EnvironmentSteps"],
        IMPROVE.format(30),
        None,
    ),
    "a period that is too short": (
        {"improve_steps": 59, "steps_between_evaluation_periods": 59},
        None,
        ["rl.discount", "rl.steps_between_evaluation_periods"],
        IMPROVE.format(59),
        None,
    ),
    "the preset's own": (
        {"improve_steps": 59, "steps_between_evaluation_periods": 59},
        None,
        ["rl.discount"],
        None,
        NOTHING.format(59),
    ),
    "episodes are not compared with steps": (
        {"improve_steps:EnvironmentEpisodes": 1},
        None,
        ["rl.improve_steps:EnvironmentEpisodes"],
        None,
        None,
    ),
    "nor periods of them": (
        {"improve_steps": 30, "steps_between_evaluation_periods:EnvironmentEpisodes": 1},
        None,
        ["rl.improve_steps"],
        None,
        None,
    ),
    "frames are steps": (
        {"improve_steps:Frames": 30, "steps_between_evaluation_periods:TrainingSteps": 30},
        None,
        ["rl.improve_steps:Frames"],
        IMPROVE.format(30),
        None,
    ),
}


@pytest.mark.parametrize(("changes", "copies", "given", "refused", "said"), CASES.values(), ids=CASES)
def test_a_schedule_that_learns_nothing_is_refused(tmp_path, capsys, changes, copies, given, refused, said):
    from sagemaker_rl.training.schedule import check_schedule

    graph_manager = make_graph(tmp_path, CORRIDOR, **{**SHORT, **changes})
    paths = [(path, 1) for path in given]
    if refused:
        with pytest.raises(InputError, match=f"^{refused}"):
            check_schedule(graph_manager, copies, paths)
    else:
        check_schedule(graph_manager, copies, paths)
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("Schedule>")]
    assert lines == ([f"Schedule> Trainings=0, Reason={said}"] if said else [])


def test_dqn_may_have_a_batch_of_more_than_it_plays(tmp_path):
    from sagemaker_rl.training.schedule import check_schedule

    changes = {PLAYING: 4, BATCH: 64}
    check_schedule(make_graph(tmp_path, DQN, **changes), 4, [("rl.improve_steps", 1)])


@pytest.mark.parametrize("agent", ["ppo_agent:PPOAgent", "clipped_ppo_agent:ClippedPPOAgent"])
def test_a_ppo_agent_plays_steps(tmp_path, agent):
    from sagemaker_rl.training.schedule import check_schedule

    playing = "agent_params.algorithm.num_consecutive_playing_steps = EnvironmentEpisodes(7)"
    graph_manager = import_preset(write_agent(tmp_path, agent, playing))
    if "clipped" in agent:
        check_schedule(graph_manager, 4096, [])
        return
    sentence = (
        r"^The preset's num_consecutive_playing_steps is EnvironmentEpisodes\(7\), expected EnvironmentSteps for a"
    )
    with pytest.raises(InputError, match=sentence):
        check_schedule(graph_manager, None, [])


def test_a_batch_that_is_too_large_is_named_by_its_network(tmp_path):
    from sagemaker_rl.training.schedule import check_schedule

    changes = """
agent_params.algorithm.num_consecutive_playing_steps = EnvironmentSteps(100)
agent_params.network_wrappers["critic"].batch_size = 101
"""
    graph_manager = import_preset(write_agent(tmp_path, "ppo_agent:PPOAgent", changes))
    sentence = (
        r"^Hyperparameter rl\.agent_params\.network_wrappers\.critic\.batch_size is 101, expected at most the 100 "
    )
    with pytest.raises(InputError, match=sentence):
        check_schedule(graph_manager, None, [])
