"""An episode recorded for its GIF."""

from itertools import pairwise
from types import SimpleNamespace

import numpy as np
import pytest
from sagemaker_rl.coach.recording import MAX_FRAMES, Recording, RenderError, do_without_gifs, render


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


def test_one_frame_too_many_and_every_second_one_goes():
    """Of steps 0, 5, 10 … so many are kept that they are at most MAX_FRAMES, and the last is not far from the end."""
    recording = Recording()
    for step in range(5 * MAX_FRAMES):
        if recording.count_step():
            recording.append(np.full((2, 3, 3), (step // 5) % 256, dtype=np.uint8))
    assert [int(frame[0, 0, 0]) for frame in recording] == list(range(MAX_FRAMES))
    assert recording.count_step()
    recording.append(np.full((2, 3, 3), MAX_FRAMES, dtype=np.uint8))
    assert [int(frame[0, 0, 0]) for frame in recording] == list(range(0, MAX_FRAMES + 1, 2))
    assert [recording.count_step() for _ in range(15)] == [*[False] * 4, True, *[False] * 9, True]
    recording.append(None)
    assert len(recording) == MAX_FRAMES // 2 + 1


@pytest.mark.parametrize(
    ("picture", "given"),
    [
        (np.zeros((2, 3, 3), dtype=np.float32), "gives float32 (2, 3, 3)"),
        (np.zeros((2, 3), dtype=np.uint8), "gives uint8 (2, 3)"),
        (np.zeros((2, 3, 4), dtype=np.uint8), "gives uint8 (2, 3, 4)"),
        (np.zeros((0, 3, 3), dtype=np.uint8), "gives uint8 (0, 3, 3)"),
        (None, "gives None"),
        ([[1]], "gives a list"),
        (ValueError("no screen"), "raises ValueError: no screen"),
        (NotImplementedError(), "raises NotImplementedError"),
    ],
)
def test_what_is_no_picture(picture, given):
    def draw(mode):
        if isinstance(picture, Exception):
            raise picture
        return picture

    with pytest.raises(RenderError) as error:
        render(SimpleNamespace(render=draw), "mine:Env")
    ending = "" if isinstance(picture, Exception) else ", expected a uint8 array (height, width, 3)"
    assert str(error.value) == f"render() of mine:Env {given}{ending}"


def test_a_picture_is_asked_for_as_an_array():
    picture = np.arange(18, dtype=np.uint8).reshape(2, 3, 3)
    shown = render(SimpleNamespace(render=lambda mode: {"rgb_array": picture}[mode]), "mine:Env")
    assert np.array_equal(shown, picture)


def test_without_gifs_neither_kind_is_recorded(capsys):
    visualization = SimpleNamespace(dump_gifs=True, dump_mp4=True)
    do_without_gifs(visualization, "no screen")
    assert (visualization.dump_gifs, visualization.dump_mp4) == (False, False)
    assert capsys.readouterr().out == "GIFs> GIFs=none, Reason=no screen\n"


def test_frames_that_are_drawn_later_are_as_small():
    recording = Recording()
    recording.append(lambda: np.zeros((400, 600, 3), dtype=np.uint8))
    assert [picture.shape for picture in recording.draw()] == [(200, 300, 3)]
