"""PatientContinuousMountainCar, learnt by clipped PPO (https://arxiv.org/abs/1707.06347).

A Coach preset: read it from top to bottom and you know what is trained. Every value can be changed by a hyperparameter
of the training job, by its short name (see train-coach.py) or by its path, as in
``rl.agent_params.algorithm.beta_entropy``.
"""

from rl_coach.agents.clipped_ppo_agent import ClippedPPOAgentParameters
from rl_coach.architectures.layers import Dense
from rl_coach.base_parameters import PresetValidationParameters, VisualizationParameters
from rl_coach.core_types import EnvironmentEpisodes, EnvironmentSteps
from rl_coach.environments.gym_environment import GymVectorEnvironment
from rl_coach.exploration_policies.additive_noise import AdditiveNoiseParameters
from rl_coach.filters.filter import InputFilter
from rl_coach.filters.observation.observation_normalization_filter import ObservationNormalizationFilter
from rl_coach.filters.reward.reward_rescale_filter import RewardRescaleFilter
from rl_coach.graph_managers.basic_rl_graph_manager import BasicRLGraphManager
from rl_coach.graph_managers.graph_manager import ScheduleParameters
from sagemaker_rl.gifs import FirstEpisodeOfEvaluation

# --- Schedule: collect 32,768 steps, train on them, evaluate; four times ----------------------------------------------
# A first policy that only jitters needs thousands of steps to reach the flag by chance: a collection holds many tries.
# Once it climbs, the return peaks at about 99 and then falls slowly: trained further, the car hurries, and haste costs
# more force than it earns. Four updates let a slow start catch up without much of that.
schedule_params = ScheduleParameters()
schedule_params.heatup_steps = EnvironmentSteps(0)
schedule_params.improve_steps = EnvironmentSteps(131_072)
schedule_params.steps_between_evaluation_periods = EnvironmentSteps(32_768)
schedule_params.evaluation_steps = EnvironmentEpisodes(3)

# --- Agent -----------------------------------------------------------------------------------------------------------
agent_params = ClippedPPOAgentParameters()
algorithm = agent_params.algorithm
algorithm.discount = 0.9999  # the flag's +100 must be felt 10,000 steps before it is reached
algorithm.gae_lambda = 0.99
algorithm.beta_entropy = 0.0  # the initial standard deviation of 1 explores enough; entropy only costs force
algorithm.optimization_epochs = 10
algorithm.num_consecutive_playing_steps = EnvironmentSteps(32_768)
algorithm.num_steps_between_copying_online_weights_to_target = EnvironmentSteps(32_768)

# Observations are normalized by their running mean and standard deviation; the exported policy does the same inside its
# graph. Rewards are scaled so that returns, and with them the value loss, are of the order of 10.
agent_params.pre_network_filter = InputFilter()
agent_params.pre_network_filter.add_observation_filter(
    "observation", "normalize_observation", ObservationNormalizationFilter()
)
agent_params.input_filter = InputFilter()
agent_params.input_filter.add_reward_filter("rescale_reward", RewardRescaleFilter(0.1))

# The policy's own standard deviation explores in training; evaluation plays its mean, without Coach's 5 % of noise.
agent_params.exploration = AdditiveNoiseParameters()
agent_params.exploration.evaluation_noise_percentage = 0.0

# --- Network: value and policy apart, each 2 - 32 - 32 - 1 with tanh -------------------------------------------------
network = agent_params.network_wrappers["main"]
network.learning_rate = 0.002
network.batch_size = 2048
network.optimizer_epsilon = 1e-5
network.input_embedders_parameters["observation"].scheme = [Dense(32)]
network.input_embedders_parameters["observation"].activation_function = "tanh"
network.middleware_parameters.scheme = [Dense(32)]
network.middleware_parameters.activation_function = "tanh"

# --- Environment -----------------------------------------------------------------------------------------------------
env_params = GymVectorEnvironment(level="patient_envs:PatientContinuousMountainCar")

# --- Visualization: the CSV after every episode, a GIF of the first episode of every evaluation ----------------------
vis_params = VisualizationParameters(
    dump_signals_to_csv_every_x_episodes=1, dump_gifs=True, video_dump_methods=[FirstEpisodeOfEvaluation()]
)

# --- Validation: what a run with these values is expected to reach ---------------------------------------------------
preset_validation_params = PresetValidationParameters()
preset_validation_params.test = True
preset_validation_params.min_reward_threshold = 95
preset_validation_params.max_episodes_to_achieve_reward = 150

graph_manager = BasicRLGraphManager(
    agent_params=agent_params,
    env_params=env_params,
    schedule_params=schedule_params,
    vis_params=vis_params,
    preset_validation_params=preset_validation_params,
)
