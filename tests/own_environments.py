"""Environments of a user's own, written from a few expressions, and jobs that train in them."""

from pathlib import Path
from typing import Any

from jobs import ROOT, Job, run_prepared

ENVIRONMENT = """
import gym
import numpy as np
from gym.spaces import Box, Dict, Discrete, MultiBinary, MultiDiscrete, Text, Tuple


actions_taken = open(ACTIONS_FILE, "a", buffering=1)  # by the module: what an environment opens is one copy's


class Own(gym.Env):
    observation_space = {observation_space}
    action_space = {action_space}
    target = {target}

    def __init__(self):
        self.steps = 0

    def seed(self, seed=None):
        return [seed]

    def reset(self, **options):
        self.steps = 0
        return {reset}

    def step(self, action):
        assert self.action_space.contains(action), f"{{action!r}} is not in {{self.action_space}}"
        actions_taken.write(f"{{np.ravel(action).tolist()}}\\n")
        self.steps += 1
        return {step}
{members}
"""
"""Episodes of 20 steps; the reward is highest for the action ``target``."""
DEFAULTS = {
    "observation_space": "Box(-1.0, 1.0, shape=(1,), dtype=np.float32)",
    "action_space": "Discrete(2)",
    "target": "0",
    "observation": "np.array([np.sin(self.steps)], dtype=np.float32)",
    "reward": "-float(np.square(np.asarray(action, dtype=np.float64) - self.target).sum())",
    "members": "",
}
SMALL_NETWORK = """
from rl_coach.architectures.layers import Dense
from rl_coach.spaces import BoxActionSpace

agent_params.exploration[BoxActionSpace].evaluation_noise_percentage = 0
network = agent_params.network_wrappers["main"]
for embedder in network.input_embedders_parameters.values():
    embedder.scheme = [Dense(16)]
network.middleware_parameters.scheme = [Dense(16)]
"""
DQN_PRESET = """
from rl_coach.agents.dqn_agent import DQNAgentParameters
from rl_coach.core_types import EnvironmentEpisodes, EnvironmentSteps
from rl_coach.base_parameters import VisualizationParameters
from rl_coach.environments.gym_environment import GymVectorEnvironment
from rl_coach.graph_managers.basic_rl_graph_manager import BasicRLGraphManager
from rl_coach.graph_managers.graph_manager import ScheduleParameters

schedule_params = ScheduleParameters()
schedule_params.heatup_steps = EnvironmentSteps(100)
schedule_params.improve_steps = EnvironmentSteps(400)
schedule_params.steps_between_evaluation_periods = EnvironmentSteps(400)
schedule_params.evaluation_steps = EnvironmentEpisodes(1)
agent_params = DQNAgentParameters()
agent_params.algorithm.num_consecutive_playing_steps = EnvironmentSteps(4)
agent_params.exploration.evaluation_epsilon = 0
graph_manager = BasicRLGraphManager(
    agent_params=agent_params,
    env_params=GymVectorEnvironment(level="own:Own"),
    schedule_params=schedule_params,
    vis_params=VisualizationParameters(),
)
"""


def write_project(ml: Path, preset: str = "ppo", **expressions: str) -> None:
    """Write ``own.py`` and ``preset-own.py`` into the code folder of ``ml``.

    Args:
        ml: the tree of a job.
        preset: ``ppo`` or ``dqn``, or lines that come before the graph manager of the PPO preset.
        expressions: see DEFAULTS; also ``reset`` and ``step``, what those return, and ``level``.
    """
    values = {**DEFAULTS, **expressions}
    values.setdefault("reset", values["observation"])
    values.setdefault("step", f"{values['observation']}, {values['reward']}, self.steps % 20 == 0, {{}}")
    level = values.pop("level", "own:Own")
    code = ml / "code"
    code.mkdir(parents=True)
    fields = {
        name: values[name] for name in ("observation_space", "action_space", "target", "reset", "step", "members")
    }
    source = ENVIRONMENT.format(**fields).replace("ACTIONS_FILE", repr(str(ml / "actions.txt")))
    (code / "own.py").write_text(source, encoding="utf-8")
    text = DQN_PRESET
    if preset != "dqn":
        text = (ROOT / "tests/resources/custom_environment/preset-corridor.py").read_text(encoding="utf-8")
        text = text.replace("corridor:Corridor", "own:Own")
        text = text.replace("graph_manager =", f"{'' if preset == 'ppo' else preset}{SMALL_NETWORK}\ngraph_manager =")
    (code / "preset-own.py").write_text(text.replace("own:Own", level), encoding="utf-8")


def train_own(ml: Path, hyperparameters: dict[str, str] | None = None, preset: str = "ppo", **expressions: str) -> Job:
    """Train for 1,000 steps in an environment that write_project writes."""
    write_project(ml, preset, **expressions)
    steps = {"improve_steps": "1000", "evaluation_freq_env_steps": "1000"} if preset != "dqn" else {}
    return run_prepared(ml, {"RLCOACH_PRESET": "preset-own", "seed": "1", **steps, **(hyperparameters or {})})


def actions_taken(job: Job) -> list[list[Any]]:
    """Return the actions that the environments of a job got, in their order."""
    lines = (job.ml / "actions.txt").read_text(encoding="utf-8").splitlines()
    return [[float(number) for number in line.strip("[]").split(",")] for line in lines]


def assert_refused(job: Job, sentence: str) -> None:
    """Assert that a job ended with just this sentence, before anything was trained."""
    assert job.status == 1, job.log
    assert job.failure.strip() == sentence, job.log
    assert "Traceback" not in job.log
    assert "Training>" not in job.log
    left = [path.name for folder in ("model", "output/data") for path in (job.ml / folder).rglob("*")]
    assert set(left) <= {"report.html"}
