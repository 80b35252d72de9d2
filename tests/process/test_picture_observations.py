"""A preset whose observations are pictures trains on what the image holds."""

import re
import shutil

from jobs import ROOT, run_training


def test_pictures_are_rescaled_made_grey_and_stacked(tmp_path):
    shutil.copytree(ROOT / "tests/resources/picture_environment", tmp_path / "code")
    job = run_training(tmp_path, {"RLCOACH_PRESET": "preset-tiles", "save_model": "0", "seed": "1"})
    assert job.status == 0, job.log
    (reward,) = re.findall(r"^Evaluation> Evaluation reward=(\S+),", job.log, re.MULTILINE)
    assert 0 <= float(reward) <= 20
    assert list((tmp_path / "output/data/checkpoint").glob("*.online"))
