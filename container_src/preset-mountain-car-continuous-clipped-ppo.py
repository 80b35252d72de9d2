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
from rl_coach.graph_managers.basic_rl_graph_manager import BasicRLGraphManager
from rl_coach.graph_managers.graph_manager import ScheduleParameters
from sagemaker_rl.gifs import FirstEpisodeOfEvaluation

# --- Schedule: collect 131,072 steps, train on them, evaluate; ten times at most -----------------------------------
# A first policy only jitters, and needs thousands of steps to reach the flag by chance: a collection of 64 cars for
# 2,048 steps each holds enough tries to learn the climb from one or a few of them. The policy that its evaluation finds
# best is kept (hyperparameter keep_best): it is the first or second that climbs, so training ends with the first
# evaluation after it that is no better (early_stopping_patience, below).
schedule_params = ScheduleParameters()
schedule_params.heatup_steps = EnvironmentSteps(0)
schedule_params.improve_steps = EnvironmentSteps(1_310_720)
schedule_params.steps_between_evaluation_periods = EnvironmentSteps(131_072)
schedule_params.evaluation_steps = EnvironmentEpisodes(20)

# --- Agent -----------------------------------------------------------------------------------------------------------
# The optimum is patient: little force for many swings. What makes an agent hasty is its own noise: a policy with the
# standard deviation s pays 0.1 * s^2 in every step, so in training it pays to arrive soon, with a force of about s. The
# noise has to go as soon as the climb is learnt, and the negative weight of the entropy sees to it; without it the
# return falls from 99 to 94 as training goes on. (A job that sets another schedule by its short names gets a weight of
# 0: see train-coach.py.) Large batches make exact steps, and those find the policy that just
# climbs, the best of all: without friction a swing grows with any force, but the wall on the left takes all speed away,
# and from there less than a certain force never reaches the flag. A clipping range of 0.1 is no worse, but two seeds of
# eleven have not climbed with it after ten trainings.
agent_params = ClippedPPOAgentParameters()
algorithm = agent_params.algorithm
algorithm.discount = 1.0  # below 1, a later flag is worth less: 0.9999 makes 2,000 steps of patience cost 18
algorithm.gae_lambda = 0.997  # 0.99 looks 100 steps ahead, less than a swing: it learns sooner, and a hastier policy
algorithm.beta_entropy = -5.0
algorithm.clip_likelihood_ratio_using_epsilon = 0.2
algorithm.optimization_epochs = 20
algorithm.num_consecutive_playing_steps = EnvironmentSteps(131_072)
algorithm.num_steps_between_copying_online_weights_to_target = EnvironmentSteps(131_072)

# Observations are normalized by their running mean and standard deviation; the exported policy does the same inside its
# graph.
agent_params.pre_network_filter = InputFilter()
agent_params.pre_network_filter.add_observation_filter(
    "observation", "normalize_observation", ObservationNormalizationFilter()
)

# The policy's own standard deviation explores in training; evaluation plays its mean, without Coach's 5 % of noise.
agent_params.exploration = AdditiveNoiseParameters()
agent_params.exploration.evaluation_noise_percentage = 0.0

# --- Network: value and policy apart, each 2 - 32 - 32 - 1 with tanh -------------------------------------------------
network = agent_params.network_wrappers["main"]
network.learning_rate = 0.003
network.learning_rate_decay_rate = 0.9  # after each of the ten trainings, which are
network.learning_rate_decay_steps = 160  # 20 epochs of 131,072 / 16,384 gradient steps
network.batch_size = 16_384
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
preset_validation_params.min_reward_threshold = 98
preset_validation_params.max_episodes_to_achieve_reward = 150

graph_manager = BasicRLGraphManager(
    agent_params=agent_params,
    env_params=env_params,
    schedule_params=schedule_params,
    vis_params=vis_params,
    preset_validation_params=preset_validation_params,
)
graph_manager.early_stopping_patience = 1  # counted once an evaluation has reached min_reward_threshold
