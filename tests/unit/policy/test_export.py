"""The artifact of the heads in coach/heads.py: what it answers equals what Coach's network answers."""

import numpy as np
import pytest
from agent_presets import BOX, DISCRETE, write_agent
from sagemaker_rl.coach.graph import agent_of, create_graph
from sagemaker_rl.coach.presets import import_preset
from sagemaker_rl.policy import export
from sagemaker_rl.policy.artifact import Policy

DUELING = """
from rl_coach.architectures.head_parameters import DuelingQHeadParameters
agent_params.network_wrappers["main"].heads_parameters = [DuelingQHeadParameters()]
"""
OBSERVATIONS = np.linspace(-1, 1, 7, dtype=np.float32)[:, None]


@pytest.mark.parametrize(
    ("agent", "changes", "actions"),
    [
        ("dqn_agent:DQNAgent", DUELING, DISCRETE),
        ("actor_critic_agent:ActorCriticAgent", "", DISCRETE),
        ("actor_critic_agent:ActorCriticAgent", "", BOX),
        ("policy_gradients_agent:PolicyGradientsAgent", "", BOX),
    ],
)
def test_heads_equal_coachs(tmp_path, agent, changes, actions):
    graph_manager = import_preset(write_agent(tmp_path, agent, changes, actions))
    create_graph(graph_manager, tmp_path, seed=3)
    coachs = agent_of(graph_manager)
    assert export.reason_not_exportable(coachs) is None
    export.export_policy(coachs, graph_manager, tmp_path, {"preset": "preset-own"})
    policy = Policy.load(tmp_path)
    expected = coachs.networks["main"].online_network.predict({"observation": OBSERVATIONS})
    expected = expected if isinstance(expected, list) else [expected]
    for actual, wanted in zip(policy.heads(OBSERVATIONS), expected, strict=True):
        assert np.allclose(actual, wanted.reshape(len(OBSERVATIONS), -1), rtol=1e-5, atol=1e-6)
    action = policy.actions(OBSERVATIONS)
    best = expected[-1] if actions == DISCRETE else expected[policy.head_names.index("action_mean")]
    assert np.allclose(action, best.argmax(axis=1) if actions == DISCRETE else np.clip(best, -2, 2), atol=1e-6)
