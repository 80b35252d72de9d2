"""Which of Coach's agents run on MXNet. What cannot is refused in one sentence, before anything is trained.

Upstream's networks on MXNet lack heads, layers and whole kinds of training that TensorFlow's have. ``AGENTS`` is the
table of docs/training.md; tests/unit/coach/test_agents.py compares both with the installed Coach.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from sagemaker_rl.coach.preset_values import CHOICES
from sagemaker_rl.errors import InputError

DISCRETE = ("DiscreteActionSpace",)
DISCRETE_OR_BOX = ("DiscreteActionSpace", "BoxActionSpace")


@dataclass(frozen=True)
class AgentSupport:
    """What an agent can do on MXNet.

    Attributes:
        action_spaces: the classes of Coach's action spaces that it acts in.
        refusal: why it cannot run, as the end of a sentence that begins with its name; empty if it can.
        splits_rollouts: whether it trains on batches of what was played since the training before, and of no more.
    """

    action_spaces: tuple[str, ...] = ()
    refusal: str = ""
    splits_rollouts: bool = False


def _lacks_head(head: str) -> AgentSupport:
    return AgentSupport(refusal=_head_that_is_lacking(head))


def _head_that_is_lacking(head: str) -> str:
    return f"has a head that Coach lacks on MXNet ({head})"


AGENTS = {
    "ClippedPPOAgent": AgentSupport(DISCRETE_OR_BOX, splits_rollouts=True),
    "PPOAgent": AgentSupport(DISCRETE_OR_BOX, splits_rollouts=True),
    "ActorCriticAgent": AgentSupport(DISCRETE_OR_BOX),
    "PolicyGradientsAgent": AgentSupport(DISCRETE_OR_BOX),
    "DQNAgent": AgentSupport(DISCRETE),
    "DDQNAgent": AgentSupport(DISCRETE),
    "BootstrappedDQNAgent": AgentSupport(DISCRETE),
    "MixedMonteCarloAgent": AgentSupport(DISCRETE),
    "NStepQAgent": AgentSupport(DISCRETE),
    "PALAgent": AgentSupport(DISCRETE),
    "ACERAgent": _lacks_head("ACERPolicyHead"),
    "CategoricalDQNAgent": _lacks_head("CategoricalQHead"),
    "CILAgent": _lacks_head("RegressionHead"),
    "DDPGAgent": _lacks_head("DDPGActorHead"),
    "DFPAgent": _lacks_head("MeasurementsPredictionHead"),
    "HACDDPGAgent": _lacks_head("DDPGActorHead"),
    "NAFAgent": _lacks_head("NAFHead"),
    "NECAgent": _lacks_head("DNDQHead"),
    "QuantileRegressionDQNAgent": _lacks_head("QuantileRegressionQHead"),
    "RainbowDQNAgent": _lacks_head("RainbowQHead"),
    "SoftActorCriticAgent": _lacks_head("SACPolicyHead"),
    "BCAgent": AgentSupport(refusal="imitates recorded actions, which a training job here does not do"),
    "DDQNBCQAgent": AgentSupport(refusal="is for batch RL, which Coach has for TensorFlow alone"),
    "HumanAgent": AgentSupport(refusal="is played by a person at a screen, which a training job does not have"),
}
"""Coach's agents by the name of their class. Subclasses of users are treated as the agent that they derive from."""

HEADS = ("DuelingQHead", "PolicyHead", "PPOHead", "PPOVHead", "QHead", "VHead")
"""The heads that MXNet has: upstream's four, and those of heads.py."""
MIDDLEWARES = ("FCMiddleware",)
"""What Coach can train between embedders and heads on MXNet."""

IGNORED = {
    "l2_regularization": "regularization of weights",
    "replace_mse_with_huber_loss": "Huber loss",
}
"""What Coach's networks on MXNet leave out without a word, by the last part of its path in a preset."""


def check_runs_on_mxnet(graph_manager: Any) -> None:
    """Refuse a preset's graph, agent or networks if Coach cannot run them on MXNet.

    Args:
        graph_manager: of a single agent; its graph need not be created.

    Raises:
        InputError: In one sentence, what cannot run.
    """
    parameters = graph_manager.agent_params
    kind = type(graph_manager).__name__
    if getattr(graph_manager, "is_batch_rl", False):
        raise InputError(
            f"The preset's graph manager is a {kind}, for batch RL, which Coach has for TensorFlow alone, "
            "expected a BasicRLGraphManager."
        )
    if graph_manager.env_params is None:
        raise InputError(
            f"The preset's {kind} has no environment (env_params is None), expected the parameters of an environment: "
            "a training job learns by acting in one."
        )
    name = _agent_name(parameters)
    support = support_of(parameters)
    if support.refusal:
        raise InputError(f"Agent {name} {support.refusal}, expected one of {', '.join(_agents_that_run())}.")
    for explorer in _explorations(parameters):
        if str(explorer.path).endswith(":ParameterNoise"):
            raise InputError(
                f"Agent {name} explores with ParameterNoise, whose noisy layers Coach lacks on MXNet, "
                "expected another exploration."
            )
    for network_name, network in parameters.network_wrappers.items():
        _check_network(name, network_name, network)


def check_changes(changes: Iterable[tuple[str, Any]]) -> None:
    """Refuse a hyperparameter that Coach would ignore on MXNet.

    Args:
        changes: what hyperparameters changed in the preset, as (path, value).

    Raises:
        InputError: One asks for something that MXNet's networks do not have.
    """
    for path, value in changes:
        missing = IGNORED.get(path.rpartition(".")[2])
        if missing and value not in (0, "false", "False"):
            raise InputError(f"Hyperparameter {path} is {value!r}, but Coach has no {missing} on MXNet, expected 0.")


def support_of(agent_parameters: Any) -> AgentSupport:
    """Return what is known of an agent, or of the agent of Coach that it derives from.

    Raises:
        InputError: It derives from none.
    """
    for name in _agent_class_names(agent_parameters):
        if name in AGENTS:
            return AGENTS[name]
    raise InputError(
        f"Agent {_agent_name(agent_parameters)} is not known to run on MXNet, "
        f"expected one of {', '.join(_agents_that_run())}, or a class that derives from one of them."
    )


def check_action_space(agent: Any, environment: str) -> None:
    """Refuse an agent that cannot act in its environment.

    Args:
        agent: of a graph that has been created.
        environment: as the preset calls it.

    Raises:
        InputError: In one sentence, which action space it is and which were expected.
    """
    expected = support_of(agent.ap).action_spaces
    actual = [cls.__name__ for cls in type(agent.spaces.action).__mro__]
    if not set(actual) & set(expected):
        raise InputError(
            f"Agent {type(agent).__name__} cannot act in the {actual[0]} of {environment}, "
            f"expected a {' or a '.join(expected)}."
        )


def _agents_that_run() -> list[str]:
    return [name for name, support in AGENTS.items() if not support.refusal]


def _agent_name(parameters: Any) -> str:
    return str(parameters.path).rpartition(":")[2]


def _agent_class_names(parameters: Any) -> list[str]:
    """Return the names of an agent's class and of those that it derives from; only its own if it cannot be imported."""
    from rl_coach.utils import short_dynamic_import

    name = _agent_name(parameters)
    if name in AGENTS:
        return [name]  # some import TensorFlow
    return [cls.__name__ for cls in short_dynamic_import(parameters.path).__mro__]


def _explorations(parameters: Any) -> list[Any]:
    exploration = parameters.exploration
    return list(exploration.values()) if isinstance(exploration, dict) else [exploration]


def _check_network(agent: str, name: str, network: Any) -> None:
    """Refuse what Coach cannot build of a network on MXNet, or would leave out of it without a word."""
    for head in network.heads_parameters:
        if not _derives_from(head, HEADS):
            raise InputError(
                f"Agent {agent} {_head_that_is_lacking(_component_name(head))}, expected one of {', '.join(HEADS)}."
            )
    if not _derives_from(network.middleware_parameters, MIDDLEWARES):
        raise InputError(
            f"Network {name} of agent {agent} has the middleware {_component_name(network.middleware_parameters)}, "
            f"which Coach cannot train on MXNet, expected {' or '.join(MIDDLEWARES)}."
        )
    if network.optimizer_type not in CHOICES["optimizer_type"]:
        raise InputError(
            f"Network {name} of agent {agent} has the optimizer {network.optimizer_type!r}, which Coach lacks on "
            f"MXNet, expected one of {', '.join(CHOICES['optimizer_type'])}."
        )
    for component in _components(network):
        _check_component(agent, name, component)


def _components(network: Any) -> Iterator[Any]:
    yield from network.input_embedders_parameters.values()
    yield network.middleware_parameters
    yield from network.heads_parameters


def _component_name(parameters: Any) -> str:
    return type(parameters).__name__.removesuffix("Parameters")


def _derives_from(parameters: Any, names: tuple[str, ...]) -> bool:
    """Return whether a part of a network is one of those named, as Coach decides it."""
    return bool({f"{name}Parameters" for name in names} & {cls.__name__ for cls in type(parameters).__mro__})


def _check_component(agent: str, network: str, component: Any) -> None:
    kind = _component_name(component)
    if component.activation_function not in CHOICES["activation_function"]:
        raise InputError(
            f"{kind} of network {network} of agent {agent} has the activation function "
            f"{component.activation_function!r}, which Coach lacks on MXNet, "
            f"expected one of {', '.join(CHOICES['activation_function'])}."
        )
    layer = getattr(component.dense_layer, "__name__", type(component.dense_layer).__name__)
    if component.dense_layer is not None and layer != "Dense":
        raise InputError(
            f"{kind} of network {network} of agent {agent} has layers of the type {layer}, which Coach lacks on MXNet, "
            "expected none or Dense."
        )
