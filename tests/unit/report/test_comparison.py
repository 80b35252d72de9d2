"""The table that compares several runs."""

import shutil

from job_folders import make_trial, render_text
from sagemaker_rl.report.trial import FILE as TRIAL_FILE


def test_several_runs_are_compared(folder):
    other = folder.parent / "another-job"
    shutil.copytree(folder, other)
    job = other / "output/intermediate/job.json"
    job.write_text(job.read_text().replace('"value": 0.9', '"value": 0.8'))
    make_trial(mean_return=98.0).save(other / "output/data" / TRIAL_FILE)
    text = render_text(folder, other)
    assert "2 runs compared" in text
    row = text[text.index("The runs No. Run Status") :]
    assert "1 a-job Completed" in row
    assert "2 another-job Completed a-preset 3 0.8 1,000 4.0 250 40.00 98.00 97.40" in row
    assert "a-job Completed a-preset 3 0.9 1,000 4.0 250 40.00 99.20 98.60" in row
    assert "at first, at its best, at the end: run 1: 10.00, 40.00, 30.25; run 2: 10.00" in text
    learning = text[text.index("Did it learn?", text.index("The runs")) : text.index("What does it do where?", 900)]
    assert "a-job" not in learning.replace("as a table", "")
