"""Coach's replay buffers as a state (state_file.py): the transitions in columns."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from sagemaker_rl.job import outputs
from sagemaker_rl.training.state_file import DamagedState, State

DICTIONARIES = ("state", "next_state", "info")
"""What of a transition is a dictionary of arrays or numbers."""
NUMBERS = ("action", "reward", "game_over", "n_step_discounted_rewards")


def state_of(memory: Any) -> State:
    """Return the transitions of a replay buffer, of whole episodes where it holds episodes; or why it is not kept."""
    kind = _kinds().get(type(memory))
    if kind is None:
        return {"not_kept": f"the memory is a {type(memory).__name__}"}
    try:
        return dict(kind(memory))
    except _NotNumbersError:
        return {"not_kept": "the memory's transitions are not of numbers of one shape"}


def restore(memory: Any, state: State) -> None:
    """Give a new replay buffer what ``state_of`` returned of one of its kind; say in the log where that is nothing.

    Raises:
        DamagedState: It is of another kind.
    """
    if "not_kept" in state:
        outputs.metric_line("Resume", Replay="none", Reason=state["not_kept"])
        return
    transitions = _transitions_of(state["columns"], state["count"])
    if "lengths" in state:
        start = 0
        for length in state["lengths"]:
            _store_episode(memory, transitions[start : start + length])
            start += length
        return
    memory.transitions = transitions
    if "trees" in state:
        # Coach's own list has each of them twice (prioritized_experience_replay.py: store), and counts them.
        twice = [transition for transition in transitions for _ in range(2)]
        memory.transitions = twice[len(twice) - state["stored"] :]
        trees = (memory.sum_tree, memory.min_tree, memory.max_tree)
        for tree, values in zip(trees, state["trees"], strict=True):
            if values.shape != tree.tree.shape:
                raise DamagedState(f"the memory has the size {len(values)}, expected {len(tree.tree)}")
            tree.tree, tree.next_leaf_idx_to_write = values, state["next"]
            for age, transition in enumerate(reversed(transitions), 1):
                tree.data[(state["next"] - age) % tree.size] = transition
        memory.maximal_priority = state["maximal_priority"]
        memory.beta.current_value = state["beta"]


class _NotNumbersError(Exception):
    """Transitions hold something else than arrays and numbers, or others than the one before."""


def _kinds() -> dict[type, Any]:
    from rl_coach.memories.episodic.episodic_experience_replay import EpisodicExperienceReplay
    from rl_coach.memories.episodic.single_episode_buffer import SingleEpisodeBuffer
    from rl_coach.memories.non_episodic.experience_replay import ExperienceReplay
    from rl_coach.memories.non_episodic.prioritized_experience_replay import PrioritizedExperienceReplay

    return {
        SingleEpisodeBuffer: lambda memory: _columns_of([]),  # it holds the episode in progress, which is left
        ExperienceReplay: lambda memory: _columns_of(memory.transitions),
        PrioritizedExperienceReplay: _state_of_prioritized,
        EpisodicExperienceReplay: _state_of_episodes,
    }


def _state_of_prioritized(memory: Any) -> State:
    trees = (memory.sum_tree, memory.min_tree, memory.max_tree)
    leaves, begin = memory.sum_tree.data, memory.sum_tree.next_leaf_idx_to_write
    return {
        **_columns_of([leaf for leaf in leaves[begin:] + leaves[:begin] if leaf is not None]),  # the oldest first
        "stored": len(memory.transitions),
        "trees": [tree.tree for tree in trees],
        "next": memory.sum_tree.next_leaf_idx_to_write,
        "maximal_priority": float(memory.maximal_priority),
        "beta": float(memory.beta.current_value),
    }


def _state_of_episodes(memory: Any) -> State:
    episodes = [episode.transitions for episode in memory._buffer[: memory.num_complete_episodes()]]
    return {
        **_columns_of([transition for episode in episodes for transition in episode]),
        "lengths": [len(episode) for episode in episodes],
    }


def _store_episode(memory: Any, transitions: Sequence[Any]) -> None:
    """Store an episode as Coach does, without computing its returns: they are in the transitions."""
    from rl_coach.core_types import Episode

    episode = Episode(n_step=memory.n_step)
    episode.transitions = list(transitions)
    episode._length = len(transitions)
    memory._buffer.insert(len(memory._buffer) - 1, episode)
    memory._length += 1
    memory.transitions.extend(transitions)
    memory._num_transitions += len(transitions)
    memory._num_transitions_in_complete_episodes += len(transitions)


def _columns_of(transitions: Sequence[Any]) -> State:
    columns: State = {}
    for name in DICTIONARIES:
        dictionaries = [
            transition.info if name == "info" else getattr(transition, f"_{name}") for transition in transitions
        ]
        keys = sorted({key for dictionary in dictionaries for key in dictionary})
        columns[name] = {key: _column([dictionary.get(key) for dictionary in dictionaries]) for key in keys}
    for name in NUMBERS:
        columns[name] = _column([getattr(transition, f"_{name}") for transition in transitions])
    return {"count": len(transitions), "columns": columns}


def _column(values: list[Any]) -> State:
    """Return values, some of them None: a return is known at its episode's end, a weight once it has been drawn."""
    known = [np.asarray(value) for value in values if value is not None]  # Coach's LazyStack is no array
    try:
        column = np.stack(known) if known else np.zeros(0)
    except ValueError:
        raise _NotNumbersError from None
    if column.dtype.kind not in "biuf":
        raise _NotNumbersError
    return {"known": np.array([value is not None for value in values], dtype=bool), "values": column}


def _values_of(column: State) -> Iterator[Any]:
    values = iter(column["values"])
    return (next(values) if known else None for known in column["known"])


def _transitions_of(columns: State, count: int) -> list[Any]:
    from rl_coach.core_types import Transition

    transitions = []
    numbers = {name: _values_of(columns[name]) for name in NUMBERS}
    dictionaries = {name: {key: _values_of(column) for key, column in columns[name].items()} for name in DICTIONARIES}
    for _ in range(count):
        row = {name: {key: next(column) for key, column in keys.items()} for name, keys in dictionaries.items()}
        transition = Transition(
            **{name: {key: value for key, value in given.items() if value is not None} for name, given in row.items()}
        )
        for name, column in numbers.items():
            value = next(column)
            setattr(transition, f"_{name}", value if value is None or np.ndim(value) else value.item())
        transitions.append(transition)
    return transitions
