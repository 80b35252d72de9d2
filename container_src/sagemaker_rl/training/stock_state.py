"""What stock Coach goes on with after an interruption, as a state (state_file.py).

Counters, weights, statistics, schedules and exploration are those of agent_state.py; here are the optimizers' moments
and the replay buffer. An episode in progress is left where it is, and MXNet's random numbers begin anew.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from sagemaker_rl.coach.graph import agent_of
from sagemaker_rl.training import agent_state, random_streams, replay_state
from sagemaker_rl.training.state_file import DamagedState, State, checked


def state_of(graph_manager: Any) -> State:
    """Return the state of a graph manager and its agent."""
    return {
        "graph": agent_state.state_of(graph_manager),
        "memory": replay_state.state_of(agent_of(graph_manager).memory),
        "optimizers": {name: _state_of_trainer(trainer) for name, trainer in _trainers(graph_manager)},
        "table": _state_of_table(agent_of(graph_manager).agent_logger),
        "streams": {name: random_streams.state_of(stream) for name, stream in random_streams.GLOBAL.items()},
    }


def restore(graph_manager: Any, state: State) -> None:
    """Give a graph manager what ``state_of`` returned of another.

    Raises:
        DamagedState: It is of another preset.
    """
    agent_state.restore(graph_manager, state["graph"])
    try:
        for name, trainer in _trainers(graph_manager):
            _restore_trainer(trainer, state["optimizers"][name])
        replay_state.restore(agent_of(graph_manager).memory, state["memory"])
        _restore_table(agent_of(graph_manager).agent_logger, state["table"])
        for name, stream in random_streams.GLOBAL.items():
            random_streams.restore(stream, state["streams"][name])
    except (KeyError, TypeError, AttributeError) as error:
        raise DamagedState(f"it is of another agent ({error!r})") from None


def _state_of_table(logger: Any) -> State:
    """Return the CSV's content, and the rows that are not in it yet."""
    file = Path(logger.csv_path)
    content = file.read_bytes() if file.exists() else b""
    rows = logger.data[logger.last_line_idx_written_to_csv :]
    waiting = [{"index": int(index), "values": dict(values)} for index, values in rows.iterrows()]
    return {"content": np.frombuffer(content, np.uint8), "waiting": waiting}


def _restore_table(logger: Any, state: State) -> None:
    import pandas

    if len(state["content"]):
        Path(logger.csv_path).write_bytes(state["content"].tobytes())
    if state["waiting"]:
        rows = [row["values"] for row in state["waiting"]]
        logger.data = pandas.DataFrame(rows, index=[row["index"] for row in state["waiting"]])
        logger.last_line_idx_written_to_csv = 0


def _trainers(graph_manager: Any) -> Iterator[tuple[str, Any]]:
    for name, network in agent_of(graph_manager).networks.items():
        for kind in ("online_network", "target_network", "global_network"):
            trainer = getattr(getattr(network, kind, None), "trainer", None)
            if trainer is not None:
                yield f"{name}.{kind}", trainer


def _state_of_trainer(trainer: Any) -> State:
    optimizer, (updater,) = trainer._optimizer, trainer._updaters
    return {
        "updates": optimizer.num_update,
        "counts": {str(index): count for index, count in optimizer._index_update_count.items()},
        "moments": {str(index): [each.asnumpy() for each in _arrays(held)] for index, held in updater.states.items()},
    }


def _restore_trainer(trainer: Any, state: State) -> None:
    import mxnet as mx

    optimizer, (updater,) = trainer._optimizer, trainer._updaters
    optimizer.num_update = int(state["updates"])
    optimizer._index_update_count.update({int(index): int(count) for index, count in state["counts"].items()})
    for index, moments in state["moments"].items():
        parameter = trainer._params[int(index)]
        updater.states[int(index)] = optimizer.create_state_multi_precision(int(index), parameter.data())
        updater.states_synced[int(index)] = True
        for array, saved in zip(_arrays(updater.states[int(index)]), moments, strict=True):
            array[:] = mx.nd.array(checked(saved, array.asnumpy()), dtype=np.float32)


def _arrays(held: Any) -> Iterator[Any]:
    """Yield the arrays that an optimizer holds of one parameter: none, one, or several."""
    if isinstance(held, tuple | list):
        for each in held:
            yield from _arrays(each)
    elif held is not None:
        yield held
