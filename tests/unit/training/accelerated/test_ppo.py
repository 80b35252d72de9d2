"""The fast path's mathematics against the installed rl_coach, on the same batch and weights."""

import numpy as np
import pytest
from jobs import PPO, ROOT
from sagemaker_rl.coach_launcher import find_preset, import_preset
from sagemaker_rl.job.hyperparameters import apply_to_preset
from sagemaker_rl.job.ml_paths import MLPaths
from sagemaker_rl.training import loop as training

BATCH = 256
CORRIDOR = ROOT / "tests/resources/custom_environment/preset-corridor.py"


def make_graph(folder, preset: str = PPO, **changes):
    file = CORRIDOR if preset == "corridor" else find_preset(preset, MLPaths(folder))
    graph_manager = import_preset(file)
    for path, value in changes.items():
        apply_to_preset(graph_manager, f"rl.{path.replace('__', '.')}", value, path)
    folder.mkdir(exist_ok=True)
    training.create_graph(graph_manager, folder, seed=3)
    return graph_manager


def agent_of(graph_manager):
    return graph_manager.level_managers[0].acting_agent()


def make_learner(agent, in_numpy: bool = True):
    from sagemaker_rl.training.accelerated.ppo import PPOLearner

    learner = PPOLearner(agent, np.random.default_rng(0), in_numpy)
    assert (learner.dense is not None) == in_numpy
    return learner


def random_batch(agent, discrete: bool):
    """A batch on which the policy has moved away from the old one, with ratios on both sides of the clipping range."""
    random = np.random.default_rng(1)
    size = int(agent.spaces.state["observation"].shape[0])
    states = random.normal(size=(BATCH, size)).astype(np.float32)
    actions = random.integers(0, 2, BATCH) if discrete else random.normal(size=(BATCH, 1))
    network = agent.networks["main"].online_network
    old = [np.array(output) for output in network.predict({"observation": states})[1:]]
    for parameter in network.model.collect_params().values():
        if parameter.grad_req != "null":
            data = parameter.data()
            data[:] = data.asnumpy() + 0.3 * random.normal(size=data.shape)
    return states, actions, old, random.normal(size=BATCH), random.normal(size=BATCH)


def coachs_gradients(agent, states, actions, old, advantages, value_targets):
    """Return Coach's total loss, losses and gradients, as ClippedPPOAgent.train_network asks for them."""
    network = agent.networks["main"].online_network
    inputs = {"observation": states, "output_1_0": actions}
    for index, parameter in enumerate(old):
        inputs[f"output_1_{index + 1}"] = parameter
    inputs[f"output_1_{len(old) + 1}"] = 1.0
    total, losses, *_ = network.accumulate_gradients(
        inputs, [value_targets[:, None], advantages], additional_fetches=[], no_accumulation=True
    )
    return float(total), [float(loss) for loss in losses], [g.asnumpy().copy() for g in network.accumulated_gradients]


def gradients_of(learner):
    if learner.dense:
        return [gradient.copy() for _, _, gradient in learner.dense._views()]
    return [gradient.asnumpy().copy() for gradient in learner.network._model_grads()]


def relative_difference(ours: np.ndarray, theirs: np.ndarray) -> float:
    return float(np.abs(ours - theirs).max() / max(np.abs(theirs).max(), 1e-8))


@pytest.mark.parametrize("in_numpy", [True, False], ids=["NumPy", "MXNet"])
@pytest.mark.parametrize("preset", [PPO, "corridor"])
def test_loss_gradients_and_adams_steps_equal_coachs(tmp_path, preset, in_numpy):
    from sagemaker_rl.training.accelerated.ppo import log_probs_and_entropy

    ours, theirs = (
        agent_of(make_graph(tmp_path / name, preset, agent_params__algorithm__beta_entropy=0.02))
        for name in ("ours", "theirs")
    )
    discrete = preset == "corridor"
    states, actions, old, advantages, value_targets = random_batch(theirs, discrete)
    for our, their in zip(trained(ours), trained(theirs), strict=True):
        our.set_data(their.data())
    learner = make_learner(ours, in_numpy)
    columns = [log_probs_and_entropy(np, discrete, old, actions)[0], advantages, value_targets]
    batch = [states, actions if discrete else actions.astype(np.float32), *(c.astype(np.float32) for c in columns)]
    for step in range(3):
        before = [parameter.data().asnumpy().copy() for parameter in trained(theirs)]
        total, losses, their_gradients = coachs_gradients(theirs, states, actions, old, advantages, value_targets)
        result = learner.gradient_step(batch)
        assert result.total_loss == pytest.approx(total, rel=1e-4)
        assert [result.value_loss, result.policy_loss] == pytest.approx(losses[:2], rel=1e-4)
        assert result.entropy_loss == pytest.approx(losses[2], rel=1e-4)
        our_gradients = gradients_of(learner)
        assert len(our_gradients) == len(their_gradients) > 8
        for our, their in zip(our_gradients, their_gradients, strict=True):
            assert relative_difference(our, their) < 1e-4, step
        assert (result.ratios != result.clipped_ratios).any()
        network = theirs.networks["main"].online_network
        network.apply_gradients(network.accumulated_gradients)
        learner.publish()
        for our, their, was in zip(trained(ours), trained(theirs), before, strict=True):
            assert np.abs(our.data().asnumpy() - their.data().asnumpy()).max() < 1e-6
            assert np.abs(our.data().asnumpy() - was).max() > 1e-6


def trained(agent):
    parameters = agent.networks["main"].online_network.model.collect_params().values()
    return [parameter for parameter in parameters if parameter.grad_req != "null"]


def test_advantages_and_returns_equal_coachs(tmp_path):
    from sagemaker_rl.training.accelerated.ppo import generalized_advantages

    agent = agent_of(
        make_graph(tmp_path, agent_params__algorithm__discount=0.97, agent_params__algorithm__gae_lambda=0.9)
    )
    random = np.random.default_rng(0)
    rewards, values = random.normal(size=(300, 2)), random.normal(size=(300, 2))
    ended = np.zeros((300, 2), dtype=bool)
    ends = {0: [99, 299], 1: [10, 150, 299]}
    for environment, steps in ends.items():
        ended[steps, environment] = True
    ours = generalized_advantages(rewards, values, random.normal(size=2), ended, 0.97, 0.9)
    for environment, steps in ends.items():
        start = 0
        for end in steps:
            episode = slice(start, end + 1)
            theirs, returns = agent.get_general_advantage_estimation_values(
                rewards[episode, environment], np.append(values[episode, environment], 0.0)
            )
            assert np.abs(ours[episode, environment] - theirs).max() < 1e-5
            ours_returns = ours[episode, environment] + values[episode, environment]
            assert np.abs(ours_returns - returns[:, 0]).max() < 1e-5
            start = end + 1


def test_an_episode_that_is_cut_is_bootstrapped_with_its_value():
    from sagemaker_rl.training.accelerated.ppo import generalized_advantages

    advantages = generalized_advantages(
        np.array([[1.0], [1.0]]), np.zeros((2, 1)), np.array([10.0]), np.zeros((2, 1), dtype=bool), 0.5, 1.0
    )
    assert advantages.tolist() == [[1 + 0.5 * (1 + 0.5 * 10)], [1 + 0.5 * 10]]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({}, None),
        ({"agent_params__network_wrappers__main__clip_gradients": 40.0}, "clip_gradients is set"),
        ({"agent_params__network_wrappers__main__optimizer_type": "RMSProp"}, "the optimizer is RMSProp"),
        ({"agent_params__network_wrappers__main__l2_regularization": 0.1}, "l2_regularization is set"),
        ({"agent_params__algorithm__policy_gradient_rescaler": "a_value"}, "policy_gradient_rescaler is"),
        ({"agent_params__algorithm__estimate_state_value_using_gae": 0}, "estimate_state_value_using_gae is False"),
        ({"agent_params__algorithm__num_consecutive_training_steps": 2}, "num_consecutive_training_steps is 2"),
        ({"agent_params__exploration__evaluation_noise_percentage": 0.1}, "evaluation is noisy"),
        ({"env_params__frame_skip": 2}, "the environment skips frames"),
        ({"improve_steps:EnvironmentEpisodes": 5}, "improve_steps is in EnvironmentEpisodes"),
    ],
)
def test_an_option_that_the_fast_path_lacks_goes_to_stock_coach(tmp_path, changes, reason):
    from sagemaker_rl.training.accelerated.support import reason_for_stock

    found = reason_for_stock(make_graph(tmp_path, **changes))
    assert found is None if reason is None else reason in found


@pytest.mark.parametrize(
    ("steps", "at_most", "environments"), [(32768, 32, 32), (75000, 32, 30), (97, 16, 16), (5, 16, 5)]
)
def test_phases_are_divided_among_the_environments(steps, at_most, environments):
    from sagemaker_rl.training.accelerated.run import divisor

    assert divisor(steps, at_most) == environments


def test_heads_of_a_whole_collection_are_those_of_its_parts(tmp_path):
    from sagemaker_rl.training.accelerated.ppo import ROWS_AT_A_TIME, PPOLearner

    learner = PPOLearner(agent_of(make_graph(tmp_path)), np.random.default_rng(0))
    states = np.random.default_rng(1).normal(size=(2 * ROWS_AT_A_TIME + 5, 2)).astype(np.float32)
    value, *policy = learner.dense.forward(states)
    for whole, pieced in zip([value.reshape(-1), *policy], learner.heads(states), strict=True):
        assert pieced.shape == whole.shape
        assert np.abs(pieced - whole).max() < 1e-6
