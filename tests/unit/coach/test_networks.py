"""Whether networks fit an environment: told before they are built."""

from types import SimpleNamespace

import gym
import numpy as np
import pytest
from sagemaker_rl.coach import networks, repairs
from sagemaker_rl.errors import InputError

repairs.apply()

BOX = gym.spaces.Box(-1.0, 1.0, shape=(2,), dtype=np.float32)
DISCRETE = gym.spaces.Discrete(3)


def environment(goal=None, actions=DISCRETE, **observations):
    """Return as much of Coach's GymEnvironment as is looked at."""
    from rl_coach.spaces import BoxActionSpace, DiscreteActionSpace, StateSpace, VectorObservationSpace

    spaces = {**{"observation": VectorObservationSpace(2)}, **observations}
    return SimpleNamespace(
        state_space=StateSpace(spaces),
        goal_space=goal,
        action_space=DiscreteActionSpace(3) if actions is DISCRETE else BoxActionSpace(2),
        env=SimpleNamespace(observation_space=BOX, actions=SimpleNamespace(own_space=actions)),
    )


def agent(heads=(), **embedders):
    """Return an agent with the networks ``first``, which fits, and ``main``."""
    from rl_coach.architectures.embedder_parameters import InputEmbedderParameters

    def network(inputs, heads):
        return SimpleNamespace(input_embedders_parameters=inputs, heads_parameters=heads)

    fitting = network({"observation": InputEmbedderParameters()}, [])
    return SimpleNamespace(ap=SimpleNamespace(network_wrappers={"first": fitting, "main": network(embedders, heads)}))


def check(agent, environment) -> str:
    try:
        networks.check_networks(agent, environment, "mine:Env")
    except InputError as error:
        return str(error)
    return ""


@pytest.mark.parametrize("name", ["observation", "measurements", "action"])
def test_inputs_that_coach_gives(name):
    from rl_coach.architectures.embedder_parameters import InputEmbedderParameters

    assert check(agent(**{name: InputEmbedderParameters()}), environment()) == ""


@pytest.mark.parametrize(("goal", "fits"), [(None, False), ("a space", True)])
def test_a_goal_is_an_input_only_if_there_is_one(goal, fits):
    from rl_coach.architectures.embedder_parameters import InputEmbedderParameters

    said = check(agent(goal=InputEmbedderParameters()), environment(goal))
    assert (said == "") is fits


def test_an_input_that_is_no_observation_is_named_with_those_that_are():
    from rl_coach.architectures.embedder_parameters import InputEmbedderParameters
    from rl_coach.spaces import VectorObservationSpace

    inputs = {"observation": InputEmbedderParameters(), "sight": InputEmbedderParameters()}
    given = environment(sound=VectorObservationSpace(4), measurements=VectorObservationSpace(1))
    assert check(agent(**inputs), given) == (
        f"Environment mine:Env has the observation space {BOX}, but network main has the input 'sight', "
        "expected 'observation' or 'sound'."
    )


def test_a_tensor_needs_a_list_of_layers():
    from rl_coach.architectures.embedder_parameters import InputEmbedderParameters
    from rl_coach.base_parameters import EmbedderScheme
    from rl_coach.spaces import TensorObservationSpace, VectorObservationSpace

    tensor = TensorObservationSpace(np.array([2, 3]), 0, 1)
    inputs = {"observation": InputEmbedderParameters(), "tensor": InputEmbedderParameters(scheme=EmbedderScheme.Deep)}
    assert check(agent(**inputs), environment(tensor=tensor)) == (
        "Network main has the scheme Deep for its input 'tensor', but Coach has no schemes for a tensor, "
        "expected a list of layers."
    )
    inputs["tensor"].scheme = []
    assert check(agent(**inputs), environment(tensor=tensor)) == ""
    inputs["tensor"].scheme = EmbedderScheme.Deep
    assert check(agent(**inputs), environment(tensor=VectorObservationSpace(3))) == ""


def test_heads_of_discrete_actions_are_those_of_coach():
    from rl_coach.architectures import head_parameters

    assert all(hasattr(head_parameters, name) for name in networks.HEADS_OF_DISCRETE_ACTIONS)


@pytest.mark.parametrize("name", ["QHeadParameters", "DuelingQHeadParameters", "VHeadParameters"])
def test_a_head_that_values_each_action_has_no_box(name):
    from rl_coach.architectures import head_parameters

    heads = [head_parameters.VHeadParameters(), getattr(head_parameters, name)()]
    assert check(agent(heads), environment()) == ""
    said = check(agent(heads), environment(actions=BOX))
    if name == "VHeadParameters":
        assert said == ""
    else:
        kind = name.removesuffix("Parameters")
        assert said == f"Environment mine:Env has the action space {BOX}, expected Discrete for a {kind}."
