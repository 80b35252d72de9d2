"""Environments that write files: what is in them comes from one copy, as with stock Coach."""

import csv

from jobs import run_training
from own_environments import train_own, write_project

WRITES = """
    episode = 0

    def close_episode(self):
        if self.steps == 20:
            with open({file!r}, "a") as file:
                file.write(f"{{id(self)}},{{self.episode}},{{self.steps}}\\n")
        self.episode += self.steps > 0
        self.steps = 0
        return np.zeros(1, dtype=np.float32)

    def reset(self, **options):
        return self.close_episode()
"""
"""A row for each whole episode, at the next one's beginning: an absolute path in the output folder."""
EVALUATIONS = {"improve_steps": "1000", "evaluation_freq_env_steps": "500"}


def rows(file):
    with file.open() as stream:
        return [tuple(int(number) for number in row) for row in csv.reader(stream)]


def test_the_rows_of_a_training_are_one_copys(tmp_path):
    file = tmp_path / "output/intermediate/episodes.csv"
    job = train_own(tmp_path, EVALUATIONS, members=WRITES.format(file=str(file)))
    assert job.status == 0, job.log
    reason = f"the environment writes files ({file}), which several copies of it would share"
    assert f"Path> Path=stock Coach, Reason={reason}" in job.log
    copies, episodes, steps = zip(*rows(file), strict=True)
    assert len(set(copies)) == 1
    assert list(episodes) == sorted(set(episodes))  # in their order, none twice
    assert len(episodes) >= 50  # of 20 steps
    assert set(steps) == {20}
    report = (tmp_path / "output/data/report.html").read_text()
    assert f"The finished policy was not put on trial: {reason}." in report
