"""Coach's replay buffers: what is restored from the file of a state is what was saved."""

import random

import numpy as np
import pytest
from rl_coach.core_types import Transition
from rl_coach.memories.episodic.episodic_experience_replay import EpisodicExperienceReplay
from rl_coach.memories.episodic.single_episode_buffer import SingleEpisodeBuffer
from rl_coach.memories.memory import MemoryGranularity
from rl_coach.memories.non_episodic.balanced_experience_replay import BalancedExperienceReplay
from rl_coach.memories.non_episodic.experience_replay import ExperienceReplay
from rl_coach.memories.non_episodic.prioritized_experience_replay import PrioritizedExperienceReplay
from rl_coach.schedules import LinearSchedule
from sagemaker_rl.training import replay_state, state_file
from sagemaker_rl.training.state_file import DamagedState

SIZE = (MemoryGranularity.Transitions, 8)


def transition(number: int, ends: bool = False) -> Transition:
    observation = np.full((2,), number, np.float32)
    return Transition(
        {"observation": observation, "measurements": np.float64(-number)},
        number % 3,
        number / 7,
        {"observation": observation + 1, "measurements": np.float64(1 - number)},
        ends,
        {"chance": 0.5 * number},
    )


def moved(memory, other, folder):
    """Restore ``other`` from a file of the state of ``memory``."""
    state_file.write(folder / "state", replay_state.state_of(memory))
    replay_state.restore(other, state_file.read(folder / "state"))
    return other


def content(transitions) -> list:
    return [
        (
            {name: value.tolist() for name, value in each.state.items()},
            {name: value.tolist() for name, value in each.next_state.items()},
            (each.action, each.reward, each.game_over, each._n_step_discounted_rewards),
            {name: float(value) for name, value in each.info.items()},
        )
        for each in transitions
    ]


@pytest.mark.parametrize("count", [0, 3, 11])
def test_transitions(tmp_path, count):
    memory = ExperienceReplay(SIZE)
    for number in range(count):
        memory.store(transition(number, ends=number == 5))
    other = moved(memory, ExperienceReplay(SIZE), tmp_path)
    assert content(other.transitions) == content(memory.transitions)
    assert len(other.transitions) == min(count, 8)
    if count:
        first = other.transitions[0]
        assert first.state["observation"].dtype == np.float32
        assert (type(first.action), type(first.reward), type(first.game_over)) == (int, float, bool)
    other.store(transition(99))
    assert other.num_transitions() == min(count + 1, 8)


@pytest.mark.parametrize("count", [3, 8, 11])
def test_priorities(tmp_path, count):
    def make():
        return PrioritizedExperienceReplay(SIZE, beta=LinearSchedule(0.4, 1.0, 10))

    memory = make()
    for number in range(count):
        memory.store(transition(number))
    memory.update_priorities([0, 2], [3.0, 0.25])
    memory.beta.step()
    other = moved(memory, make(), tmp_path)
    for own, theirs in ((other.sum_tree, memory.sum_tree), (other.min_tree, memory.min_tree)):
        assert np.array_equal(own.tree, theirs.tree)
        assert own.next_leaf_idx_to_write == theirs.next_leaf_idx_to_write == count % 8
        assert content(filter(None, own.data)) == content(filter(None, theirs.data))
    assert content(other.transitions) == content(memory.transitions)
    assert other.maximal_priority == memory.maximal_priority
    assert other.beta.current_value == memory.beta.current_value > 0.4
    random.seed(1)
    drawn = content(memory.sample(4))
    random.seed(1)
    assert content(other.sample(4)) == drawn
    larger = PrioritizedExperienceReplay((MemoryGranularity.Transitions, 16))
    with pytest.raises(DamagedState, match=r"^the memory has the size 15, expected 31$"):
        moved(memory, larger, tmp_path)


def test_whole_episodes(tmp_path):
    memory = EpisodicExperienceReplay(n_step=2)
    for number in range(8):
        memory.store(transition(number, ends=number in (1, 5)))
    other = moved(memory, EpisodicExperienceReplay(n_step=2), tmp_path)
    assert other.num_complete_episodes() == memory.num_complete_episodes() == 2
    for index in range(2):
        own, theirs = other.get(index), memory.get(index)
        assert content(own.transitions) == content(theirs.transitions)
        assert own.length() == theirs.length()
    assert other.num_transitions() == 6  # the episode in progress is left
    assert other.num_transitions_in_complete_episodes() == 6
    other.store(transition(9, ends=True))
    assert [other.get(index).length() for index in range(3)] == [2, 4, 1]


def test_a_stack_that_is_not_stacked_yet(tmp_path):
    from rl_coach.filters.observation.observation_stacking_filter import LazyStack

    memory = ExperienceReplay(SIZE)
    frames = [np.full(3, number, np.uint8) for number in range(2)]
    memory.store(
        Transition({"observation": LazyStack(frames, -1)}, 0, 1.0, {"observation": LazyStack(frames, -1)}, False)
    )
    (found,) = moved(memory, ExperienceReplay(SIZE), tmp_path).transitions
    assert np.array_equal(found.state["observation"], np.stack(frames, -1))


def test_what_is_not_kept_is_said(tmp_path, capsys):
    balanced = BalancedExperienceReplay(SIZE, num_classes=2, state_key_with_the_class_index="class")
    moved(balanced, balanced, tmp_path)
    strange = ExperienceReplay(SIZE)
    strange.store(Transition({"observation": np.zeros(2)}, 0, 1.0, {"observation": np.zeros(2)}, False, {"a": "text"}))
    other = moved(strange, ExperienceReplay(SIZE), tmp_path)
    assert other.transitions == []
    uneven = ExperienceReplay(SIZE)
    for size in (2, 3):
        uneven.store(Transition({"observation": np.zeros(size)}, 0, 1.0, {"observation": np.zeros(size)}, False))
    moved(uneven, ExperienceReplay(SIZE), tmp_path)
    reason = "the memory's transitions are not of numbers of one shape"
    assert capsys.readouterr().out.splitlines() == [
        "Resume> Replay=none, Reason=the memory is a BalancedExperienceReplay",
        f"Resume> Replay=none, Reason={reason}",
        f"Resume> Replay=none, Reason={reason}",
    ]


def test_an_episode_in_progress_is_left_without_a_word(tmp_path, capsys):
    memory = SingleEpisodeBuffer()
    memory.store(transition(1))
    assert moved(memory, SingleEpisodeBuffer(), tmp_path).transitions == []
    assert capsys.readouterr().out == ""
