"""A preset's environment, agent and networks, and what Coach is told about the job."""

import importlib
import random
import sys

import numpy as np
import pytest
from graphs import CORRIDOR, make_graph
from jobs import ROOT
from sagemaker_rl.coach.graph import agent_of, create_graph
from sagemaker_rl.coach.presets import import_preset
from sagemaker_rl.errors import InputError

PRESET = ROOT / "tests/resources/custom_environment/preset-corridor.py"


@pytest.mark.parametrize(("seed", "evaluate_only"), [(5, None), (None, 30)])
def test_coach_is_told_the_job(tmp_path, seed, evaluate_only):
    from rl_coach import logger
    from rl_coach.base_parameters import Frameworks

    graph_manager = import_preset(PRESET)
    create_graph(graph_manager, tmp_path, seed, evaluate_only)
    task = graph_manager.task_parameters
    assert (task.seed, task.evaluate_only, task.experiment_path) == (seed, evaluate_only, str(tmp_path))
    assert (task.framework_type, task.use_cpu) == (Frameworks.mxnet, True)
    assert logger.experiment_path == str(tmp_path)
    assert agent_of(graph_manager) is graph_manager.level_managers[0].agents["agent"]


def test_a_seed_is_that_of_everything_random(tmp_path):
    def draw(folder):
        agent = agent_of(make_graph(tmp_path / folder, CORRIDOR))
        weights = agent.networks["main"].online_network.model.collect_params().values()
        return [random.random(), np.random.rand(), *(float(each.data().asnumpy().sum()) for each in weights)]

    assert draw("first") == draw("second")


@pytest.mark.parametrize("has_render", [False, True])
def test_what_does_not_render_has_no_gifs(tmp_path, capsys, has_render):
    graph_manager = import_preset(PRESET)
    corridor = importlib.import_module(CORRIDOR)

    class Blind(corridor.gym.Env):
        observation_space = corridor.gym.spaces.Box(0.0, 1.0, shape=(1,), dtype=np.float32)
        action_space = corridor.gym.spaces.Discrete(2)

        def seed(self, seed=None):
            return [seed]

        def reset(self, **options):
            return np.zeros(1, dtype=np.float32)

        def step(self, action):
            return np.zeros(1, dtype=np.float32), 1.0, True, {}

    corridor.Blind = Blind
    if not has_render:
        graph_manager.env_params.level = "corridor:Blind"
    create_graph(graph_manager, tmp_path, seed=3)
    said = "GIFs> GIFs=none, Reason=corridor:Blind has no render()" in capsys.readouterr().out
    assert said is not has_render
    assert graph_manager.environments[0].visualization_parameters.dump_gifs is has_render


def test_an_environment_that_is_not_there_is_a_sentence_before_coach_begins(tmp_path, capsys):
    graph_manager = import_preset(PRESET)
    graph_manager.env_params.level = "corridor:Coridor"
    with pytest.raises(InputError, match=r"^Environment corridor:Coridor cannot be imported: corridor has no Coridor"):
        create_graph(graph_manager, tmp_path, seed=3)
    assert capsys.readouterr().out == ""


def test_placeholders_of_what_coach_never_calls_are_gone(tmp_path):
    make_graph(tmp_path, CORRIDOR)
    from sagemaker_rl.coach.placeholders import _Placeholder

    assert [name for name, module in sys.modules.items() if isinstance(module, _Placeholder)] == []
