"""What a checkpoint holds of a run of the fast path, and going on from it."""

import time
from typing import Any

import numpy as np

from sagemaker_rl.job import outputs
from sagemaker_rl.training import agent_state, random_streams
from sagemaker_rl.training.state_file import DamagedState, State, checked


def state_of(run: Any) -> State:
    """Return all that is needed to go on from where an AcceleratedRun is, at rest; it holds the run's own arrays."""
    return {
        "graph": agent_state.state_of(run.graph_manager),
        "learning": run.learning_state(),
        "phase_end": run.phase_end,
        "is_heating_up": run.is_heating_up,
        "evaluation_seed": run.evaluator.seed,
        "seconds": time.monotonic() - run.started,
        "random": random_streams.state_of(run.random),
        "copy_streams": run.streams.state(),
        "streams": {name: random_streams.state_of(stream) for name, stream in random_streams.GLOBAL.items()},
        "envs": run.envs.state(),
        "observations": run.observations,
        "returns": run.returns,
        "shaped_returns": run.shaped_returns,
        "lengths": run.lengths,
        "losses": run.losses,
        "episodes_played": run.episodes_played,
        "table": run.table.state(),
        "video_filters": run.video_filters.state(),
    }


def restore(run: Any, state: State) -> None:
    """Go on from a state of a run of the same preset, seed and number of environments.

    Raises:
        DamagedState: It is another's.
    """
    try:
        agent_state.restore(run.graph_manager, state["graph"])
        run.learner.pull()
        run.restore_learning(state["learning"])
        run.phase_end = run.interrupted_end = state["phase_end"]
        run.is_heating_up = state["is_heating_up"]
        run.evaluator.seed = state["evaluation_seed"]
        run.started = time.monotonic() - state["seconds"]
        random_streams.restore(run.random, state["random"])
        run.streams.restore(state["copy_streams"])
        for name in ("observations", "returns", "shaped_returns", "lengths"):
            setattr(run, name, checked(state[name], getattr(run, name)))
        run.losses = {name: list(values) for name, values in state["losses"].items()}
        run.episodes_played = state["episodes_played"]
        run.table.restore(state["table"])
        run.video_filters.restore(state["video_filters"])
        _begin_where_episodes_are_lost(run, ~run.envs.restore(state["envs"], run.observations))
        for name, stream in random_streams.GLOBAL.items():
            random_streams.restore(stream, state["streams"][name])
    except DamagedState:
        raise
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise DamagedState(f"it is of another run ({error!r})") from None


def _begin_where_episodes_are_lost(run: Any, lost: np.ndarray) -> None:
    """Begin new episodes in environments, bool ``(num_envs,)``, that did not get to where they had been."""
    if not lost.any():
        return
    reason = "the environment does not come to where it was when it gets the same random numbers and actions"
    outputs.metric_line("Resume", Episodes_begun_anew=int(lost.sum()), Reason=reason)
    run.cut_episodes(lost)
    run.observations = run.envs.begin_episodes(lost, run.observations)
    run.returns[lost] = run.shaped_returns[lost] = run.lengths[lost] = 0
