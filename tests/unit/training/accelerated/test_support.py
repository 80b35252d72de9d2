"""What the fast path does not implement runs on stock Coach."""

from types import SimpleNamespace

import gym
import pytest
from graphs import make_graph
from jobs import DQN, PPO


@pytest.mark.parametrize(
    ("preset", "changes", "reason"),
    [
        (PPO, {}, None),
        (PPO, {"agent_params__network_wrappers__main__clip_gradients": 40.0}, "clip_gradients is set"),
        (PPO, {"agent_params__network_wrappers__main__optimizer_type": "RMSProp"}, "the optimizer is RMSProp"),
        (PPO, {"agent_params__network_wrappers__main__l2_regularization": 0.1}, "l2_regularization is set"),
        (PPO, {"agent_params__algorithm__policy_gradient_rescaler": "a_value"}, "policy_gradient_rescaler is"),
        (
            PPO,
            {"agent_params__algorithm__estimate_state_value_using_gae": 0},
            "estimate_state_value_using_gae is False",
        ),
        (PPO, {"agent_params__algorithm__num_consecutive_training_steps": 2}, "num_consecutive_training_steps is 2"),
        (PPO, {"agent_params__exploration__evaluation_noise_percentage": 0.1}, None),
        (PPO, {"env_params__frame_skip": 5}, None),
        (PPO, {"env_params__random_initialization_steps": 3}, "random_initialization_steps is 3"),
        (PPO, {"env_params__max_over_num_frames": 2}, "max_over_num_frames is 2"),
        (PPO, {"improve_steps:EnvironmentEpisodes": 5}, None),
        (DQN, {}, None),
        (DQN, {"agent_params__exploration__evaluation_epsilon": 0.05}, None),
        (DQN, {"agent_params__algorithm__act_for_full_episodes": 1}, "act_for_full_episodes is True"),
        (
            DQN,
            {"agent_params__memory__allow_duplicates_in_batch_sampling": 0},
            "allow_duplicates_in_batch_sampling is False",
        ),
        (
            DQN,
            {"agent_params__algorithm__num_consecutive_playing_steps:EnvironmentEpisodes": 1},
            "num_consecutive_playing_steps is EnvironmentEpisodes",
        ),
    ],
)
def test_an_option_that_the_fast_path_lacks_goes_to_stock_coach(tmp_path, preset, changes, reason):
    from sagemaker_rl.training.accelerated.support import reason_for_stock

    answer = reason_for_stock(make_graph(tmp_path, preset, **changes))
    assert answer is None if reason is None else reason in answer


def _put(parts: dict, name: str, value) -> None:
    parts.setdefault("observation", {})[name] = value


ALTERED = {
    "another graph": (lambda g, a: _rename(g), "the graph manager is a Mine"),
    "an agent of one's own": (lambda g, a: _rename(a), "the agent is a Mine"),
    "another environment": (lambda g, a: _set_path(g), "the environment is mine:Environment"),
    "a class by its path": (
        lambda g, a: setattr(g.env_params, "level", "envs/own.py:Own"),
        "the environment envs/own.py:Own is a class by the path of its module",
    ),
    "Atari": (lambda g, a: setattr(g.environments[0], "is_atari_env", True), "the environment is one of Atari's"),
    "dictionaries": (
        lambda g, a: setattr(g.environments[0].env, "observation_space", gym.spaces.Dict({})),
        "observations are dictionaries",
    ),
    "a unit": (lambda g, a: setattr(g, "evaluation_steps", Rounds()), "evaluation_steps is in Rounds"),
    "action filters": (lambda g, a: a.output_filter.action_filters.update(x=1), "there are action filters"),
    "observations filtered before": (
        lambda g, a: _put(a.input_filter.observation_filters, "x", 1),
        "observations are filtered before they are stored, or rewards after",
    ),
    "rewards filtered after": (
        lambda g, a: a.pre_network_filter.reward_filters.update(x=1),
        "observations are filtered before they are stored, or rewards after",
    ),
    "rewards filtered by something": (
        lambda g, a: a.input_filter.reward_filters.update(x=Rounds()),
        "rewards are filtered by Rounds",
    ),
    "observations filtered by something": (
        lambda g, a: _put(a.pre_network_filter.observation_filters, "x", Rounds()),
        "observations are filtered by Rounds",
    ),
    "a second network": (lambda g, a: a.ap.network_wrappers.update(critic=1), "the networks are ['main', 'critic']"),
    "another input": (
        lambda g, a: a.ap.network_wrappers["main"].input_embedders_parameters.update(goal=1),
        "the network's inputs are ['goal', 'observation']",
    ),
    "a rendered screen": (lambda g, a: setattr(a.ap.visualization, "render", True), "render is set"),
    "another memory": (lambda g, a: setattr(a, "memory", Rounds()), "memory is Rounds"),
    "a memory without end": (
        lambda g, a: setattr(a.ap.memory, "max_size", (a.ap.memory.max_size[0], 0)),
        "memory.max_size has no limit",
    ),
    "a memory of episodes": (
        lambda g, a: setattr(a.ap.memory, "max_size", ("Episodes", 9)),
        "memory.max_size is Episodes",
    ),
    "a file of transitions": (
        lambda g, a: setattr(a.ap.memory, "load_memory_from_file_path", "a.csv"),
        "load_memory_from_file_path is a.csv",
    ),
    "an exploration": (lambda g, a: setattr(a, "exploration_policy", Rounds()), "the exploration is Rounds"),
    "another head": (
        lambda g, a: _rename(a.networks["main"].online_network.model.output_heads[0]),
        "heads_parameters is ['Mine']",
    ),
}


class Rounds:
    allow_duplicates_in_batch_sampling = True


def _rename(thing) -> None:
    thing.__class__ = type("Mine", (type(thing),), {})


def _set_path(graph_manager) -> None:
    graph_manager.env_params = SimpleNamespace(path="mine:Environment")


@pytest.mark.parametrize(("alter", "reason"), ALTERED.values(), ids=ALTERED)
def test_what_is_made_otherwise_goes_to_stock_coach(tmp_path, alter, reason):
    from sagemaker_rl.coach.graph import agent_of
    from sagemaker_rl.training.accelerated.support import reason_for_stock, run_class_of

    graph_manager = make_graph(tmp_path, DQN)
    assert reason_for_stock(graph_manager) is None
    assert run_class_of(graph_manager).__name__ == "DQNRun"
    alter(graph_manager, agent_of(graph_manager))
    assert reason_for_stock(graph_manager).startswith(reason)
