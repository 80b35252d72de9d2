"""Presets of any of Coach's agents in an environment of 20 steps an episode, written where a job looks for them."""

import sys
from pathlib import Path

from jobs import OWN_ENVIRONMENT

DISCRETE = "gym.spaces.Discrete(2)"
BOX = "gym.spaces.Box(-2.0, 2.0, shape=(1,), dtype=np.float32)"

PRESET = """
from rl_coach.agents.{module} import {agent}Parameters
from rl_coach.base_parameters import VisualizationParameters
from rl_coach.core_types import EnvironmentEpisodes, EnvironmentSteps
from rl_coach.environments.gym_environment import GymVectorEnvironment
from rl_coach.graph_managers.basic_rl_graph_manager import BasicRLGraphManager
from rl_coach.graph_managers.graph_manager import ScheduleParameters

schedule_params = ScheduleParameters()
schedule_params.heatup_steps = EnvironmentSteps(100)
schedule_params.improve_steps = EnvironmentSteps(400)
schedule_params.steps_between_evaluation_periods = EnvironmentSteps(200)
schedule_params.evaluation_steps = EnvironmentEpisodes(1)
agent_params = {agent}Parameters()
env_params = GymVectorEnvironment(level="own:Own")
{changes}
graph_manager = BasicRLGraphManager(
    agent_params=agent_params,
    env_params=env_params,
    schedule_params=schedule_params,
    vis_params=VisualizationParameters(),
)
"""


def write_agent(ml: Path, agent: str, changes: str = "", actions: str = DISCRETE) -> Path:
    """Write ``own.py`` and ``preset-own.py`` into the code folder of the tree ``ml``; return the preset.

    Args:
        ml: the job's tree.
        agent: module and class of one of Coach's agents, as in ``dqn_agent:DQNAgent``.
        changes: Python code of the preset, before its graph manager.
        actions: Python code of the action space.
    """
    sys.modules.pop("own", None)  # of another test in this process
    code = ml / "code"
    code.mkdir(parents=True)
    module, name = agent.split(":")
    environment = OWN_ENVIRONMENT.replace("REWARD", "1.0").replace(DISCRETE, actions)
    (code / "own.py").write_text(environment, encoding="utf-8")
    preset = code / "preset-own.py"
    preset.write_text(PRESET.format(module=module, agent=name, changes=changes), encoding="utf-8")
    return preset
