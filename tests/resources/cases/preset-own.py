"""The preset of the cases that bring none of their own: clipped PPO for 1,000 steps."""

from rl_coach.agents.clipped_ppo_agent import ClippedPPOAgentParameters
from rl_coach.base_parameters import VisualizationParameters
from rl_coach.core_types import EnvironmentEpisodes, EnvironmentSteps
from rl_coach.environments.gym_environment import GymVectorEnvironment
from rl_coach.graph_managers.basic_rl_graph_manager import BasicRLGraphManager
from rl_coach.graph_managers.graph_manager import ScheduleParameters
from sagemaker_rl.gifs import FirstEpisodeOfEvaluation

schedule_params = ScheduleParameters()
schedule_params.heatup_steps = EnvironmentSteps(0)
schedule_params.improve_steps = EnvironmentSteps(1000)
schedule_params.steps_between_evaluation_periods = EnvironmentSteps(1000)
schedule_params.evaluation_steps = EnvironmentEpisodes(2)

agent_params = ClippedPPOAgentParameters()
agent_params.algorithm.num_consecutive_playing_steps = EnvironmentSteps(200)
agent_params.algorithm.num_steps_between_copying_online_weights_to_target = EnvironmentSteps(200)
agent_params.network_wrappers["main"].learning_rate = 0.003

graph_manager = BasicRLGraphManager(
    agent_params=agent_params,
    env_params=GymVectorEnvironment(level="own:Own"),
    schedule_params=schedule_params,
    vis_params=VisualizationParameters(
        dump_signals_to_csv_every_x_episodes=1, dump_gifs=True, video_dump_methods=[FirstEpisodeOfEvaluation()]
    ),
)
