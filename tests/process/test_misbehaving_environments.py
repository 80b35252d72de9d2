"""Environments that give what gym's do not: one sentence says what and where; a picture is worth no job."""

import pytest
from jobs import start_training
from own_environments import assert_refused, train_own, write_project

OWN = "Environment own:Own gave"
ZERO = "np.zeros(1, np.float32)"
OF_GYM = "expected an array of the shape (1,)"
VALUES = "expected 4 (observation, reward, done, info) or 5 (observation, reward, terminated, truncated, info)"
REFUSED = {
    "nan in reset": (
        {"reset": "np.array([np.nan], dtype=np.float32)"},
        f"{OWN} the observation [nan] in reset(), expected finite numbers.",
    ),
    "None in reset": ({"reset": "None"}, f"{OWN} the observation None in reset(), {OF_GYM}."),
    "a pair in reset and four values in step": (
        {"reset": f"({ZERO}, {{}})"},
        f"{OWN} 4 values in its step 1, but (observation, info) in reset(), expected 5 (observation, reward, "
        "terminated, truncated, info), or in reset() the observation alone.",
    ),
    "another shape in reset": (
        {"reset": "np.zeros((2, 1))"},
        f"{OWN} an observation of the shape (2, 1) in reset(), expected (1,).",
    ),
    "six values in step": (
        {"step": f"{ZERO}, 1.0, False, False, {{}}, 0"},
        f"{OWN} 6 values in its step 1, {VALUES}.",
    ),
    "None in step": ({"step": "None"}, f"{OWN} None in its step 1, {VALUES}."),
    "info None": ({"step": f"{ZERO}, 1.0, False, None"}, f"{OWN} the info None in its step 1, expected a dictionary."),
    "reward None": ({"step": f"{ZERO}, None, False, {{}}"}, f"{OWN} the reward None in its step 1, expected a number."),
    "done None": ({"step": f"{ZERO}, 1.0, None, {{}}"}, f"{OWN} done as None in its step 1, expected True or False."),
    "another class": (
        {"level": "own:Onw"},
        "Environment own:Onw cannot be imported: own has no Onw, did you mean 'Own'?",
    ),
    "another module": (
        {"level": "onw:Own"},
        "Environment onw:Own cannot be imported: there is no module 'onw'.",
    ),
    "no module that it needs": (
        {"members": "\nimport no_such_simulator"},
        "Environment own:Own cannot be imported: No module named 'no_such_simulator' in the source or in the image: "
        "name its package in requirements.txt, or install it in an image of your own (docs/environments.md).",
    ),
    "another id": (
        {"level": "CartPole-v7"},
        "Environment CartPole-v7 is not registered with gym or gymnasium, did you mean 'CartPole-v1'?",
    ),
    "no environment": (
        {"members": "\ndef make():\n    return None", "level": "own:make"},
        "Environment own:make is of the type NoneType without reset, expected an environment of gym or gymnasium.",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_an_environment_gives_is_looked_at_from_the_first_moment(tmp_path, case):
    expressions, sentence = REFUSED[case]
    accelerate = str(len(case) % 2)  # both paths begin with the environment of Coach's graph
    assert_refused(train_own(tmp_path, {"accelerate": accelerate}, **expressions), sentence)


NAN_IN_A_LATER_RESET = """
    resets = 0

    def next_start(self):
        Own.resets += 1
        return np.full(1, np.nan if Own.resets == 40 else 0.0, dtype=np.float32)
"""


@pytest.mark.parametrize("accelerate", ["1", "0"])
def test_a_later_reset_is_looked_at_too(tmp_path, accelerate):
    job = train_own(tmp_path, {"accelerate": accelerate}, reset="self.next_start()", members=NAN_IN_A_LATER_RESET)
    assert job.status == 1, job.log
    assert job.failure.strip() == f"{OWN} the observation [nan] in reset(), expected finite numbers."


PICTURE = "\n    def render(self, mode='rgb_array'):\n        {}"
NO_PICTURE = {
    "float": (PICTURE.format("return np.zeros((20, 20, 3))"), "gives float64 (20, 20, 3), expected a uint8 array"),
    "none": (PICTURE.format("return None"), "gives None, expected a uint8 array"),
    "list": (PICTURE.format("return [np.zeros((2, 2, 3), np.uint8)]"), "gives a list, expected a uint8 array"),
    "raises": (PICTURE.format("raise NotImplementedError"), "raises NotImplementedError"),
    "no mode": (
        "\n    def render(self):\n        return np.zeros((20, 20, 3), np.uint8)",
        "raises TypeError: Own.render() got an unexpected keyword argument 'mode'",
    ),
    "later": (
        PICTURE.format("return np.zeros((20, 20, 3), np.uint8) if self.steps < 9 else 1 / 0"),
        "raises ZeroDivisionError: division by zero",
    ),
}


ON_THE_FAST_PATH = ("list", "later")
"""The others are among the cases of ``test_handed_cases.py``."""


@pytest.mark.parametrize(
    ("case", "accelerate"), [*((case, "0") for case in NO_PICTURE), *((case, "1") for case in ON_THE_FAST_PATH)]
)
def test_training_goes_on_without_pictures(tmp_path, case, accelerate):
    members, reason = NO_PICTURE[case]
    job = train_own(
        tmp_path,
        {"accelerate": accelerate, "improve_steps": "2000", "evaluation_freq_env_steps": "500"},
        members=members,
    )
    assert job.status == 0, job.log
    lines = [line for line in job.log.splitlines() if line.startswith("GIFs>")]
    (line,) = lines  # once, however many evaluations follow
    assert line.startswith(f"GIFs> GIFs=none, Reason=render() of own:Own {reason}")
    assert job.log.count("Evaluation>") >= 3
    assert not list((tmp_path / "output").rglob("*.gif"))


def test_pictures_are_drawn_where_they_can_be(tmp_path):
    job = train_own(tmp_path, members=PICTURE.format("return np.zeros((20, 20, 3), np.uint8)"))
    assert job.status == 0, job.log
    assert list((tmp_path / "output").rglob("*.gif"))


@pytest.mark.parametrize("accelerate", ["1", "0"])
def test_an_episode_that_does_not_end_is_said_in_the_log(tmp_path, accelerate):
    write_project(tmp_path, step=f"{ZERO}, 1.0, False, {{}}")
    steps = {"improve_steps": "1000", "evaluation_freq_env_steps": "1000"}
    process = start_training(tmp_path, {"RLCOACH_PRESET": "preset-own", "accelerate": accelerate, **steps})
    expected = "Endless> Environment=own:Own, Steps=10000, Reason=the episode has not ended; gym.wrappers.TimeLimit"
    assert process.stdout is not None
    try:
        assert any(line.startswith(expected) for line in process.stdout)  # else the job would go on for ever
    finally:
        process.terminate()  # which it hands on to the job itself
        process.communicate(timeout=60)


ONE_ARRAY = """
    array = np.zeros(1, dtype=np.float32)

    def look(self):
        self.array[0] = np.sin(self.steps)
        return self.array
"""


def test_an_environment_may_give_the_same_array_each_time(tmp_path):
    """Coach stores observations: without a copy, all would be the last."""
    of_one_array = train_own(tmp_path / "one", {"accelerate": "0"}, "dqn", observation="self.look()", members=ONE_ARRAY)
    of_many = train_own(tmp_path / "many", {"accelerate": "0"}, "dqn")
    assert of_one_array.status == of_many.status == 0, of_one_array.log
    parameters = [(job.ml / "model/policy-0000.params").read_bytes() for job in (of_one_array, of_many)]
    assert parameters[0] == parameters[1]
