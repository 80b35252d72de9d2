"""Whether an agent's networks fit its environment's spaces, asked before they are built."""

from typing import Any

from sagemaker_rl.coach.spaces import describe_space
from sagemaker_rl.errors import InputError

HEADS_OF_DISCRETE_ACTIONS = frozenset(
    {
        "ACERPolicyHeadParameters",
        "CategoricalQHeadParameters",
        "DNDQHeadParameters",
        "DuelingQHeadParameters",
        "QHeadParameters",
        "QuantileRegressionQHeadParameters",
        "RainbowQHeadParameters",
    }
)
"""Coach's heads (architectures/head_parameters.py) that give a value to each action of a list."""


def check_networks(agent: Any, environment: Any, level: str) -> None:
    """Check the inputs and heads of an agent's networks.

    Args:
        agent: Coach's, without networks yet.
        environment: Coach's GymEnvironment.
        level: the environment as the preset calls it.

    Raises:
        InputError: A network's input is no observation of the environment, its embedder has no such scheme, or a head
            cannot choose its actions.
    """
    from rl_coach.base_parameters import EmbedderScheme
    from rl_coach.spaces import DiscreteActionSpace, TensorObservationSpace

    observations = [name for name in environment.state_space.sub_spaces if name != "measurements"]
    known = {*observations, "measurements", "action", *(["goal"] if environment.goal_space else [])}
    for name, network in agent.ap.network_wrappers.items():
        unknown = [source for source in network.input_embedders_parameters if source not in known]
        if unknown:
            raise InputError(
                f"Environment {level} has the observation space {describe_space(environment.env.observation_space)}, "
                f"but network {name} has the input {unknown[0]!r}, expected {' or '.join(map(repr, observations))}."
            )
        for source, embedder in network.input_embedders_parameters.items():
            is_tensor = isinstance(environment.state_space.sub_spaces.get(source), TensorObservationSpace)
            if is_tensor and isinstance(embedder.scheme, EmbedderScheme):
                raise InputError(
                    f"Network {name} has the scheme {embedder.scheme.name} for its input {source!r}, but Coach has no "
                    "schemes for a tensor, expected a list of layers."
                )
        for head in network.heads_parameters:
            kind = type(head).__name__
            if kind in HEADS_OF_DISCRETE_ACTIONS and not isinstance(environment.action_space, DiscreteActionSpace):
                raise InputError(
                    f"Environment {level} has the action space {describe_space(environment.env.actions.own_space)}, "
                    f"expected Discrete for a {kind.removesuffix('Parameters')}."
                )
