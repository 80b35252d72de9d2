"""What Coach's own objects know of a training beside weights, as a state (state_file.py).

Both paths use it: they count, explore and log with the same objects.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np

from sagemaker_rl.coach.graph import agent_of
from sagemaker_rl.coach.normalization import STATISTICS_KEYS, normalizations_of
from sagemaker_rl.training import random_streams
from sagemaker_rl.training.state_file import DamagedState, State, checked

COUNTERS = (
    "total_steps_counter",
    "training_iteration",
    "training_epoch",
    "last_target_network_update_step",
    "last_training_phase_step",
    "current_episode",
    "last_episode_evaluation_ran",
)
"""Of an agent (rl_coach/agents/agent.py)."""


def state_of(graph_manager: Any) -> State:
    """Return counters, weights, statistics, schedules, exploration and signals."""
    agent = agent_of(graph_manager)
    return {
        "steps": counters_of(graph_manager),
        "agent": {name: getattr(agent, name) for name in COUNTERS},
        "weights": weights_of(agent),
        "statistics": [
            {key: np.array(getattr(each.running_observation_stats, key)) for key in STATISTICS_KEYS}
            for each in normalizations_of(agent)
        ],
        "numbers": {path: getattr(owner, name) for path, owner, name in _changing_numbers(agent)},
        "streams": {path: random_streams.state_of(stream) for path, stream in _streams(agent)},
        "signals": {signal.name: _values_of(signal) for signal in agent.episode_signals},
    }


def restore(graph_manager: Any, state: State) -> None:
    """Give a graph that has been created what ``state_of`` returned for one of the same preset.

    Raises:
        DamagedState: The state is not of such a graph.
    """
    agent = agent_of(graph_manager)
    try:
        restore_weights(agent, state["weights"])
        for each, statistics in zip(normalizations_of(agent), state["statistics"], strict=True):
            vars(each.running_observation_stats).update({key: statistics[key][()] for key in STATISTICS_KEYS})
        for name in COUNTERS:
            setattr(agent, name, state["agent"][name])
        agent.ap.current_episode = agent.current_episode
        agent.agent_logger.set_current_time(agent.current_episode)
        for path, owner, name in _changing_numbers(agent):
            value = state["numbers"][path]
            setattr(owner, name, checked(value, getattr(owner, name)) if isinstance(value, np.ndarray) else value)
        for schedule in _pieces(agent):
            schedule.current_schedule = schedule.schedules[schedule.current_schedule_idx]
        for path, stream in _streams(agent):
            random_streams.restore(stream, state["streams"][path])
        for signal in agent.episode_signals:
            _give_values(signal, state["signals"][signal.name])
        restore_counters(graph_manager, state["steps"])
    except (KeyError, IndexError, TypeError, ValueError) as error:
        if isinstance(error, DamagedState):
            raise
        raise DamagedState(f"it is of another agent ({error!r})") from None


def weights_of(agent: Any) -> State:
    """Return the weights of all its networks, by the network's path and the parameter's name."""
    return {
        path: {name: parameter.data().asnumpy() for name, parameter in parameters.items()}
        for path, parameters in _networks(agent)
    }


def restore_weights(agent: Any, state: State) -> None:
    """Give the networks what ``weights_of`` returned.

    Raises:
        DamagedState, KeyError: They are of other networks.
    """
    import mxnet as mx

    for path, parameters in _networks(agent):
        for name, parameter in parameters.items():
            weights = checked(state[path][name], parameter.data().asnumpy())
            parameter.set_data(mx.nd.array(weights, dtype=weights.dtype))


def counters_of(graph_manager: Any) -> State:
    """Return Coach's counters of each phase: how many there were of each unit."""
    return {
        phase.name: {unit.__name__: number for unit, number in counter.counters.items()}
        for phase, counter in graph_manager.total_steps_counters.items()
    }


def restore_counters(graph_manager: Any, state: State) -> None:
    """Give Coach's counters what ``counters_of`` returned."""
    for phase, counter in graph_manager.total_steps_counters.items():
        for unit in counter.counters:
            counter[unit] = int(state[phase.name][unit.__name__])


def _networks(agent: Any) -> Iterator[tuple[str, Any]]:
    """Yield path and parameters of each network: Coach's own checkpoint leaves out the target networks."""
    for name, wrapper in agent.networks.items():
        for kind in ("online_network", "target_network", "global_network"):
            network = getattr(wrapper, kind, None)
            if network is not None:
                yield f"{name}.{kind}", network.model.collect_params()


def _values_of(signal: Any) -> State:
    """Return what a signal has been given since its last row of the CSV: numbers, or batches, as one array."""
    batches = bool(signal.values) and isinstance(signal.values[0], np.ndarray)
    return {"batches": batches, "values": np.concatenate(signal.values) if batches else np.array(signal.values)}


def _give_values(signal: Any, state: State) -> None:
    signal.values = [state["values"]] if state["batches"] else list(state["values"])  # each of its own dtype


def _changing_numbers(agent: Any) -> Iterator[tuple[str, Any, str]]:
    """Yield path, owner and name of each number and array of the agent's schedules and of its exploration."""
    for path, owner in _stateful(agent):
        for name, value in vars(owner).items():
            is_number = isinstance(value, bool | int | float | np.generic)
            if is_number or (isinstance(value, np.ndarray) and not value.dtype.hasobject):
                yield f"{path}.{name}", owner, name


def _streams(agent: Any) -> Iterator[tuple[str, random_streams.Stream]]:
    """Yield path and generator of each random stream of the agent's exploration."""
    for path, owner in _stateful(agent):
        for name, value in vars(owner).items():
            if isinstance(value, random_streams.STREAMS):
                yield f"{path}.{name}", value


def _pieces(agent: Any) -> Iterator[Any]:
    from rl_coach.schedules import PieceWiseSchedule

    for _, owner in _stateful(agent):
        if isinstance(owner, PieceWiseSchedule):
            yield owner


def _stateful(agent: Any) -> Iterator[tuple[str, Any]]:
    """Yield path and object: the schedules of the agent's algorithm, its exploration, and what that is made of."""
    from rl_coach.exploration_policies.exploration_policy import ExplorationPolicy
    from rl_coach.schedules import Schedule

    from sagemaker_rl.exploration import HeldActions

    def below(path: str, value: Any) -> Iterator[tuple[str, Any]]:
        if isinstance(value, list | tuple):  # of a PieceWiseSchedule
            for number, item in enumerate(value):
                yield from below(f"{path}.{number}", item)
        elif isinstance(value, ExplorationPolicy | Schedule | HeldActions):
            yield path, value
            for name, item in vars(value).items():
                if name != "current_schedule":  # one of a PieceWiseSchedule's own
                    yield from below(f"{path}.{name}", item)

    yield from below("exploration", agent.exploration_policy)
    for name, value in vars(agent.ap.algorithm).items():
        yield from below(f"algorithm.{name}", value)
