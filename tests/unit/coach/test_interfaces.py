"""Environments of every interface of gym and gymnasium, played as one of gym 0.25 is."""

import gym
import gymnasium
import numpy as np
import pytest
from sagemaker_rl.coach.environments import AgentEnv, CheckedEnv
from sagemaker_rl.coach.interfaces import as_gym_space, draws
from sagemaker_rl.coach.recording import RenderError, render

BOX = {"low": -1.0, "high": 1.0, "shape": (2,), "dtype": np.float32}
ENDS_ITSELF, IS_CUT_OFF = 3, 5
"""Steps of an episode with the actions 1 and 0."""


class Base:
    """Random observations; action 1 ends an episode in its third step, action 0 has it cut off in its fifth."""

    def _begin(self):
        self.steps = 0
        return self.np_random.uniform(-1.0, 1.0, 2).astype(np.float32)

    def _step(self, action):
        assert self.action_space.contains(action)
        self.steps += 1
        observation = self.np_random.uniform(-1.0, 1.0, 2).astype(np.float32)
        return observation, 1.0, bool(action == 1 and self.steps == ENDS_ITSELF), self.steps == IS_CUT_OFF


class OfGym21(Base, gym.Env):
    observation_space = gym.spaces.Box(**BOX)
    action_space = gym.spaces.Discrete(2)

    def seed(self, seed=None):
        self.np_random = np.random.default_rng(seed)
        return [seed]

    def reset(self):
        return self._begin()

    def step(self, action):
        observation, reward, terminated, truncated = self._step(action)
        info = {"TimeLimit.truncated": not terminated} if truncated else {}
        return observation, reward, terminated or truncated, info

    def render(self, mode="human"):
        return np.zeros((4, 4, 3), np.uint8) if mode == "rgb_array" else None


class WithOptions(OfGym21):
    """Its ``reset`` takes anything, for its simulator perhaps: no seed is among it."""

    def reset(self, **options):
        assert not options
        return self._begin()


class OfToday(Base):
    metadata = {"render_modes": ["human", "rgb_array"]}

    def __init__(self, render_mode="rgb_array"):
        self.render_mode = render_mode

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        return self._begin(), {}

    def step(self, action):
        return *self._step(action), {}

    def render(self):
        return np.zeros((4, 4, 3), np.uint8) if self.render_mode == "rgb_array" else None


class OfGym26(OfToday, gym.Env):
    observation_space = gym.spaces.Box(**BOX)
    action_space = gym.spaces.Discrete(2)


class OfGymnasium(OfToday, gymnasium.Env):
    observation_space = gymnasium.spaces.Box(**BOX)
    action_space = gymnasium.spaces.Discrete(2)


class OfNoPackage(OfToday):
    """It has no base class, and its random numbers begin anew in every reset."""

    observation_space = gymnasium.spaces.Box(**BOX)
    action_space = gymnasium.spaces.Discrete(2)

    def reset(self, seed=None):
        self.np_random = np.random.default_rng(seed)
        return self._begin(), {}


class WithMode(OfGym26):
    """gym 0.26's interface, but ``render`` takes the mode as before."""

    def __init__(self):
        pass

    def render(self, mode="human"):
        return np.zeros((4, 4, 3), np.uint8) if mode == "rgb_array" else None


class NewStepOnly(OfGym26):
    """gym 0.25 with ``new_step_api``."""

    def reset(self, *, seed=None, return_info=False, options=None):
        return super().reset(seed=seed)[0]


class OldWrapper(gym.Wrapper):
    """As wrappers for gym 0.21 are: its methods take nothing."""

    def reset(self):
        return self.env.reset()

    def step(self, action):
        observation, reward, done, info = self.env.step(action)
        return observation, reward, done, info


def wrapped_by_gymnasium():
    env = gymnasium.wrappers.OrderEnforcing(gymnasium.wrappers.PassiveEnvChecker(OfGymnasium()))
    return gymnasium.wrappers.TimeLimit(env, 100)


MADE = {
    "gym 0.21": OfGym21,
    "gym 0.21, reset with options": WithOptions,
    "gym 0.21, wrapped": lambda: OldWrapper(OfGym21()),
    "gym 0.21, in gym 0.25's TimeLimit": lambda: gym.wrappers.TimeLimit(OfGym21(), 100),
    "gym 0.25, new_step_api": NewStepOnly,
    "gym 0.26": OfGym26,
    "gym 0.26, render(mode)": WithMode,
    "gym 0.26, in gym 0.25's TimeLimit": lambda: gym.wrappers.TimeLimit(OfGym26(), 100),
    "gymnasium": OfGymnasium,
    "gymnasium, wrapped": wrapped_by_gymnasium,
    "gymnasium, in gym 0.25's TimeLimit": lambda: gym.wrappers.TimeLimit(OfGymnasium(), 100),
    "neither": OfNoPackage,
}


def play(env, action) -> list:
    """Play an episode; return its steps."""
    env.reset()
    steps = [env.step(action)]
    while not steps[-1][2]:
        steps.append(env.step(action))
    return steps


@pytest.mark.parametrize("interface", MADE)
def test_an_episode_is_that_of_gym_25(interface):
    env = AgentEnv(MADE[interface](), "mine:Env")
    env.seed(0)
    itself, cut_off = play(env, 1), play(env, 0)
    assert [len(itself), len(cut_off)] == [ENDS_ITSELF, IS_CUT_OFF]
    assert all(len(step) == 4 for step in itself + cut_off)
    assert not any(step[3].get("TimeLimit.truncated") for step in itself + cut_off[:-1])
    assert cut_off[-1][3]["TimeLimit.truncated"] is True


@pytest.mark.parametrize("interface", MADE)
def test_a_seed_begins_the_random_numbers_anew(interface):
    first, second = (AgentEnv(MADE[interface](), "mine:Env") for _ in range(2))
    for env in (first, second):
        env.seed(7)
    starts = [env.reset().tolist() for env in (first, second)]
    assert starts[0] == starts[1]
    next_starts = [env.reset().tolist() for env in (first, second)]
    if interface != "neither":
        assert next_starts[0] == next_starts[1] != starts[0]
    first.seed(7)
    assert first.reset().tolist() == starts[0]
    second.seed(8)
    assert second.reset().tolist() != starts[0]


@pytest.mark.parametrize("interface", MADE)
def test_it_draws(interface):
    env = AgentEnv(MADE[interface](), "mine:Env")
    env.seed(0)
    env.reset()
    env.step(0)
    assert draws(env)
    assert render(env, "mine:Env").shape == (4, 4, 3)


def test_the_bases_do_not_draw():
    class Undrawn(gymnasium.Env):
        pass

    assert not draws(Undrawn())
    assert not draws(gym.Env())


def test_one_without_render_mode_draws_nothing():
    env = CheckedEnv(OfGymnasium(render_mode=None), "mine:Env")
    env.reset()
    with pytest.raises(RenderError, match="gives None"):
        render(env, "mine:Env")


def test_info_is_the_environments_own_and_stays_as_it_is():
    own = {"lives": 3}

    class Informs(OfGymnasium):
        def step(self, action):
            return *self._step(action), own

    env = AgentEnv(Informs(), "mine:Env")
    env.seed(0)
    assert [step[3] for step in play(env, 1)] == [own, own, {**own, "TimeLimit.truncated": False}]
    assert own == {"lives": 3}


def test_an_end_at_the_time_limit_is_an_end():
    class EndsThen(OfGymnasium):
        def step(self, action):
            return self.np_random.uniform(-1.0, 1.0, 2).astype(np.float32), 1.0, True, True, {}

    env = AgentEnv(EndsThen(), "mine:Env")
    env.seed(0)
    env.reset()
    assert env.step(0)[2:] == (True, {"TimeLimit.truncated": False})


@pytest.mark.parametrize("name", ["CartPole-v1", "Acrobot-v1", "MountainCar-v0", "Pendulum-v1"])
def test_the_same_environment_of_both_packages_plays_the_same(name):
    """gym 0.25's and gymnasium's classic control have the same dynamics."""
    episodes = []
    for package in (gym, gymnasium):
        env = AgentEnv(package.make(name), name)
        env.seed(3)
        env.reset()
        steps = [env.step(0 if "Pendulum" not in name else np.ones(1)) for _ in range(8)]
        episodes.append(np.array([np.append(observation, reward) for observation, reward, *_ in steps]))
    assert np.allclose(episodes[0], episodes[1], atol=1e-5)


@pytest.mark.parametrize(
    ("space", "expected"),
    [
        (gymnasium.spaces.Discrete(3), gym.spaces.Discrete(3)),
        (gymnasium.spaces.Discrete(3, start=-2), gym.spaces.Discrete(3, start=-2)),
        (gymnasium.spaces.Box(0.0, 2.0, (2, 3)), gym.spaces.Box(0.0, 2.0, (2, 3))),
        (gymnasium.spaces.Box(-np.inf, 2.0, (2,), np.float64), gym.spaces.Box(-np.inf, 2.0, (2,), np.float64)),
        (gymnasium.spaces.Box(0, 255, (4, 4, 3), np.uint8), gym.spaces.Box(0, 255, (4, 4, 3), np.uint8)),
        (
            gymnasium.spaces.Dict(a=gymnasium.spaces.Box(0.0, 1.0, (2,)), b=gymnasium.spaces.Discrete(2)),
            gym.spaces.Dict(a=gym.spaces.Box(0.0, 1.0, (2,)), b=gym.spaces.Discrete(2)),
        ),
    ],
    ids=str,
)
def test_spaces_of_gymnasium_become_gyms(space, expected):
    made = as_gym_space(space)
    assert made == expected
    assert type(made) is type(expected)


def test_unbounded_integers_stay_unbounded():
    made = as_gym_space(gymnasium.spaces.Box(-np.inf, np.inf, (2,), np.int32))
    assert not made.is_bounded()


@pytest.mark.parametrize(
    "space",
    [gymnasium.spaces.MultiBinary(2), gymnasium.spaces.Dict(a=gymnasium.spaces.Text(3)), gym.spaces.Discrete(2), None],
    ids=str,
)
def test_other_spaces_stay_as_they_are(space):
    assert as_gym_space(space) is space
