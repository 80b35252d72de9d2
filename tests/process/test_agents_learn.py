"""The agents whose heads or losses are this project's balance gym's CartPole, by stock Coach."""

from functools import partial

import pytest
from agent_presets import write_agent
from jobs import run_prepared

CARTPOLE = """
from rl_coach.base_parameters import EmbedderScheme, MiddlewareScheme
from rl_coach.filters.filter import InputFilter
from rl_coach.filters.reward.reward_rescale_filter import RewardRescaleFilter
from rl_coach.schedules import LinearSchedule

env_params = GymVectorEnvironment(level="CartPole-v0")
schedule_params.heatup_steps = EnvironmentSteps(0)
schedule_params.improve_steps = EnvironmentSteps(14000)
schedule_params.steps_between_evaluation_periods = EnvironmentSteps(2000)
schedule_params.evaluation_steps = EnvironmentEpisodes(5)
agent_params.algorithm.discount = 0.99
for network in agent_params.network_wrappers.values():
    network.input_embedders_parameters["observation"].scheme = EmbedderScheme.Shallow
    network.middleware_parameters.scheme = MiddlewareScheme.Shallow
"""
POLICY_GRADIENTS = """
agent_params.network_wrappers["main"].learning_rate = 0.005
agent_params.input_filter = InputFilter()
agent_params.input_filter.add_reward_filter("rescale", RewardRescaleFilter(1 / 200))
"""
ACTOR_CRITIC = """
from rl_coach.agents.policy_optimization_agent import PolicyGradientRescaler
agent_params.algorithm.policy_gradient_rescaler = PolicyGradientRescaler.GAE
agent_params.algorithm.gae_lambda = 1
agent_params.algorithm.beta_entropy = 0.01
agent_params.algorithm.apply_gradients_every_x_episodes = 1
agent_params.algorithm.num_steps_between_gradient_updates = 20
agent_params.network_wrappers["main"].learning_rate = 0.003
agent_params.input_filter = InputFilter()
agent_params.input_filter.add_reward_filter("rescale", RewardRescaleFilter(1 / 200))
"""
DUELING = """
from rl_coach.architectures.head_parameters import DuelingQHeadParameters
agent_params.network_wrappers["main"].heads_parameters = [DuelingQHeadParameters()]
agent_params.network_wrappers["main"].learning_rate = 0.001
agent_params.algorithm.num_consecutive_playing_steps = EnvironmentSteps(4)
agent_params.algorithm.num_steps_between_copying_online_weights_to_target = EnvironmentSteps(100)
agent_params.exploration.epsilon_schedule = LinearSchedule(1.0, 0.01, 2000)
schedule_params.heatup_steps = EnvironmentSteps(1000)
schedule_params.improve_steps = EnvironmentSteps(6000)
schedule_params.steps_between_evaluation_periods = EnvironmentSteps(1000)
"""
PPO_WITH_KL = """
agent_params.algorithm.num_consecutive_playing_steps = EnvironmentSteps(1000)
for network in agent_params.network_wrappers.values():
    network.batch_size = 64
    network.learning_rate = 0.001
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("agent", "changes"),
    [
        ("policy_gradients_agent:PolicyGradientsAgent", POLICY_GRADIENTS),
        ("actor_critic_agent:ActorCriticAgent", ACTOR_CRITIC),
        ("ddqn_agent:DDQNAgent", DUELING),
        ("ppo_agent:PPOAgent", PPO_WITH_KL),
    ],
)
def test_balances_the_pole(tmp_path, agent, changes):
    before = partial(write_agent, agent=agent, changes=CARTPOLE + changes)
    job = run_prepared(tmp_path, {"RLCOACH_PRESET": "preset-own", "seed": "1"}, before)
    assert job.status == 0, job.log
    assert job.metadata()["evaluation_reward"] >= 150, "of 200; at random about 22"
