"""The namespace that a launcher's ``get_config_args`` returns: Coach's options, as far as a job can honour them."""

import argparse
import contextlib
import io
import os
import sys
from collections.abc import Callable
from typing import Any

from sagemaker_rl.errors import InputError
from sagemaker_rl.job.ml_paths import MLPaths

NOT_HONOURED = {
    "apply_stop_condition": "the schedule and the job's maximum duration end a training",
    "checkpoint_restore_file": "Coach restores from a folder on MXNet: set checkpoint_restore_dir",
    "custom_parameter": "hyperparameters that begin with rl. do the same",
    "data_store_params": "it belongs to distributed Coach, which needs Kubernetes",
    "distributed_coach": "distributed Coach needs Kubernetes",
    "dump_mp4": "a job writes GIFs",
    "environment_type": "the preset has the environment",
    "evaluation_worker": "Coach on MXNet trains in one process",
    "export_onnx_graph": "a job leaves its policy in a form that the serving image reads",
    "memory_backend_params": "it belongs to distributed Coach, which needs Kubernetes",
    "play": "nobody is there to play",
    "render": "there is no screen",
    "tensorboard": "it is of the TensorFlow backend",
}
"""Options of Coach (rl_coach/coach.py, get_argument_parser) that a job refuses, and why."""


def parse(
    get_config_args: Callable[[argparse.ArgumentParser], argparse.Namespace], parser: argparse.ArgumentParser
) -> argparse.Namespace:
    """Return what a launcher's ``get_config_args`` returns for Coach's ``parser``.

    Raises:
        InputError: It has ended the program, as argparse does when an argument does not fit; or it would set up another
            framework.
    """
    backend = os.environ.get("COACH_BACKEND", "mxnet")
    if backend != "mxnet":  # launchers look for TensorFlow's files then
        raise InputError(f"Environment variable COACH_BACKEND is {backend!r}, expected mxnet.")
    messages = io.StringIO()
    try:
        with contextlib.redirect_stderr(messages):
            args = get_config_args(parser)
    except SystemExit as end:
        reason = messages.getvalue().strip().rpartition("\n")[2] or f"exit status {end.code}"
        raise InputError(f"get_config_args of the launcher ended the program: {reason}.") from None
    print(messages.getvalue(), end="", file=sys.stderr)
    return args


def check(args: argparse.Namespace, defaults: argparse.Namespace, paths: MLPaths) -> None:
    """Complete ``args`` by Coach's defaults, set what is given here, and refuse what cannot be honoured.

    Args:
        args: as ``get_config_args`` returned it; changed in place.
        defaults: Coach's.
        paths: of the job.

    Raises:
        InputError: It asks for something that a job here cannot do.
    """
    from rl_coach.base_parameters import Frameworks

    if not isinstance(args, argparse.Namespace):
        raise InputError(f"get_config_args of the launcher returned {args!r}, expected the namespace of arguments.")
    for name, value in vars(defaults).items():
        vars(args).setdefault(name, value)
    for name, reason in NOT_HONOURED.items():
        if getattr(args, name) != getattr(defaults, name):
            raise _refusal(name, getattr(args, name), f"expected {getattr(defaults, name)!r}: {reason}.")
    if args.framework == defaults.framework:  # a string, and Coach's own default
        args.framework = Frameworks.mxnet
    if str(getattr(args.framework, "name", args.framework)).lower() != "mxnet":
        raise _refusal("framework", args.framework, "expected Frameworks.mxnet: COACH_BACKEND has to be mxnet.")
    args.framework = Frameworks.mxnet
    check_workers(args.num_workers)
    args.num_workers = 1
    _check_folder(args, "experiment_path", paths, [paths.intermediate])
    _check_folder(args, "checkpoint_save_dir", paths, [paths.checkpoint, paths.synced_checkpoint])
    if args.checkpoint_restore_dir is not None:
        args.checkpoint_restore_dir = str(paths.resolve(args.checkpoint_restore_dir))


def check_workers(count: Any) -> None:
    """Check the number of processes that a job asks Coach for.

    Raises:
        InputError: It is not 1.
    """
    if count not in (None, 1, "1"):
        raise InputError(f"num_workers is {count}, expected 1: Coach on MXNet trains in one process.")


def put_into(graph_manager: Any, args: argparse.Namespace) -> None:
    """Set on a graph manager what Coach's command line would: framework, level, GIFs."""
    agents = getattr(graph_manager, "agents_params", None) or [graph_manager.agent_params]
    for network in (network for agent in agents for network in agent.network_wrappers.values()):
        network.framework = args.framework
    if args.level:
        graph_manager.env_params.level = args.level
    if args.dump_gifs:
        graph_manager.visualization_parameters.dump_gifs = True


def _check_folder(args: argparse.Namespace, name: str, paths: MLPaths, expected: list[Any]) -> None:
    """Refuse a folder that the job would not write to; the job's own takes the place of one that is not given."""
    given = getattr(args, name, None)
    if given and paths.resolve(given) not in expected:
        raise _refusal(name, given, f"expected {expected[0]}, where a job writes it.")
    setattr(args, name, str(expected[0]))


def _refusal(name: str, value: Any, expected: str) -> InputError:
    value = getattr(value, "name", value)
    return InputError(f"get_config_args of the launcher sets {name} to {value!r}, {expected}")
