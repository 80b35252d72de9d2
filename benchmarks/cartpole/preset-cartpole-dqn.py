"""CartPole-v1, learnt by DQN, on the fast path and by stock Coach alike.

Evaluations reach 500 after 4,096 to 16,384 steps; then a policy is lost and found again, as DQN's are. A job keeps the
best.
"""

from rl_coach.agents.dqn_agent import DQNAgentParameters
from rl_coach.architectures.layers import Dense
from rl_coach.base_parameters import VisualizationParameters
from rl_coach.core_types import EnvironmentEpisodes, EnvironmentSteps, TrainingSteps
from rl_coach.environments.gym_environment import GymVectorEnvironment
from rl_coach.filters.filter import InputFilter
from rl_coach.filters.observation.observation_normalization_filter import ObservationNormalizationFilter
from rl_coach.filters.reward.reward_rescale_filter import RewardRescaleFilter
from rl_coach.graph_managers.basic_rl_graph_manager import BasicRLGraphManager
from rl_coach.graph_managers.graph_manager import ScheduleParameters
from rl_coach.memories.memory import MemoryGranularity
from rl_coach.schedules import LinearSchedule

schedule_params = ScheduleParameters()
schedule_params.heatup_steps = EnvironmentSteps(1_024)
schedule_params.improve_steps = EnvironmentSteps(81_920)
schedule_params.steps_between_evaluation_periods = EnvironmentSteps(4_096)
schedule_params.evaluation_steps = EnvironmentEpisodes(10)

agent_params = DQNAgentParameters()
algorithm = agent_params.algorithm
algorithm.discount = 0.99
algorithm.num_consecutive_playing_steps = EnvironmentSteps(16)  # and a gradient step for each of them
algorithm.num_consecutive_training_steps = 16
algorithm.num_steps_between_copying_online_weights_to_target = TrainingSteps(1)
algorithm.rate_for_copying_weights_to_target = 0.01  # a target network that follows closely: see the car's preset
agent_params.exploration.epsilon_schedule = LinearSchedule(1.0, 0.05, 10_000)
agent_params.exploration.evaluation_epsilon = 0.0

# Values up to 5 and not to 100: the network begins near them.
agent_params.input_filter = InputFilter()
agent_params.input_filter.add_reward_filter("rescale", RewardRescaleFilter(0.05))
agent_params.pre_network_filter = InputFilter()
agent_params.pre_network_filter.add_observation_filter(
    "observation", "normalize_observation", ObservationNormalizationFilter()
)
agent_params.memory.max_size = (MemoryGranularity.Transitions, 100_000)

network = agent_params.network_wrappers["main"]
network.learning_rate = 0.0005
network.batch_size = 64
network.input_embedders_parameters["observation"].scheme = [Dense(64)]
network.middleware_parameters.scheme = [Dense(64)]

graph_manager = BasicRLGraphManager(
    agent_params=agent_params,
    env_params=GymVectorEnvironment(level="CartPole-v1"),
    schedule_params=schedule_params,
    vis_params=VisualizationParameters(dump_gifs=False),
)
