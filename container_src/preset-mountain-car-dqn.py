"""PatientMountainCar, learnt by DQN (https://www.cs.toronto.edu/~vmnih/docs/dqn.pdf).

A Coach preset: read it from top to bottom and you know what is trained. Every value can be changed by a hyperparameter
of the training job, by its short name (see train-coach.py) or by its path, as in ``rl.agent_params.memory.max_size``.
"""

from rl_coach.agents.dqn_agent import DQNAgentParameters
from rl_coach.architectures.layers import Dense
from rl_coach.base_parameters import PresetValidationParameters, VisualizationParameters
from rl_coach.core_types import EnvironmentEpisodes, EnvironmentSteps, TrainingSteps
from rl_coach.environments.gym_environment import GymVectorEnvironment
from rl_coach.filters.filter import InputFilter
from rl_coach.filters.observation.observation_normalization_filter import ObservationNormalizationFilter
from rl_coach.filters.reward.reward_rescale_filter import RewardRescaleFilter
from rl_coach.graph_managers.basic_rl_graph_manager import BasicRLGraphManager
from rl_coach.graph_managers.graph_manager import ScheduleParameters
from rl_coach.memories.memory import MemoryGranularity
from rl_coach.schedules import LinearSchedule
from sagemaker_rl.exploration import HeldEGreedyParameters
from sagemaker_rl.gifs import FirstEpisodeOfEvaluation

# --- Schedule --------------------------------------------------------------------------------------------------------
# From the first climb on nearly every policy reaches the flag, in 100 to 130 steps: no two of them are the same, since
# an error of Q that is small everywhere can cost a swing somewhere. Frequent evaluations find the best of them, and
# that one is kept (hyperparameter keep_best). A better one may come late: of five seeds one waits for it for 24
# evaluations. Hence the early_stopping_patience below; with 20 the worst of 15 other seeds falls from -102.1 to -103.2.
schedule_params = ScheduleParameters()
schedule_params.heatup_steps = EnvironmentSteps(5_120)
schedule_params.improve_steps = EnvironmentSteps(61_440)
schedule_params.steps_between_evaluation_periods = EnvironmentSteps(1_536)
schedule_params.evaluation_steps = EnvironmentEpisodes(50)

# --- Agent -----------------------------------------------------------------------------------------------------------
# Many cheap gradient steps on a small network: one of 64 transitions for every environment step.
agent_params = DQNAgentParameters()
algorithm = agent_params.algorithm
algorithm.discount = 0.99
algorithm.num_consecutive_playing_steps = EnvironmentSteps(16)
algorithm.num_consecutive_training_steps = 16
# The target network follows closely. Values travel back from the flag by one step per target network at most, and a
# target that is copied every 600 steps is what a car that already knows the way to the flag waits for: it first climbs
# after 14 to 39 of the 40 evaluations instead of 4 to 7.
algorithm.num_steps_between_copying_online_weights_to_target = TrainingSteps(1)
algorithm.rate_for_copying_weights_to_target = 0.02

# The flag is found in heatup: a random action that is held for 20 steps on average swings the car, and 5,120 steps hold
# some ten climbs. Actions that change in every step do not find it there, and an agent that waits for what it has not
# tried yet to look better than -1 per step first climbs three times as late.
agent_params.exploration = HeldEGreedyParameters()
agent_params.exploration.max_duration = 40
agent_params.exploration.epsilon_schedule = LinearSchedule(0.2, 0.07, 24_000)
agent_params.exploration.evaluation_epsilon = 0.0  # evaluation plays the greedy policy
algorithm.heatup_using_network_decisions = True  # heatup explores by this policy too, with an epsilon of 1
agent_params.memory.max_size = (MemoryGranularity.Transitions, 100_000)  # all of them: none is forgotten

# Values between -2 and 0 instead of -63 and 0: the network begins near them. Without it few cars climb at all.
agent_params.input_filter = InputFilter()
agent_params.input_filter.add_reward_filter("rescale", RewardRescaleFilter(0.03))

# Observations are normalized by their running mean and standard deviation; the exported policy does the same inside its
# graph.
agent_params.pre_network_filter = InputFilter()
agent_params.pre_network_filter.add_observation_filter(
    "observation", "normalize_observation", ObservationNormalizationFilter()
)

# --- Network: 2 - 48 - 48 - 48 - 3 with ReLU -------------------------------------------------------------------------
# Q has ridges where one more swing begins to pay; three narrow layers draw them as well as three of 256, in a quarter
# of the time, and better than two of 64.
network = agent_params.network_wrappers["main"]
network.learning_rate = 0.01
network.learning_rate_decay_rate = 0.9  # every 3,000 gradient steps: an eighth is left in the end
network.learning_rate_decay_steps = 3_000
network.batch_size = 64
network.input_embedders_parameters["observation"].scheme = [Dense(48)]
network.middleware_parameters.scheme = [Dense(48), Dense(48)]

# --- Environment -----------------------------------------------------------------------------------------------------
env_params = GymVectorEnvironment(level="patient_envs:PatientMountainCar")

# --- Visualization: the CSV after every episode, a GIF of the first episode of every fifth evaluation ----------------
vis_params = VisualizationParameters(
    dump_signals_to_csv_every_x_episodes=1, dump_gifs=True, video_dump_methods=[FirstEpisodeOfEvaluation(every=5)]
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
graph_manager.early_stopping_patience = 25  # counted once an evaluation has reached min_reward_threshold
