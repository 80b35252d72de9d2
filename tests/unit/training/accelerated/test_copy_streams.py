"""Random numbers of copies of an environment, each from its own stream."""

import numpy as np
import pytest
from sagemaker_rl.training.accelerated.copy_streams import STEPS, CopyStreams, start_of

COPIES = 6


def draws(streams, rounds):
    size = len(streams.copies)
    return [(streams.random((size, 1)), streams.standard_normal((size, 2))) for _ in range(rounds)]


@pytest.mark.parametrize("parts", [[range(6)], [range(3), range(3, 6)], [range(1), range(1, 5), range(5, 6)]])
def test_copies_draw_the_same_whatever_others_are_beside_them(parts):
    whole = draws(CopyStreams(7, range(COPIES)), STEPS + 5)
    apart = [draws(CopyStreams(7, part), STEPS + 5) for part in parts]
    for expected, *found in zip(whole, *apart, strict=True):
        for kind, numbers in enumerate(expected):
            assert np.array_equal(np.concatenate([part[kind] for part in found]), numbers)


def test_numbers_are_those_of_their_distributions_and_never_come_again():
    streams = CopyStreams(7, range(COPIES))
    uniform, normal = (np.array(numbers) for numbers in zip(*draws(streams, 3 * STEPS), strict=True))
    assert (uniform.min(), uniform.max()) == (pytest.approx(0, abs=0.01), pytest.approx(1, abs=0.01))
    assert (normal.mean(), normal.std()) == (pytest.approx(0, abs=0.05), pytest.approx(1, abs=0.05))
    for numbers in (uniform, normal):
        assert len(np.unique(numbers)) == numbers.size
        by_copy = numbers[:, :, 0].T
        assert np.abs(np.corrcoef(by_copy) - np.eye(COPIES)).max() < 0.2
    other = np.array([uniform for uniform, _ in draws(CopyStreams(8, range(COPIES)), STEPS)])
    assert not np.intersect1d(other, uniform).size


@pytest.mark.parametrize("rounds", [0, 1, STEPS, STEPS + 3])
def test_streams_go_on_where_their_state_was_taken(rounds):
    streams = CopyStreams(7, range(COPIES))
    draws(streams, rounds)
    state = streams.state()
    expected = draws(streams, STEPS)
    restored = CopyStreams(1, range(COPIES))
    draws(restored, 5)
    restored.restore(state)
    for mine, theirs in zip(draws(restored, STEPS), expected, strict=True):
        assert all(map(np.array_equal, mine, theirs))


def test_a_number_of_copies_that_is_not_theirs_is_refused():
    with pytest.raises(ValueError, match="5 copies, expected 6"):
        CopyStreams(7, range(COPIES)).random((5, 1))


def test_starts_differ_by_seed_copy_and_episode():
    numbers = {start_of(*which).random() for which in [(7, 0, 0), (8, 0, 0), (7, 1, 0), (7, 0, 1), (7, 1, 1)]}
    assert len(numbers) == 5
    assert start_of(7, 1, 1).random() in numbers
