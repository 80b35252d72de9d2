"""What runs a job: stock Coach, stopped between two gradient steps."""

import pytest
from agent_presets import write_agent
from sagemaker_rl.coach.graph import agent_of, create_graph
from sagemaker_rl.coach.presets import import_preset
from sagemaker_rl.job.stopping import STOP, Stopped


@pytest.mark.parametrize("agent", ["ppo_agent:PPOAgent", "dqn_agent:DQNAgent", "n_step_q_agent:NStepQAgent"])
def test_sigterm_is_noticed_before_a_gradient_step(tmp_path, monkeypatch, agent):
    graph_manager = import_preset(write_agent(tmp_path, agent))
    create_graph(graph_manager, tmp_path, seed=3)
    from sagemaker_rl.training.choice import StockRun  # once Coach is repaired

    StockRun(graph_manager)
    monkeypatch.setattr(STOP, "_received", True)
    for network in agent_of(graph_manager).networks.values():
        with pytest.raises(Stopped):
            network.online_network.accumulate_gradients({}, [])
