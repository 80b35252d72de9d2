"""An episode recorded for its GIF."""

from itertools import pairwise

import numpy as np
from sagemaker_rl.coach.recording import MAX_FRAMES, Recording


def test_frames_are_few_small_and_evenly_spaced():
    recording = Recording()
    for step in range(10_000):
        if recording.count_step():
            recording.append(np.full((400, 600, 3), step % 251, dtype=np.uint8))
    assert 0 < len(recording) <= MAX_FRAMES
    assert recording[0].shape == (200, 300, 3)
    assert recording[0][0, 0, 0] == 0
    shown = [int(frame[0, 0, 0]) for frame in recording]
    stride = (shown[1] - shown[0]) % 251
    assert all((later - earlier) % 251 == stride for earlier, later in pairwise(shown[:100]))


def test_frames_that_are_drawn_later_are_as_small():
    recording = Recording()
    recording.append(lambda: np.zeros((400, 600, 3), dtype=np.uint8))
    assert [picture.shape for picture in recording.draw()] == [(200, 300, 3)]
