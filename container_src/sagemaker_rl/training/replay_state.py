"""Coach's replay buffers as a state (state_file.py): the transitions in columns."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from sagemaker_rl.training.state_file import DamagedState, State

DICTIONARIES = ("state", "next_state", "info")
"""What of a transition is a dictionary of arrays or numbers."""
NUMBERS = ("action", "reward", "game_over", "n_step_discounted_rewards")


def reason_not_kept(memory: Any) -> str | None:
    """Return why a replay buffer is not a part of the state, as the end of a sentence; None if it is."""
    from rl_coach.memories.episodic.single_episode_buffer import SingleEpisodeBuffer

    if type(memory) in _kinds() or isinstance(memory, SingleEpisodeBuffer):
        return None
    return f"the memory is a {type(memory).__name__}"


def state_of(memory: Any) -> State | None:
    """Return the transitions of a replay buffer, of whole episodes where it holds episodes; None if it is not kept.

    Raises:
        DamagedState: A transition holds something else than arrays and numbers, or others than the one before.
    """
    kind = _kinds().get(type(memory))
    return kind(memory) if kind else None


def restore(memory: Any, state: State | None) -> None:
    """Give a new replay buffer what ``state_of`` returned of one of its kind.

    Raises:
        DamagedState: It is of another kind.
    """
    if state is None:
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
        trees = (memory.sum_tree, memory.min_tree, memory.max_tree)
        for tree, values in zip(trees, state["trees"], strict=True):
            if values.shape != tree.tree.shape:
                raise DamagedState(f"the memory has the size {len(values)}, expected {len(tree.tree)}")
            tree.tree, tree.next_leaf_idx_to_write = values, state["next"]
            for age, transition in enumerate(reversed(transitions), 1):
                tree.data[(state["next"] - age) % tree.size] = transition
        memory.maximal_priority = state["maximal_priority"]
        memory.beta.current_value = state["beta"]


def _kinds() -> dict[type, Any]:
    from rl_coach.memories.episodic.episodic_experience_replay import EpisodicExperienceReplay
    from rl_coach.memories.non_episodic.experience_replay import ExperienceReplay
    from rl_coach.memories.non_episodic.prioritized_experience_replay import PrioritizedExperienceReplay

    return {
        ExperienceReplay: lambda memory: _columns_of(memory.transitions),
        PrioritizedExperienceReplay: _state_of_prioritized,
        EpisodicExperienceReplay: _state_of_episodes,
    }


def _state_of_prioritized(memory: Any) -> State:
    trees = (memory.sum_tree, memory.min_tree, memory.max_tree)
    return {
        **_columns_of(memory.transitions),
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
        keys = sorted(getattr(transitions[0], f"_{name}" if name != "info" else name)) if transitions else []
        columns[name] = {key: _column([_dictionary(t, name)[key] for t in transitions]) for key in keys}
    for name in NUMBERS:
        values = [getattr(transition, f"_{name}") for transition in transitions]
        known = [value for value in values if value is not None]  # returns are, once an episode has ended
        where = np.array([value is not None for value in values], dtype=bool)
        columns[name] = {"known": where, "values": _column(known)}
    return {"count": len(transitions), "columns": columns}


def _dictionary(transition: Any, name: str) -> dict[str, Any]:
    return dict(transition.info if name == "info" else getattr(transition, f"_{name}"))


def _column(values: list[Any]) -> np.ndarray:
    try:
        column = np.array(values)
    except ValueError:
        column = np.array(None)
    if column.dtype.hasobject or column.dtype.kind not in "biuf":
        raise DamagedState("the memory's transitions are not of numbers of one shape")
    return column


def _transitions_of(columns: State, count: int) -> list[Any]:
    from rl_coach.core_types import Transition

    transitions = []
    numbers = {name: iter(columns[name]["values"]) for name in NUMBERS}
    for row in range(count):
        dictionaries = {name: {key: column[row] for key, column in columns[name].items()} for name in DICTIONARIES}
        transition = Transition(**dictionaries)
        for name in NUMBERS:
            value = next(numbers[name]) if columns[name]["known"][row] else None
            setattr(transition, f"_{name}", value if value is None or np.ndim(value) else value.item())
        transitions.append(transition)
    return transitions
