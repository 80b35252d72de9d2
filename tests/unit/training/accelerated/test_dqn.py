"""The fast path's DQN against the installed rl_coach, on the same batch and weights."""

import mxnet as mx
import numpy as np
import pytest
from graphs import gradients_of, make_graph, relative_difference, trained_parameters
from jobs import DQN
from sagemaker_rl.coach.graph import agent_of

BATCH = 128


def random_transitions():
    random = np.random.default_rng(2)
    states, next_states = random.normal(size=(2, BATCH, 2)).astype(np.float32)
    ended = random.random(BATCH) < 0.3
    return states, next_states, random.integers(0, 3, BATCH), random.normal(size=BATCH), ended


def coachs_step(agent, states, next_states, actions, rewards, ended) -> float:
    """Let Coach learn from a batch; the weights are those after its step."""
    from rl_coach.core_types import Batch, Transition

    columns = zip(states, actions, rewards, next_states, ended, strict=True)
    batch = Batch(
        [
            Transition(
                state={"observation": s}, action=int(a), reward=r, next_state={"observation": n}, game_over=bool(e)
            )
            for s, a, r, n, e in columns
        ]
    )
    return float(agent.learn_from_batch(batch)[0])


@pytest.mark.parametrize("in_numpy", [True, False], ids=["NumPy", "MXNet"])
def test_loss_gradients_and_adams_step_equal_coachs(tmp_path, in_numpy):
    from sagemaker_rl.training.accelerated.dqn import DQNLearner

    ours, theirs = (agent_of(make_graph(tmp_path / name, DQN)) for name in ("ours", "theirs"))
    random = np.random.default_rng(3)
    for our, their in zip(
        trained_parameters(ours), trained_parameters(theirs), strict=True
    ):  # online and target network apart
        data = mx.nd.array(random.normal(scale=0.2, size=our.shape))
        our.set_data(data)
        their.set_data(data)
    targets = [agent.networks["main"].target_network.model.collect_params().values() for agent in (ours, theirs)]
    for our, their in zip(*targets, strict=True):
        their.set_data(our.data())
    transitions = random_transitions()
    loss = coachs_step(theirs, *transitions)

    states, next_states, actions, rewards, ended = transitions
    learner = DQNLearner(ours, in_numpy)
    assert (learner.dense is not None) == in_numpy
    our_loss, _ = learner.gradient_step(
        [states, next_states, actions, rewards.astype(np.float32), (~ended).astype(np.float32)]
    )
    assert our_loss == pytest.approx(loss, rel=1e-4)
    their_gradients = [g.asnumpy() for g in theirs.networks["main"].online_network.accumulated_gradients]
    assert len(their_gradients) == 8
    for our, their in zip(gradients_of(learner), their_gradients, strict=True):
        assert np.abs(their).max() > 0
        assert relative_difference(our, their) < 1e-4
    learner.publish()
    for our, their in zip(trained_parameters(ours), trained_parameters(theirs), strict=True):
        assert np.abs(our.data().asnumpy() - their.data().asnumpy()).max() < 1e-6


@pytest.mark.parametrize("in_numpy", [True, False], ids=["NumPy", "MXNet"])
def test_the_target_network_follows_as_coachs(tmp_path, in_numpy):
    from sagemaker_rl.training.accelerated.dqn import DQNLearner

    ours, theirs = (agent_of(make_graph(tmp_path / name, DQN)) for name in ("ours", "theirs"))
    random = np.random.default_rng(4)
    for kind in ("online_network", "target_network"):
        models = [getattr(agent.networks["main"], kind).model for agent in (ours, theirs)]
        for our, their in zip(*(model.collect_params().values() for model in models), strict=True):
            if our.grad_req != "null":
                data = mx.nd.array(random.normal(size=our.shape))
                our.set_data(data)
                their.set_data(data)
    learner = DQNLearner(ours, in_numpy)
    assert (learner.dense is not None) == in_numpy
    learner.update_target(0.02)
    learner.publish()
    theirs.networks["main"].update_target_network(0.02)
    targets = [agent.networks["main"].target_network.model.collect_params().values() for agent in (ours, theirs)]
    for our, their in zip(*targets, strict=True):
        assert np.abs(our.data().asnumpy() - their.data().asnumpy()).max() < 1e-6


def test_the_replay_keeps_the_newest_transitions():
    from sagemaker_rl.training.accelerated.dqn import Replay

    replay = Replay(10, (1,))
    for start in range(0, 24, 4):
        numbers = np.arange(start, start + 4)
        replay.add(numbers[:, None], numbers[:, None] + 1, numbers, -numbers, np.ones(4))
    assert len(replay) == 10
    states, next_states, actions, rewards, not_done = replay.sample(1000, np.random.default_rng(0))
    assert set(actions.tolist()) == set(range(14, 24))
    assert (states[:, 0] == actions).all()
    assert (next_states[:, 0] == actions + 1).all()
    assert (rewards == -actions).all()
    assert (not_done == 1).all()
