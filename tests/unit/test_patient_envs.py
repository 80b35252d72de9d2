"""The environments: gym's own dynamics and rewards, with 10,000 steps of patience."""

import numpy as np
import pytest
from gym.envs.classic_control import Continuous_MountainCarEnv, MountainCarEnv
from patient_envs import PatientContinuousMountainCar, PatientMountainCar


@pytest.mark.parametrize("make", [PatientMountainCar, PatientContinuousMountainCar])
def test_patience_ends_after_ten_thousand_steps(make):
    car = make()
    car.reset(seed=0)
    idle = 1 if make is PatientMountainCar else np.zeros(1, dtype=np.float32)
    for step in range(1, 10_001):
        _, _, done, info = car.step(idle)
        assert done == (step == 10_000)
    assert info["TimeLimit.truncated"]


@pytest.mark.parametrize(
    ("make", "gym_class"),
    [(PatientMountainCar, MountainCarEnv), (PatientContinuousMountainCar, Continuous_MountainCarEnv)],
)
def test_a_step_is_gyms_own(make, gym_class):
    ours, gyms = make(), gym_class()
    assert np.array_equal(ours.reset(seed=3), gyms.reset(seed=3))
    ours.action_space.seed(3)
    for _ in range(500):
        action = ours.action_space.sample()
        observation, reward, done, _ = ours.step(action)
        expected, expected_reward, expected_done, *_ = gyms.step(action)
        assert np.array_equal(observation, expected)
        assert (reward, done) == (expected_reward, expected_done)


def test_discrete_reward_is_minus_one_per_step():
    car = PatientMountainCar()
    car.reset(seed=0)
    assert {car.step(action)[1] for action in (0, 1, 2) * 5} == {-1.0}


def test_continuous_reward_is_a_hundred_at_the_flag_minus_the_squared_pushes():
    car = PatientContinuousMountainCar()
    observation = car.reset(seed=0)
    total, pushes, done = 0.0, 0.0, False
    while not done:
        push = np.array([0.5 if observation[1] >= 0 else -0.5], dtype=np.float32)
        observation, reward, done, info = car.step(push)
        total += reward
        pushes += float(push[0]) ** 2
    assert not info.get("TimeLimit.truncated")
    assert total == pytest.approx(100 - 0.1 * pushes)
