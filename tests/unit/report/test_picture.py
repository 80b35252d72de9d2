"""The animation of an episode, and the words beside it."""

import base64
import io

import pytest
from job_folders import change_job, set_environment
from PIL import Image
from sagemaker_rl.report import picture
from sagemaker_rl.report.picture import load_picture
from sagemaker_rl.report.run import Run

AT_THAT_TIME = " It shows the policy of that time of the training; the one that is kept may be another."


@pytest.fixture
def gif(folder):
    (gif,) = (folder / "output/intermediate/gifs").glob("*.gif")
    first, second = Image.new("RGB", (30, 20), "red"), Image.new("RGB", (30, 20), "blue")
    first.save(gif, save_all=True, append_images=[second, first])
    return gif


def decoded(url: str, kind: str) -> bytes:
    begin, _, content = url.partition(",")
    assert begin == f"data:image/{kind};base64"
    return base64.b64decode(content)


def test_it_is_the_animation_and_its_first_frame(folder, gif):
    shown = load_picture(Run.read(folder))
    assert decoded(shown.moving, "gif") == gif.read_bytes()
    with Image.open(io.BytesIO(decoded(shown.still, "png"))) as still:
        assert still.size == (30, 20)
        assert still.convert("RGB").getpixel((3, 3)) == (255, 0, 0)
    assert shown.text == ("The car in an evaluation episode with the return 99.50, in 3 pictures." + AT_THAT_TIME)


@pytest.mark.parametrize(("beyond", "moves"), [(0, True), (1, False)])
def test_a_large_animation_does_not_move(folder, gif, monkeypatch, beyond, moves):
    monkeypatch.setattr(picture, "MAX_BYTES", gif.stat().st_size - beyond)
    run = Run.read(folder)
    shown = load_picture(run)
    assert (shown.moving != shown.still) is moves
    assert decoded(shown.still, "png")
    note = f"{gif.name} has {gif.stat().st_size:,} bytes: the page shows its first frame."
    assert run.notes == ([] if moves else [note])


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("2026_episode-40_score-1.5 (1).gif", " with the return 1.50, in 3 pictures."),
        ("x_episode-40_score--2e-05.gif", " with the return 0.00, in 3 pictures."),
        ("x_episode-40_score--1.2e+02.gif", " with the return -120.00, in 3 pictures."),
        ("x_episode-40_score-7.gif", " with the return 7.00, in 3 pictures."),
        ("x_episode-40_score-nan.gif", ", in 3 pictures."),
    ],
)
def test_the_return_is_in_the_files_name(folder, gif, name, sentence):
    gif.rename(gif.with_name(name))
    assert load_picture(Run.read(folder)).text == "The car in an evaluation episode" + sentence + AT_THAT_TIME


def test_of_an_evaluation_it_shows_the_policy_that_was_evaluated(folder, gif):
    change_job(folder, kind="evaluation")
    set_environment(folder, "own:Own")
    text = "The environment in an evaluation episode with the return 99.50, in 3 pictures."
    assert load_picture(Run.read(folder)).text == text


@pytest.mark.parametrize("content", [b"", b"GIF89a", b"something else", None])
def test_a_damaged_one_is_noted(folder, gif, content):
    if content is None:
        gif.unlink()
        gif.mkdir()
    else:
        gif.write_bytes(content)
    run = Run.read(folder)
    assert load_picture(run) is None
    (note,) = run.notes
    assert note.startswith(f"{gif.name} cannot be read: ")


def test_what_cannot_move_is_one_picture(folder, gif):
    Image.new("RGB", (30, 20), "red").save(gif, format="PPM")
    assert ", in 1 picture." in load_picture(Run.read(folder)).text


def test_there_may_be_none():
    run = Run("a")
    assert load_picture(run) is None
    assert run.notes == []
