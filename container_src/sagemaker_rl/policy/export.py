"""From a trained Coach agent to the policy artifact, with the normalization of observations inside the graph."""

import math
import os
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from sagemaker_rl.coach.spaces import BoxActions, DiscreteActions
from sagemaker_rl.errors import InputError, NotExportableError, PolicyError
from sagemaker_rl.job import disks, outputs
from sagemaker_rl.policy.artifact import (
    DESCRIPTION_FILE,
    INPUT,
    PARAMS_FILE,
    SYMBOL_FILE,
    Policy,
    Space,
    sha256,
)
from sagemaker_rl.policy.exported_filters import NAME, export_filters

HEADS: dict[str, dict[str, tuple[str, ...]]] = {
    "VHead": {"discrete": ("state_value",), "box": ("state_value",)},
    "QHead": {"discrete": ("q_values",)},
    "PolicyHead": {"discrete": ("action_probabilities",), "box": ("action_mean", "action_standard_deviation")},
    "PPOHead": {"discrete": ("action_probabilities",), "box": ("action_mean", "action_standard_deviation")},
}
"""The heads of Coach that an artifact can hold: for each kind of action space the names of a head's outputs. The
last is missing if the head learns no standard deviation.

What an output means for a map of the policy stands in training/trial.py: STATE_VALUES.
"""
ACTION_HEADS = ("q_values", "action_probabilities", "action_mean")
"""The outputs that decide the action: the best of a discrete space, or the action itself."""


def reason_not_exportable(agent: Any) -> str | None:
    """Return what the agent does that the artifact cannot hold, as the end of a sentence; None if it can hold all.

    Asked before training starts, so that no job trains for hours and then cannot save its model.
    """
    networks = list(agent.ap.network_wrappers)
    if networks != ["main"]:
        return f"the agent has the networks {sorted(networks)}, and an artifact holds a policy in one network 'main'"
    sources = sorted(agent.ap.network_wrappers["main"].input_embedders_parameters)
    if sources != [NAME]:
        return f"the network's inputs are {sources}, expected only 'observation'"
    if agent.output_filter.action_filters:
        return f"the preset has action filters {list(agent.output_filter.action_filters)}"
    try:
        export_filters(agent)
        _head_names(agent)
    except NotExportableError as error:
        return str(error)
    return None


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
        description["sha256"] = {name: sha256(staging / name) for name in (SYMBOL_FILE, PARAMS_FILE)}
        outputs.write_json(staging / DESCRIPTION_FILE, description)
        Policy.load(staging)  # it refuses what an endpoint would refuse
        for name in (SYMBOL_FILE, PARAMS_FILE, DESCRIPTION_FILE):
            os.replace(staging / name, folder / name)
    except (OSError, mx.MXNetError) as error:
        reason = disks.why_not_written(folder, error)
        raise InputError(f"Model folder {folder} cannot be written: {reason}.") from None
    except PolicyError:
        # MXNet does not notice that a file's last bytes did not fit
        reason = disks.why_unwritable(folder)
        if reason:
            raise InputError(f"Model folder {folder} cannot be written: {reason}.") from None
        raise
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _head_names(agent: Any) -> tuple[list[str], str]:
    """Return the names of the network's outputs and of the one that decides the action."""
    kind = _action_space(agent).kind
    names: list[str] = []
    for head in agent.networks["main"].online_network.model.output_heads:
        known = next((HEADS[cls.__name__] for cls in type(head).__mro__ if cls.__name__ in HEADS), {})
        if kind not in known:
            raise NotExportableError(f"no artifact can hold a {type(head).__name__} of a {kind} action space")
        names += known[kind][: head.num_outputs]
    action_head = next((name for name in names if name in ACTION_HEADS), "")
    if not action_head:
        raise NotExportableError(f"the network's heads {names} decide no action")
    if len(set(names)) < len(names):
        raise NotExportableError(f"the network has {names.count(action_head)} heads that decide together")
    return names, action_head


def _save_graph(agent: Any, folder: Path) -> None:
    import mxnet as mx

    network = agent.networks["main"].online_network
    data = mx.sym.var(INPUT, dtype=np.float32)
    params = {f"arg:{name}": parameter.data().as_in_context(mx.cpu()) for name, parameter in _parameters(network)}
    # In float64, as Coach's filter computes it in NumPy; the network itself is float32.
    x = mx.sym.cast(data, dtype="float64")
    for index, normalization in enumerate(export_filters(agent).normalizations):
        mean_name, stdev_name = f"normalization{index}_mean", f"normalization{index}_stdev"
        x = mx.sym.broadcast_sub(x, mx.sym.var(mean_name, dtype="float64"))
        x = mx.sym.broadcast_div(x, mx.sym.var(stdev_name, dtype="float64"))
        x = mx.sym.clip(x, normalization.low, normalization.high)
        params[f"arg:{mean_name}"] = mx.nd.array(normalization.mean[None], dtype=np.float64)
        params[f"arg:{stdev_name}"] = mx.nd.array(normalization.stdev[None], dtype=np.float64)
    heads = network.model(mx.sym.cast(x, dtype="float32"))
    heads = list(heads) if isinstance(heads, tuple | list) else [heads]
    # Coach's value head squeezes its one unit away, and with it the rows of a batch of one.
    heads = [
        mx.sym.reshape(head, shape=(-1, 1)) if name == "state_value" else head
        for head, name in zip(heads, _head_names(agent)[0], strict=True)
    ]
    mx.sym.Group(heads).save(str(folder / SYMBOL_FILE))
    mx.nd.save(str(folder / PARAMS_FILE), params)


def _parameters(network: Any) -> list[tuple[str, Any]]:
    return list(network.model.collect_params().items())


def _action_space(agent: Any) -> Space:
    """Return the environment's own action space, to which the agent's actions are translated (coach/spaces.py)."""
    from rl_coach.spaces import BoxActionSpace, DiscreteActionSpace

    space = agent.spaces.action
    actions = getattr(getattr(agent.parent_level_manager.real_environment, "env", None), "actions", None)
    if isinstance(actions, DiscreteActions):
        return Space("discrete", (), n=int(actions.agent_space.n), start=actions.start)
    if isinstance(actions, BoxActions):
        return _box(actions.own_space, integer=actions.integer)
    if isinstance(space, DiscreteActionSpace):
        return Space("discrete", (), n=len(space.actions))
    if isinstance(space, BoxActionSpace):
        return _box(space)
    raise NotExportableError(f"the action space is a {type(space).__name__}, expected box or discrete")


def _box(space: Any, integer: bool = False) -> Space:
    shape = tuple(int(size) for size in np.atleast_1d(space.shape))
    bounds = (np.broadcast_to(np.asarray(bound, dtype=np.float64), shape) for bound in (space.low, space.high))
    low, high = (tuple(float(value) for value in bound.ravel()) for bound in bounds)
    return Space("box", shape, low, high, integer=integer)


def _describe(agent: Any, graph_manager: Any, training: dict[str, Any]) -> dict[str, Any]:
    heads, action_head = _head_names(agent)
    exported = export_filters(agent)
    space = _box(graph_manager.environments[0].state_space[NAME])
    if stack := exported.filters.stack_size:
        space = replace(space, shape=(stack, *space.shape), low=space.low * stack, high=space.high * stack)
    filters = {
        "observation_dtype": exported.filters.dtype.name,
        "observation_filters": exported.description,
    }
    reward = training.get("evaluation_reward")
    return {
        "schema_version": 2 if exported.description else 1,
        "algorithm": type(agent).__name__.removesuffix("Agent"),
        "preset": training["preset"],
        "environment": str(graph_manager.env_params.level),
        "observation_space": space.to_json(),
        **(filters if exported.description else {}),
        "action_space": _action_space(agent).to_json(),
        "heads": heads,
        "action_head": action_head,
        "training": {**training, "evaluation_reward": reward if reward is None or math.isfinite(reward) else None},
        "versions": outputs.versions(),
        "git_revision": outputs.git_revision(),
    }
