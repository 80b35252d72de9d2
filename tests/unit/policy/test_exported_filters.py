"""The filters of an artifact against Coach's own: the same numbers, to the last bit, alone and in a batch."""

import sys

import numpy as np
import pytest
from jobs import ROOT
from sagemaker_rl.coach.graph import agent_of, create_graph
from sagemaker_rl.coach.normalization import normalizations_of
from sagemaker_rl.coach.presets import import_preset
from sagemaker_rl.errors import NotExportableError, PolicyError
from sagemaker_rl.policy import export
from sagemaker_rl.policy.artifact import Policy
from sagemaker_rl.policy.exported_filters import export_filters
from sagemaker_rl.policy.observations import ObservationFilters

PICTURES = ROOT / "tests/resources/picture_environment"
PRESET = """
import gym, numpy as np
from pictures import schedule
from rl_coach.agents.dqn_agent import DQNAgentParameters
from rl_coach.architectures.layers import Conv2d, Dense
from rl_coach.base_parameters import VisualizationParameters
from rl_coach.environments.gym_environment import GymVectorEnvironment
from rl_coach.filters.filter import InputFilter
from rl_coach.filters.observation import *
from rl_coach.filters.observation.observation_stacking_filter import ObservationStackingFilter
from rl_coach.graph_managers.basic_rl_graph_manager import BasicRLGraphManager
from rl_coach.spaces import ImageObservationSpace, PlanarMapsObservationSpace

class Own(ObservationClippingFilter):
    pass

def chain(*filters):
    result = InputFilter()
    for number, each in enumerate(filters):
        result.add_observation_filter("observation", f"filter {{number}}", each)
    return result

agent_params = DQNAgentParameters()
agent_params.input_filter = chain({before})
agent_params.pre_network_filter = chain({after})
embedder = agent_params.network_wrappers["main"].input_embedders_parameters["observation"]
embedder.scheme = [{layer}]
graph_manager = BasicRLGraphManager(
    agent_params=agent_params,
    env_params=GymVectorEnvironment(level="filtered:{environment}"),
    schedule_params=schedule(0, 1000),
    vis_params=VisualizationParameters(),
)
"""
ENVIRONMENTS = """
import gym, numpy as np
from tiles import Tiles

class Floats(Tiles):
    observation_space = gym.spaces.Box(0, 255, shape=Tiles.observation_space.shape, dtype=np.float32)

    def draw(self):
        return super().draw() * np.float32(0.7)

class Vectors(Tiles):
    observation_space = gym.spaces.Box(-1, 1, shape=(3,), dtype=np.float64)

    def draw(self):
        return super().draw()[5, 5] / 40 - 0.5
"""
SIZE_36 = "ObservationRescaleToSizeFilter(ImageObservationSpace(np.array([36, 36, 3]), high=255))"
MAPS_36 = "ObservationRescaleToSizeFilter(PlanarMapsObservationSpace(np.array([36, 36, 3]), low=0, high=255))"
NORMALIZATION = "ObservationNormalizationFilter()"
CASES = {
    "as Coach's Atari presets": (
        "Tiles",
        f"{SIZE_36}, ObservationRGBToYFilter(), ObservationToUInt8Filter(0, 255), ObservationStackingFilter(4)",
        "",
    ),
    "stacked in front, moved, normalized": (
        "Tiles",
        "ObservationCropFilter(np.array([4, 0, 0]), np.array([54, -1, -1])), "
        "ObservationRescaleSizeByFactorFilter(0.8), ObservationRGBToYFilter(), ObservationStackingFilter(3, 0)",
        f"ObservationMoveAxisFilter(0, -1), {NORMALIZATION}",
    ),
    "maps one by one, clipped": ("Tiles", f"{MAPS_36}, ObservationClippingFilter(10, 200)", ""),
    "one channel of floats, squeezed": (
        "Floats",
        "ObservationCropFilter(np.array([0, 0, 1]), np.array([-1, -1, 2])), ObservationSqueezeFilter(-1), "
        "ObservationToUInt8Filter(0, 255), ObservationStackingFilter(2)",
        "",
    ),
    "vectors, normalized and stacked": (
        "Vectors",
        f"ObservationClippingFilter(-0.4), {NORMALIZATION}, ObservationStackingFilter(3)",
        "",
    ),
}
EPISODE = 8


def make_graph(folder, environment, before, after=""):
    (folder / "filtered.py").write_text(ENVIRONMENTS, encoding="utf-8")
    preset = folder / "preset-filtered.py"
    layer = "Dense(8)" if environment == "Vectors" else "Conv2d(4, 8, 4)"
    preset.write_text(PRESET.format(environment=environment, before=before, after=after, layer=layer), encoding="utf-8")
    for name in ("filtered", "tiles", "pictures"):
        sys.modules.pop(name, None)
    graph_manager = import_preset(preset)
    create_graph(graph_manager, folder, seed=3)
    return graph_manager


@pytest.fixture(autouse=True)
def source(monkeypatch, tmp_path):
    monkeypatch.syspath_prepend(str(PICTURES))
    monkeypatch.syspath_prepend(str(tmp_path))


@pytest.mark.parametrize("case", CASES)
def test_an_episode_is_what_coach_makes_of_it(tmp_path, case):
    from rl_coach.core_types import EnvResponse, RunPhase

    graph_manager = make_graph(tmp_path, *CASES[case])
    agent, environment = agent_of(graph_manager), graph_manager.environments[0].env.env
    statistics = [each.running_observation_stats for each in normalizations_of(agent)]
    for each in statistics:
        each.push(np.random.default_rng(1).uniform(size=(50, *each.mean.shape)))
    assert export.reason_not_exportable(agent) is None
    export.export_policy(agent, graph_manager, tmp_path, {"preset": "preset-filtered"})
    policy = Policy.load(tmp_path)
    for each in statistics:
        each.push = lambda observations: None  # before they are stored, Coach counts observations of evaluations, too
    observations = [environment.reset(), *(environment.step(0)[0] for _ in range(EPISODE - 1))]
    agent.phase = RunPhase.TEST
    agent.reset_internal_state()
    asked = []
    for observation in observations:
        batch = np.asarray(observation, dtype=np.float32)[None]
        asked.append(policy.filters.follow(asked[-1], batch) if asked else policy.filters.begin(batch))
        agent.observe(EnvResponse(next_state={"observation": observation}, reward=0, game_over=False))
        coachs = agent.run_pre_network_filter_for_inference(agent.curr_state, False)
        coachs = {"observation": np.asarray(coachs["observation"])[None]}
        if not statistics:
            actual = policy.filters.apply(asked[-1])
            assert actual.dtype == coachs["observation"].dtype
            assert np.array_equal(actual, coachs["observation"])
        (wanted,) = agent.networks["main"].online_network.predict(coachs)
        assert np.allclose(policy.heads(asked[-1])[0], wanted, rtol=1e-4, atol=1e-5)
    whole = np.concatenate(asked)
    assert len(np.unique(policy.filters.apply(whole))) > 10
    for index, one in enumerate(asked):
        assert np.array_equal(policy.filters.apply(whole)[index], policy.filters.apply(one)[0])


STACKING = "ObservationStackingFilter(2)"


@pytest.mark.parametrize(
    ("before", "after", "reason"),
    [
        ("Own(0, 1)", "", "observation filter 'filter 0' is an Own, expected one of Coach's own"),
        (
            f"{STACKING}, {STACKING}",
            "",
            "observation filter 'filter 1' is an ObservationStackingFilter, the second one",
        ),
        ("", STACKING, "is an ObservationStackingFilter in pre_network_filter, which training asks in any order"),
        (
            f"{NORMALIZATION}, ObservationClippingFilter(0, 1)",
            "",
            "observation filter 'filter 1' is an ObservationClippingFilter that comes after the normalization",
        ),
    ],
)
def test_what_no_artifact_can_hold(tmp_path, before, after, reason):
    agent = agent_of(make_graph(tmp_path, "Vectors", before, after))
    with pytest.raises(NotExportableError) as error:
        export_filters(agent)
    assert reason in str(error.value)
    assert export.reason_not_exportable(agent) == str(error.value)


@pytest.mark.parametrize(
    "filters",
    [
        None,
        [1],
        [{}],
        [{"type": "blur"}],
        [{"type": "crop", "low": [0], "high": []}],
        [{"type": "crop", "low": [0.5], "high": [1]}],
        [{"type": "clip", "low": "0", "high": None}],
        [{"type": "rescale_to_size", "shape": [0, 1]}],
        [{"type": "stack", "size": 0, "axis": -1, "flat": False}],
        [{"type": "stack", "size": 2, "axis": -1, "flat": 1}],
        [{"type": "stack", "size": 2, "axis": -1, "flat": True}] * 2,
    ],
)
def test_a_description_that_is_none_is_refused(filters):
    with pytest.raises(PolicyError, match=r"observation_filters is .*, expected a list of clip, crop, "):
        ObservationFilters.from_json({"observation_filters": filters})


def test_a_dtype_that_is_none_is_refused():
    with pytest.raises(PolicyError, match=r"observation_filters is .* of 'object', expected"):
        ObservationFilters.from_json({"observation_filters": [], "observation_dtype": "object"})
