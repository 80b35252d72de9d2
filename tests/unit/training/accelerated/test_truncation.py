"""An episode that a time limit ends: its final state has a value, for PPO's targets and for DQN's."""

import numpy as np
import pytest
from graphs import make_graph
from jobs import DQN, PPO

POSITIONS, VELOCITIES = np.array([0.47, 0.2, -0.5, 0.47]), np.array([0.05, 0.04, 0.01, 0.05])
STEPS = np.array([9_999, 9_999, 100, 100])
"""Four cars before a step: at the flag in the last step of their patience, cut there, going on, at the flag."""


def play_as_in_training(run) -> None:
    from rl_coach.core_types import RunPhase

    run.graph_manager.phase = RunPhase.TRAIN


def put_cars(run) -> None:
    play_as_in_training(run)
    run.envs.position[:], run.envs.velocity[:], run.envs.steps[:] = POSITIONS, VELOCITIES, STEPS
    run.observations = run.envs._observe()
    run.normalizations = []


def test_ppos_value_targets(tmp_path, monkeypatch):
    """With a lambda of 0 they are r + gamma V(next state), and r at the flag."""
    algorithm = {"num_consecutive_playing_steps": 4 * 5, "gae_lambda": 0, "discount": 0.9}
    changes = {f"agent_params__algorithm__{name}": value for name, value in algorithm.items()}
    changes["agent_params__network_wrappers__main__batch_size"] = 4
    graph_manager = make_graph(tmp_path, PPO, **changes)
    from sagemaker_rl.training.accelerated.ppo import PPORun

    run = PPORun(graph_manager, 4, 0, lambda: None)
    put_cars(run)
    steps, targets = [], []
    step_cars = run.envs.step
    monkeypatch.setattr(run.envs, "step", lambda actions: steps.append(step_cars(actions)) or steps[-1])
    monkeypatch.setattr(run.learner, "train", lambda *columns: targets.append(columns[4].reshape(5, 4)))
    for _ in range(4):
        run.play_and_learn()
    run.envs.steps[2] = 9_999  # cut in the phase's last step
    run.play_and_learn()

    dones, truncated = (np.stack([getattr(step, name) for step in steps]) for name in ("dones", "truncated"))
    assert dones[0].tolist() == [True, True, False, True]
    assert truncated[0].tolist() == [False, True, False, False]
    assert truncated[4].tolist() == [False, False, True, False]
    for step, target in zip(steps, targets[0], strict=True):
        following = run.learner.heads(step.final_observations)[0] * ~(step.dones & ~step.truncated)
        assert np.abs(target - (step.rewards + 0.9 * following)).max() < 1e-5
    begins_again = run.learner.heads(steps[0].observations)[0][1]
    assert abs(targets[0][0, 1] - (steps[0].rewards[1] + 0.9 * begins_again)) > 1e-3


def test_dqns_targets(tmp_path):
    """The loss of a step is that of r + gamma max Q'(next state), and of r at the flag."""
    changes = {"agent_params__algorithm__num_consecutive_playing_steps": 4}
    graph_manager = make_graph(tmp_path, DQN, **changes)
    from sagemaker_rl.training.accelerated.dqn import DQNRun

    run = DQNRun(graph_manager, 4, 0, lambda: None)
    put_cars(run)
    actions = np.array([2, 1, 0, 2])
    run._step_and_store(actions)
    replay = run.replay
    reached = replay.next_states[:4]
    assert replay.not_done[:4].tolist() == [0, 1, 1, 0]
    assert reached[:, 0] == pytest.approx(POSITIONS + reached[:, 1], abs=1e-6)  # not the next episode's start
    assert (reached[:, 1] != 0).all()
    agent, random = run.agent, np.random.default_rng(5)
    for kind in ("online_network", "target_network"):
        for parameter in getattr(agent.networks["main"], kind).model.collect_params().values():
            if parameter.grad_req != "null":
                parameter.set_data(np.asarray(random.normal(scale=0.5, size=parameter.shape), dtype=np.float32))
    learner = type(run.learner)(agent)
    values = agent.networks["main"].online_network.predict({"observation": replay.states[:4]})[np.arange(4), actions]
    following = agent.networks["main"].target_network.predict({"observation": reached}).max(axis=1)
    rewards = -0.03  # rescaled
    expected = np.mean((values - (rewards + 0.99 * following * np.array([0, 1, 1, 0]))) ** 2) / 2 / 3
    batch = [column[:4] for column in (replay.states, replay.next_states, replay.actions, replay.rewards)]
    loss, _ = learner.compute_gradients([*batch, replay.not_done[:4]])
    assert loss == pytest.approx(expected, rel=1e-4)
    assert np.abs(following).min() > 1e-2


@pytest.mark.parametrize(("playing_steps", "asked"), [(1, None), (4, None), (23, 16)])
def test_the_number_of_copies_leaves_dqn_its_gradient_steps(tmp_path, playing_steps, asked):
    changes = {"num_consecutive_playing_steps": playing_steps, "num_consecutive_training_steps": 1}
    graph_manager = make_graph(
        tmp_path, DQN, **{f"agent_params__algorithm__{name}": value for name, value in changes.items()}
    )
    from sagemaker_rl.training.accelerated.dqn import DQNRun

    run = DQNRun(graph_manager, asked, 0, lambda: None)
    play_as_in_training(run)
    while run.agent.total_steps_counter < 400:
        run.play_and_learn()
    assert run.agent.training_iteration == run.agent.total_steps_counter // playing_steps
