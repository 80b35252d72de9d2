"""The repairs of Coach's networks: each in the place where an agent meets it."""

import numpy as np
import pytest
from agent_presets import BOX, DISCRETE, write_agent
from sagemaker_rl.coach import repairs
from sagemaker_rl.coach.graph import agent_of, create_graph
from sagemaker_rl.coach.presets import import_preset

repairs.apply()

OBSERVATIONS = np.random.default_rng(1).uniform(-1, 1, size=(8, 1)).astype(np.float32)
ADVANTAGES = np.random.default_rng(2).normal(size=8)
PPO = "ppo_agent:PPOAgent"


def make_agent(folder, agent, changes="", actions=DISCRETE):
    graph_manager = import_preset(write_agent(folder, agent, changes, actions))
    create_graph(graph_manager, folder, seed=3)
    return agent_of(graph_manager)


def policy_losses(agent, actions, old_policy):
    """Return what PPO's actor gives for a batch whose old policy is ``old_policy``: total loss, and KL divergence."""
    network = agent.networks["actor"].online_network
    inputs = {"observation": OBSERVATIONS, "output_0_0": actions}
    inputs.update({f"output_0_{index + 1}": values for index, values in enumerate(old_policy)})
    fetches = [network.output_heads[0].kl_divergence]
    total, _, _, fetched = network.accumulate_gradients(inputs, [ADVANTAGES], additional_fetches=fetches)
    return float(total), float(np.squeeze(fetched))


def test_ppos_divergence_of_probabilities(tmp_path):
    agent = make_agent(tmp_path, PPO)
    new = agent.networks["actor"].online_network.predict({"observation": OBSERVATIONS})
    old = np.stack([np.linspace(0.2, 0.8, 8), np.linspace(0.8, 0.2, 8)], axis=1)
    _, divergence = policy_losses(agent, np.zeros(8), [old])
    assert divergence == pytest.approx((old * np.log(old / new)).sum(axis=1).mean(), rel=1e-4)


def test_ppos_divergence_in_a_box(tmp_path):
    agent = make_agent(tmp_path, PPO, actions=BOX)
    mean, deviation = agent.networks["actor"].online_network.predict({"observation": OBSERVATIONS})
    old_mean, old_deviation = mean + 0.3, deviation * 0.5
    # https://en.wikipedia.org/wiki/Kullback-Leibler_divergence, of normal distributions
    expected = (
        np.log(deviation / old_deviation) + (old_deviation**2 + (old_mean - mean) ** 2) / (2 * deviation**2) - 0.5
    )
    _, divergence = policy_losses(agent, np.zeros((8, 1)), [old_mean, old_deviation])
    assert divergence == pytest.approx(expected.mean(), rel=1e-4)


@pytest.mark.parametrize(
    ("actions", "taken", "old_policy"),
    [
        (DISCRETE, np.zeros(8), [np.full((8, 2), [0.3, 0.7])]),
        (BOX, np.zeros((8, 1)), [np.full((8, 1), 0.1), np.full((8, 1), 0.9)]),
    ],
)
def test_the_adapted_weight_of_the_divergence_is_in_the_loss(tmp_path, actions, taken, old_policy):
    agent = make_agent(tmp_path, PPO, actions=actions)
    agent.ap.algorithm.target_kl_divergence = 0.01
    head = agent.networks["actor"].online_network.output_heads[0]
    before, divergence = policy_losses(agent, taken, old_policy)
    assert head.kl_coefficient == 1.0
    agent.total_kl_divergence_during_training_process = 1.0  # far above the target
    agent.update_kl_coefficient()
    assert head.kl_coefficient == 1.5
    after, _ = policy_losses(agent, taken, old_policy)
    assert after - before == pytest.approx(0.5 * divergence, rel=1e-3)
    agent.total_kl_divergence_during_training_process = 0.0
    agent.update_kl_coefficient()
    assert head.kl_coefficient == 1.0


@pytest.mark.parametrize("name", ["none", "selu", "tanh"])
def test_any_activation_of_a_head(tmp_path, name):
    changes = f'agent_params.network_wrappers["main"].heads_parameters[0].activation_function = "{name}"'
    make_agent(tmp_path, "dqn_agent:DQNAgent", changes)


def test_targets_of_several_heads_as_a_tuple(tmp_path):
    agent = make_agent(tmp_path, "bootstrapped_dqn_agent:BootstrappedDQNAgent")
    network = agent.networks["main"].online_network
    targets = tuple(np.ones((8, 2)) for _ in range(10))
    total, losses, _, _ = network.accumulate_gradients({"observation": OBSERVATIONS}, targets)
    assert len(losses) == 10
    assert float(total) == pytest.approx(float(np.sum(losses)), rel=1e-5)


@pytest.mark.parametrize("of_symbols", [False, True])
def test_the_divergence_of_normal_distributions_with_covariances(of_symbols):
    """Against the closed form (https://en.wikipedia.org/wiki/Multivariate_normal_distribution), in NumPy."""
    import mxnet as mx
    from rl_coach.architectures.mxnet_components.heads.ppo_head import MultivariateNormalDist

    random = np.random.default_rng(4)
    roots = random.normal(size=(2, 5, 3, 3))
    covariances = roots @ roots.transpose(0, 1, 3, 2) + 0.5 * np.eye(3)
    means = random.normal(size=(2, 5, 3))
    expected = []
    for mean, other_mean, covariance, other in zip(*means, *covariances, strict=True):
        distance = other_mean - mean
        trace = np.trace(np.linalg.inv(other) @ covariance)
        ratio = np.log(np.linalg.det(other) / np.linalg.det(covariance))
        expected.append(0.5 * (trace + distance @ np.linalg.inv(other) @ distance - 3 + ratio))

    class Divergence(mx.gluon.HybridBlock):
        def hybrid_forward(self, F, mean, covariance, other_mean, other):  # noqa: N803
            first = MultivariateNormalDist(3, mean, covariance, F=F)
            return first.kl_div(MultivariateNormalDist(3, other_mean, other, F=F))

    block = Divergence()
    if of_symbols:
        block.hybridize()
    arrays = [mx.nd.array(array) for pair in zip(means, covariances, strict=True) for array in pair]
    assert block(*arrays).asnumpy() == pytest.approx(np.array(expected), rel=1e-3)
    assert block(*arrays[:2], *arrays[:2]).asnumpy() == pytest.approx(np.zeros(5), abs=1e-4)


@pytest.mark.parametrize(("name", "inputs"), [(PPO, ["observation"]), ("dqn_agent:DQNAgent", ["observation"])])
def test_the_inputs_of_a_network_have_names(tmp_path, name, inputs):
    agent = make_agent(tmp_path, name)
    assert [network.online_network.inputs for network in agent.networks.values()] == [inputs] * len(agent.networks)
