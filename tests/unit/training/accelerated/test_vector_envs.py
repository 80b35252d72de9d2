"""Batches of environments against gym's own, bit for bit."""

import functools

import gym
import numpy as np
import pytest
from gym.envs.classic_control import Continuous_MountainCarEnv, MountainCarEnv
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from patient_envs import PatientContinuousMountainCar, PatientMountainCar
from sagemaker_rl.coach.environments import AgentEnv, CheckedEnv
from sagemaker_rl.training.accelerated.evaluator import Evaluator
from sagemaker_rl.training.accelerated.vector_envs import Instances, make_vector_env

CARS = 8


def gym_cars(continuous: bool, position: np.ndarray, velocity: np.ndarray) -> list:
    cars = [(Continuous_MountainCarEnv if continuous else MountainCarEnv)() for _ in range(CARS)]
    for car, *state in zip(cars, position, velocity, strict=True):
        car.reset(seed=0)
        car.state = np.array(state) if continuous else tuple(state)
    return cars


@settings(max_examples=25, deadline=None, derandomize=True, phases=[Phase.generate])
@given(continuous=st.booleans(), seed=st.integers(0, 2**32 - 1), from_float32=st.booleans(), bias=st.floats(-1, 1))
def test_trajectories_equal_gyms_bit_for_bit(continuous, seed, from_float32, bias):
    random = np.random.default_rng(seed)
    position = random.uniform(-1.2, 0.6, CARS)
    velocity = random.uniform(-0.07, 0.07, CARS)
    if from_float32:
        position, velocity = (x.astype(np.float32).astype(np.float64) for x in (position, velocity))
    batch = make_vector_env(PatientContinuousMountainCar if continuous else PatientMountainCar, CARS, seed)
    batch.reset()
    batch.position[:], batch.velocity[:] = position, velocity
    cars = gym_cars(continuous, position, velocity)
    running = np.ones(CARS, dtype=bool)
    for _ in range(120):
        actions = np.clip(random.normal(bias, 1, (CARS, 1)), -1, 1) if continuous else random.integers(0, 3, CARS)
        reached, following, rewards, ended, _ = batch.step(actions)
        for index in np.flatnonzero(running):
            observation, reward, terminated, _, _ = cars[index].step(actions[index])
            assert np.array_equal(reached[index], np.asarray(observation, dtype=np.float32))
            assert reward == rewards[index]
            assert terminated == ended[index]
            if not terminated:  # else the next episode has begun
                assert tuple(map(float, cars[index].state)) == (batch.position[index], batch.velocity[index])
        running &= ~ended
        assert np.array_equal(reached[~ended], following[~ended])
        assert (following[ended, 1] == 0).all()
        assert ((following[ended, 0] >= -0.6) & (following[ended, 0] <= -0.4)).all()


@pytest.mark.parametrize("make", [PatientMountainCar, PatientContinuousMountainCar])
def test_the_time_limit_ends_episodes(make):
    batch = make_vector_env(make, 3, seed=0)
    batch.reset()
    batch.steps[:] = 9_500, 9_600, 9_500
    idle = np.ones(3, dtype=np.int64) if make is PatientMountainCar else np.zeros((3, 1))
    ends = {index: [] for index in range(3)}
    for number in range(9_501, 10_001):
        step = batch.step(idle)
        assert np.array_equal(step.truncated, step.dones)
        for index in np.flatnonzero(step.dones):
            ends[index].append(number)
    assert ends == {0: [10_000], 1: [9_900], 2: [10_000]}


@pytest.mark.parametrize("on_arrays", [True, False])
def test_an_episode_is_truncated_by_its_time_limit_alone(on_arrays):
    """In the last step of their patience: at the flag, on the way, at the flag; and a fourth that has time left."""
    cars = [PatientMountainCar() for _ in range(4)]
    cars_left = iter(cars)
    batch = (
        make_vector_env(PatientMountainCar, 4, seed=0) if on_arrays else Instances(lambda: next(cars_left), 4, seed=0)
    )
    batch.reset()
    positions, velocities, steps = np.array([0.49, 0.3, 0.47, 0.49]), np.full(4, 0.05), [9_999, 9_999, 9_999, 5_000]
    if on_arrays:
        batch.position[:], batch.velocity[:], batch.steps[:] = positions, velocities, steps
    for car, position, velocity, elapsed in zip(cars, positions, velocities, steps, strict=True):
        car.unwrapped.state, car._elapsed_steps = (position, velocity), elapsed
    step = batch.step(np.full(4, 2))
    assert step.dones.tolist() == [True, True, True, True]
    assert step.truncated.tolist() == [False, True, False, False]
    assert step.final_observations[:, 0] == pytest.approx(positions + 0.05, abs=0.01)
    assert (step.observations[:, 1] == 0).all()


def test_a_seed_gives_the_same_starts():
    first, again, other = (make_vector_env(PatientMountainCar, 5, seed).reset() for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
    assert len(np.unique(first[:, 0])) == 5


class Countdown:
    """A tiny environment that is no car: ends after as many steps as its seed says."""

    def seed(self, seed):
        self.length = seed

    def reset(self):
        self.left = self.length
        return np.array([self.left])

    def step(self, action):
        self.left -= 1
        return np.array([self.left]), float(action), self.left == 0, {}


def test_any_other_environment_becomes_a_batch_of_instances():
    batch = make_vector_env(Countdown, 3, seed=2)  # of 2, 3 and 4 steps
    assert batch.reset().tolist() == [[2], [3], [4]]
    assert batch.reset().dtype == np.float32
    batch.step(np.arange(3))
    reached, following, rewards, ended, _ = batch.step(np.arange(3))
    assert reached.tolist() == [[0], [1], [2]]
    assert following.tolist() == [[2], [1], [2]]
    assert rewards.tolist() == [0, 1, 2]
    assert ended.tolist() == [True, False, False]


class Counts(gym.Env):
    """Ends when it has got the last of its actions, which begin at 5."""

    observation_space = gym.spaces.Box(0, 9, shape=(1,))
    action_space = gym.spaces.Discrete(3, start=5)

    def reset(self):
        return np.zeros(1)

    def step(self, action):
        assert self.action_space.contains(action)
        return np.array([action]), float(action), action == 7, {}


def test_instances_translate_the_agents_actions():
    batch = make_vector_env(lambda: AgentEnv(Counts(), "mine:Counts"), 3, seed=None)
    batch.reset()
    reached, _, rewards, ended, _ = batch.step(np.arange(3))
    assert reached.tolist() == [[5], [6], [7]]
    assert rewards.tolist() == [5, 6, 7]
    assert ended.tolist() == [False, False, True]
    assert [batch.own_action(action) for action in (0, 2)] == [5, 7]
    own = make_vector_env(lambda: CheckedEnv(Counts(), "mine:Counts"), 3, seed=None)
    own.reset()
    assert own.step(np.array([5, 6, 7])).rewards.tolist() == [5, 6, 7]
    assert own.own_action(6) == 6


def test_a_checked_car_is_stepped_on_arrays_too():
    batch = make_vector_env(lambda: AgentEnv(PatientMountainCar(), "car"), 2, seed=0)
    plain = make_vector_env(PatientMountainCar, 2, seed=0)
    assert type(batch) is type(plain)
    assert np.array_equal(batch.reset(), plain.reset())
    assert batch.patience == plain.patience == 10_000


def test_pictures_that_cannot_be_drawn_are_no_end_of_an_evaluation():
    evaluator = Evaluator(
        functools.partial(make_vector_env, lambda: AgentEnv(Counts(), "mine:Counts")),
        0,
        lambda size, _: lambda states: np.full(size, 2),
        int,
    )
    played = evaluator.play(2, record=True)
    assert played.returns == [7.0, 7.0]
    assert played.recording is None
    assert played.no_pictures == "render() of mine:Counts raises NotImplementedError"


def test_a_car_is_drawn_where_it_was_when_it_was_looked_at():
    batch = make_vector_env(PatientContinuousMountainCar, 3, seed=0)
    batch.reset()
    batch.position[:] = -1.0, -0.5, 0.4
    first, second = batch.view(0), batch.view(2)
    batch.position[:] = 0.0
    left, right = first(), second()
    assert left.shape == right.shape
    assert left.dtype == np.uint8
    assert (left != right).any()
    assert (first() == left).all()
    differing = np.argwhere((left != right).any(axis=(0, 2)))
    assert differing.min() < left.shape[1] / 3 < 2 * left.shape[1] / 3 < differing.max()
    action = np.array([0.3])
    assert batch.own_action(action) is action


def test_a_seed_restarts_the_start_states():
    batch = make_vector_env(PatientMountainCar, 3, seed=4)
    first = batch.reset()
    assert not np.array_equal(batch.reset(), first)
    batch.seed(4)
    assert np.array_equal(batch.reset(), first)
    assert ((first[:, 0] > -0.6) & (first[:, 0] < -0.4) & (first[:, 1] == 0)).all()
    instances = make_vector_env(Countdown, 2, seed=None)
    instances.seed(5)
    assert instances.reset().tolist() == [[5], [6]]


@pytest.mark.parametrize("make", [PatientMountainCar, PatientContinuousMountainCar])
def test_a_cars_starts_do_not_depend_on_the_cars_beside_it(make):
    few, many = (make_vector_env(make, number, seed=4) for number in (2, 5))
    assert np.array_equal(few.reset(), many.reset()[:2])
    many.begin_episodes(np.array([False, False, True, True, False]), many._observe())
    assert np.array_equal(few.reset(), many.reset()[:2])
