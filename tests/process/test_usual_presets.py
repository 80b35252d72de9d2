"""What presets of AWS's Coach projects have that this project's have not, on the fast path."""

import re

from own_environments import train_own

PRESET = {
    "parallel_environments": "4",
    "rl.heatup_steps:EnvironmentEpisodes": "3",
    "rl.improve_steps:TrainingSteps": "400",
    "rl.steps_between_evaluation_periods:EnvironmentEpisodes": "10",
    "rl.evaluation_steps:EnvironmentSteps": "50",
    "rl.env_params.frame_skip": "5",
    "rl.visualization_parameters.dump_gifs": "1",  # with Coach's filters: a new maximum in an evaluation
}
MEMBERS = """
    frameskip = 1

    def render(self, mode="rgb_array"):
        return np.zeros((20, 20, 3), np.uint8)
"""


def test_a_preset_of_other_units_frame_skip_and_filters_takes_the_fast_path(tmp_path):
    job = train_own(tmp_path, PRESET, "dqn", reward="float(self.frameskip)", members=MEMBERS)
    assert job.status == 0, job.log
    assert "Path> Path=accelerated, Environments=4" in job.log
    assert "Improve steps=400," in job.log  # of which Coach counts one in each environment step
    evaluations = re.findall(r"^Evaluation> Evaluation reward=([\d.]+), Episode=(\d+), Steps=(\d+)", job.log, re.M)
    # Four copies end their episodes of 20 steps together: 4 in heatup, then 12 for each 10 episodes of a period.
    assert evaluations == [("100", "16", "240"), ("100", "28", "480")]
    assert len(re.findall(r"^Testing> .*Total reward=100.0", job.log, re.M)) == 2 * 3  # of 20 steps: at least 50
    assert [file.name for file in (tmp_path / "output/data/checkpoint").glob("*_Step-*.online")] == [
        "1_Step-480.ckpt.main_level.agent.main.online"
    ]
    assert "GIFs> GIFs=the first episode of an evaluation, where the video filters keep it" in job.log
    assert len(list((tmp_path / "output").rglob("*.gif"))) == 1  # the second evaluation was no better
