"""How many episodes an evaluation plays, what it counts, and what it draws by chance."""

import functools

import gym
import numpy as np
import pytest
from sagemaker_rl.training.accelerated.evaluator import Evaluator
from sagemaker_rl.training.accelerated.vector_envs import make_vector_env


class Draws(gym.Env):
    """The k-th episode of a copy takes as many steps as its seed says, k more each; a step brings the action."""

    observation_space = gym.spaces.Box(-9, 9, shape=(2,))
    action_space = gym.spaces.Box(-1, 1, shape=(1,))
    steps = 0

    def __init__(self):
        self.first, self.episode = 0, 0

    def seed(self, seed=None):
        self.first, self.episode = seed % 10 + 1, 0

    def reset(self):
        self.left = self.first + self.episode
        self.episode += 1
        return np.array([self.left, 7.0])

    def step(self, action):
        self.left -= 1
        self.steps += 1
        assert self.steps < 1_000, "an episode that nobody ends"
        return np.array([self.left, 7.0]), float(action[0]), self.left == 0, {}

    def render(self, mode):
        return np.zeros((4, 6, 3), dtype=np.uint8)


def make(seed=20, act=lambda observations, random: np.ones((len(observations), 1)), check_stop=lambda: None):
    asked = []

    def policy(num_envs, random):
        asked.append(num_envs)
        return lambda observations: act(observations, random)

    return Evaluator(functools.partial(make_vector_env, Draws), seed, policy, check_stop), asked


def test_each_episode_is_played_to_its_end_and_no_further():
    stops = []
    evaluator, asked = make(check_stop=lambda: stops.append(1))
    played = evaluator.play(3)
    assert played.returns == [1.0, 2.0, 3.0]  # of so many steps
    assert all(type(value) is float for value in played.returns)
    assert (played.steps, len(stops), asked) == (6, 3, [3])
    assert played.recording is None
    assert played.no_pictures == ""


def test_the_start_states_go_on_unless_the_same_are_asked_for():
    evaluator, _ = make()
    assert evaluator.play(2).returns == [1.0, 2.0]
    assert evaluator.play(2).returns == [3.0, 4.0]  # each copy has begun an episode that nobody played
    assert evaluator.play(2, same_starts=True).returns == [1.0, 2.0]
    assert evaluator.play(1).returns == [1.0]  # another number begins anew
    assert evaluator.play(2).returns == [1.0, 2.0]


def test_noise_is_a_stream_of_its_own():
    def noisy(observations, random):
        return random.random((len(observations), 1))

    evaluator, _ = make(act=noisy)
    first, second, again = (evaluator.play(2, same_starts=same) for same in (False, True, True))
    assert first.returns == second.returns == again.returns
    assert evaluator.play(2).returns != first.returns
    evaluator.play(3)
    assert evaluator.play(2).returns == first.returns
    assert make(seed=30, act=noisy)[0].play(2).returns != first.returns  # the same lengths
    assert evaluator.play(5).returns[:2] == first.returns  # whatever is played beside them


def test_the_first_episode_is_recorded():
    evaluator, _ = make(seed=28, act=lambda observations, random: observations[:, :1] / 10)
    played = evaluator.play(2, record=True)  # of 9 and 10 steps
    recording = played.recording
    assert recording is not None
    assert len(recording) == 2  # the first and the sixth step
    assert [frame.shape for frame in recording] == [(4, 6, 3)] * 2
    points = recording.trace.points()
    assert points[:, 1].tolist() == list(range(9, 0, -1))
    assert points[:, 3] == pytest.approx(points[:, 1] / 10)
    assert evaluator.play(2, record=False).recording is None


@pytest.mark.parametrize("episodes", [1, 5])
def test_a_stop_is_noticed_in_the_first_step(episodes):
    def stop():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        make(check_stop=stop)[0].play(episodes)
