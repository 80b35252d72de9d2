"""From a trained Coach agent to the policy artifact, with the normalization of observations inside the graph."""

import math
import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np

from sagemaker_rl.errors import InputError
from sagemaker_rl.job import outputs
from sagemaker_rl.policy import artifact as policy

NUMERICAL_FLOOR = 1e-15
"""What Coach adds to the standard deviation (utilities/shared_running_stats.py:168)."""


def check_exportable(agent: Any) -> None:
    """Raise InputError if the agent does something to observations or actions that the artifact cannot hold.

    Called before training starts, so that no job trains for hours and then cannot save its model.
    """
    sources = set(agent.ap.network_wrappers["main"].input_embedders_parameters) if _has_main(agent) else set()
    if sources != {"observation"}:
        raise InputError(
            f"save_model is 1, but the network's inputs are {sorted(sources)}, expected only 'observation'."
        )
    _normalizations(agent)
    if agent.output_filter.action_filters:
        raise InputError(
            f"save_model is 1, but the preset has action filters {list(agent.output_filter.action_filters)}."
        )
    _head_names(agent)


def export_policy(agent: Any, graph_manager: Any, folder: Path, training: dict[str, Any]) -> None:
    """Write the agent's policy artifact into ``folder``; ``policy.json``, without which it is none, comes last.

    Args:
        agent: a Coach agent whose network is named ``main``.
        graph_manager: the one the agent belongs to.
        folder: becomes model.tar.gz.
        training: a summary of the training, for ``policy.json``.

    Raises:
        InputError: The agent cannot be exported, or the folder cannot be written.
    """
    import mxnet as mx

    staging = folder / ".saving"
    try:
        shutil.rmtree(staging, ignore_errors=True)
        staging.mkdir(parents=True)
        _save_graph(agent, staging)
        description = _describe(agent, graph_manager, training)
        description["sha256"] = {n: policy.sha256(staging / n) for n in (policy.SYMBOL_FILE, policy.PARAMS_FILE)}
        outputs.write_json(staging / policy.DESCRIPTION_FILE, description)
        policy.Policy.load(staging)
        for name in (policy.SYMBOL_FILE, policy.PARAMS_FILE, policy.DESCRIPTION_FILE):
            os.replace(staging / name, folder / name)
    except (OSError, mx.MXNetError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error).splitlines()[0]
        raise InputError(f"Model folder {folder} cannot be written: {reason}.") from None
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _has_main(agent: Any) -> bool:
    return list(agent.ap.network_wrappers) == ["main"]


def _normalizations(agent: Any) -> list[Any]:
    """Return the agent's normalization filters, in the order in which they see an observation."""
    from rl_coach.filters.observation.observation_normalization_filter import ObservationNormalizationFilter

    found = []
    for stage in (agent.input_filter, agent.pre_network_filter):
        for filters in stage.observation_filters.values():
            for name, observation_filter in filters.items():
                if not isinstance(observation_filter, ObservationNormalizationFilter):
                    raise InputError(
                        f"save_model is 1, but observation filter {name!r} is a {type(observation_filter).__name__}, "
                        "expected none or an ObservationNormalizationFilter."
                    )
                found.append(observation_filter)
    return found


def _head_names(agent: Any) -> tuple[list[str], str]:
    """Return the names of the network's outputs and of the one that decides the action."""
    from rl_coach.architectures.mxnet_components.heads import PPOHead, QHead, VHead

    names: list[str] = []
    action_head = ""
    for head in agent.networks["main"].online_network.model.output_heads:
        if isinstance(head, VHead):
            names.append("state_value")
        elif isinstance(head, QHead):
            names.append("q_values")
            action_head = "q_values"
        elif isinstance(head, PPOHead):
            discrete = _action_space(agent).kind == "discrete"
            action_head = "action_probabilities" if discrete else "action_mean"
            names += [action_head] if discrete else [action_head, "action_standard_deviation"]
        else:
            raise InputError(f"save_model is 1, but no artifact can hold a {type(head).__name__}.")
    if not action_head:
        raise InputError(f"save_model is 1, but the network's heads {names} decide no action.")
    return names, action_head


def _save_graph(agent: Any, folder: Path) -> None:
    import mxnet as mx

    network = agent.networks["main"].online_network
    data = mx.sym.var(policy.INPUT, dtype=np.float32)
    params = {f"arg:{name}": parameter.data().as_in_context(mx.cpu()) for name, parameter in _parameters(network)}
    # In float64, as Coach's filter computes it in NumPy; the network itself is float32.
    x = mx.sym.cast(data, dtype="float64")
    for index, normalization in enumerate(_normalizations(agent)):
        statistics = normalization.running_observation_stats
        mean_name, stdev_name = f"normalization{index}_mean", f"normalization{index}_stdev"
        x = mx.sym.broadcast_sub(x, mx.sym.var(mean_name, dtype="float64"))
        x = mx.sym.broadcast_div(x, mx.sym.var(stdev_name, dtype="float64"))
        x = mx.sym.clip(x, normalization.clip_min, normalization.clip_max)
        params[f"arg:{mean_name}"] = mx.nd.array(statistics.mean[None], dtype=np.float64)
        params[f"arg:{stdev_name}"] = mx.nd.array(statistics.std[None] + NUMERICAL_FLOOR, dtype=np.float64)
    heads = network.model(mx.sym.cast(x, dtype="float32"))
    heads = list(heads) if isinstance(heads, tuple | list) else [heads]
    # Coach's value head squeezes its one unit away, and with it the rows of a batch of one.
    heads = [
        mx.sym.reshape(head, shape=(-1, 1)) if name == "state_value" else head
        for head, name in zip(heads, _head_names(agent)[0], strict=True)
    ]
    mx.sym.Group(heads).save(str(folder / policy.SYMBOL_FILE))
    mx.nd.save(str(folder / policy.PARAMS_FILE), params)


def _parameters(network: Any) -> list[tuple[str, Any]]:
    return list(network.model.collect_params().items())


def _action_space(agent: Any) -> policy.Space:
    from rl_coach.spaces import BoxActionSpace, DiscreteActionSpace

    space = agent.spaces.action
    if isinstance(space, DiscreteActionSpace):
        return policy.Space("discrete", (), n=len(space.actions))
    if isinstance(space, BoxActionSpace):
        return _box(space)
    raise InputError(f"save_model is 1, but the action space is a {type(space).__name__}, expected box or discrete.")


def _box(space: Any) -> policy.Space:
    shape = tuple(int(size) for size in np.atleast_1d(space.shape))
    bounds = (np.broadcast_to(np.asarray(bound, dtype=np.float64), shape) for bound in (space.low, space.high))
    low, high = (tuple(float(value) for value in bound.ravel()) for bound in bounds)
    return policy.Space("box", shape, low, high)


def _describe(agent: Any, graph_manager: Any, training: dict[str, Any]) -> dict[str, Any]:
    heads, action_head = _head_names(agent)
    reward = training.get("evaluation_reward")
    return {
        "schema_version": policy.SCHEMA_VERSION,
        "algorithm": type(agent).__name__.removesuffix("Agent"),
        "preset": training["preset"],
        "environment": str(graph_manager.env_params.level),
        "observation_space": _box(graph_manager.environments[0].state_space["observation"]).to_json(),
        "action_space": _action_space(agent).to_json(),
        "heads": heads,
        "action_head": action_head,
        "training": {**training, "evaluation_reward": reward if reward is None or math.isfinite(reward) else None},
        "versions": outputs.versions(),
        "git_revision": outputs.git_revision(),
    }
