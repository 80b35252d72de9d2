"""PatientMountainCar, learnt by DQN (https://www.cs.toronto.edu/~vmnih/docs/dqn.pdf).

A Coach preset: read it from top to bottom and you know what is trained. Every value can be changed by a hyperparameter
of the training job, by its short name (see train-coach.py) or by its path, as in ``rl.agent_params.memory.max_size``.
"""

from rl_coach.agents.dqn_agent import DQNAgentParameters
from rl_coach.architectures.layers import Dense
from rl_coach.base_parameters import PresetValidationParameters, VisualizationParameters
from rl_coach.core_types import EnvironmentEpisodes, EnvironmentSteps
from rl_coach.environments.gym_environment import GymVectorEnvironment
from rl_coach.filters.filter import InputFilter
from rl_coach.filters.observation.observation_normalization_filter import ObservationNormalizationFilter
from rl_coach.graph_managers.basic_rl_graph_manager import BasicRLGraphManager
from rl_coach.graph_managers.graph_manager import ScheduleParameters
from rl_coach.memories.memory import MemoryGranularity
from rl_coach.schedules import LinearSchedule
from sagemaker_rl.gifs import FirstEpisodeOfEvaluation

# --- Schedule --------------------------------------------------------------------------------------------------------
# The first half goes by with the car lost at times for a whole episode; then it learns to climb from everywhere.
schedule_params = ScheduleParameters()
schedule_params.heatup_steps = EnvironmentSteps(1_000)  # random actions: something to replay
schedule_params.improve_steps = EnvironmentSteps(140_000)
schedule_params.steps_between_evaluation_periods = EnvironmentSteps(20_000)
schedule_params.evaluation_steps = EnvironmentEpisodes(20)  # the best policy of seven is kept: see keep_best

# --- Agent: the proportions of RL Baselines3 Zoo's DQN for MountainCar-v0 (its hyperparams/dqn.yml) ------------------
agent_params = DQNAgentParameters()
algorithm = agent_params.algorithm
algorithm.discount = 0.98
algorithm.num_consecutive_playing_steps = EnvironmentSteps(16)
algorithm.num_consecutive_training_steps = 8
algorithm.num_steps_between_copying_online_weights_to_target = EnvironmentSteps(600)

# Rewards stay as they are: -1 per step makes untried actions look good beside tried ones, and so explores.
# Two of the first, aimless episodes fit into the memory: a smaller one forgets the flag while the car is lost.
agent_params.memory.max_size = (MemoryGranularity.Transitions, 20_000)
agent_params.exploration.epsilon_schedule = LinearSchedule(0.2, 0.07, 24_000)
agent_params.exploration.evaluation_epsilon = 0.0  # evaluation plays the greedy policy

# Observations are normalized by their running mean and standard deviation; the exported policy does the same inside its
# graph.
agent_params.pre_network_filter = InputFilter()
agent_params.pre_network_filter.add_observation_filter(
    "observation", "normalize_observation", ObservationNormalizationFilter()
)

# --- Network: 2 - 256 - 256 - 3 with ReLU ----------------------------------------------------------------------------
network = agent_params.network_wrappers["main"]
network.learning_rate = 0.001  # a quarter of the zoo's: with more, a car that climbs may forget how to
network.batch_size = 128
network.input_embedders_parameters["observation"].scheme = [Dense(256)]
network.middleware_parameters.scheme = [Dense(256)]

# --- Environment -----------------------------------------------------------------------------------------------------
env_params = GymVectorEnvironment(level="patient_envs:PatientMountainCar")

# --- Visualization: the CSV after every episode, a GIF of the first episode of every evaluation ----------------------
vis_params = VisualizationParameters(
    dump_signals_to_csv_every_x_episodes=1, dump_gifs=True, video_dump_methods=[FirstEpisodeOfEvaluation()]
)

# --- Validation: what a run with these values is expected to reach ---------------------------------------------------
preset_validation_params = PresetValidationParameters()
preset_validation_params.test = True
preset_validation_params.min_reward_threshold = -150
preset_validation_params.max_episodes_to_achieve_reward = 1000

graph_manager = BasicRLGraphManager(
    agent_params=agent_params,
    env_params=env_params,
    schedule_params=schedule_params,
    vis_params=vis_params,
    preset_validation_params=preset_validation_params,
)
