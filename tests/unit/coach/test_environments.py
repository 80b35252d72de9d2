"""What an environment gives is looked at."""

import numpy as np
import patient_envs
import pytest
from sagemaker_rl.coach.environments import check_steps
from sagemaker_rl.errors import InputError


class Gives:
    def __init__(self, observation, reward) -> None:
        self.result = (np.array(observation), reward, False, {})

    def step(self, action):
        return self.result


@pytest.mark.parametrize(
    ("observation", "reward", "sentence"),
    [
        ([0.0], float("nan"), "Environment mine:Env gave the reward nan in its step 2, expected a number."),
        ([0.0], float("-inf"), "Environment mine:Env gave the reward -inf in its step 2"),
        ([1.0, float("inf")], 0.0, "gave the observation [1.0, inf] in its step 2, expected finite numbers."),
    ],
)
def test_what_is_not_finite_is_named(observation, reward, sentence):
    env = Gives([0.0], 1.0)
    check_steps(env, "mine:Env")
    env.step(0)
    env.result = (np.array(observation), reward, False, {})
    with pytest.raises(InputError) as error:
        env.step(0)
    assert sentence in str(error.value)


def test_a_car_steps_as_before():
    checked, plain = check_steps(patient_envs.PatientMountainCar(), "car"), patient_envs.PatientMountainCar()
    for env in (checked, plain):
        env.seed(0)
        env.reset()
    assert [tuple(checked.step(2)[0]) for _ in range(5)] == [tuple(plain.step(2)[0]) for _ in range(5)]
