"""The animation of an episode, and the words beside it."""

from job_folders import render_text


def test_the_picture_is_of_its_time(folder):
    (gif,) = (folder / "output/intermediate/gifs").glob("*.gif")
    text = "The car in an evaluation episode with the return 99.50, in 1 picture. It shows the policy of that time"
    assert text in render_text(folder)
    gif.rename(gif.with_name("2026_episode-40_score-1.5 (1).gif"))
    assert "with the return 1.50, in 1 picture." in render_text(folder)
