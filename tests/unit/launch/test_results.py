"""The files of a job that has been fetched."""

from launch.sagemaker import results


def test_the_latest_gif(tmp_path):
    gifs = tmp_path / "gifs"
    gifs.mkdir()
    names = [
        "2026-11-22-17-05-00_episode-9_score-1.gif",
        "2026-11-22-17-06-00_episode-10_score-1.gif",
        "2026-11-22-17-08-00_episode-10_score-3.gif",
        "2026-11-22-17-07-00_episode-10_score-2.gif",
    ]
    for name in names:
        (gifs / name).touch()
    assert results.latest_gif(tmp_path).name == names[2]
