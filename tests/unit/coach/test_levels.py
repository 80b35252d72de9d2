"""What a preset's level names: classes, functions and registered ids."""

import sys
from types import ModuleType

import gym
import gymnasium
import numpy as np
import pytest
from gym.envs.classic_control import CartPoleEnv
from gymnasium.envs.classic_control import CartPoleEnv as CartPoleOfGymnasium
from sagemaker_rl.coach.levels import is_path, make_environment
from sagemaker_rl.errors import InputError


class Draws(gymnasium.Env):
    metadata = {"render_modes": ["rgb_array"]}
    observation_space = gymnasium.spaces.Box(-1.0, 1.0, shape=(2,))
    action_space = gymnasium.spaces.Discrete(2)

    def __init__(self, size=1, render_mode=None):
        self.size = size
        self.render_mode = render_mode


class PassesOn(Draws):
    def __init__(self, **options):
        super().__init__(**options)


class DrawsText(Draws):
    metadata = {"render_modes": ["ansi"]}


class DrawsByMode(gym.Env):
    metadata = {"render.modes": ["rgb_array"]}
    render_mode = None

    def __init__(self, **options):
        assert not options


def make(size=1):
    return Draws(size)


@pytest.fixture(autouse=True)
def module(monkeypatch):
    """The module ``mine``, whose ids are registered when it is imported."""
    mine = ModuleType("mine")
    for member in (Draws, PassesOn, DrawsText, DrawsByMode, make):
        setattr(mine, member.__name__, member)
    monkeypatch.setitem(sys.modules, "mine", mine)
    monkeypatch.setattr(gymnasium.envs.registration, "registry", dict(gymnasium.registry))
    monkeypatch.setattr(gymnasium, "registry", gymnasium.envs.registration.registry)
    gymnasium.register("mine/Draws-v3", entry_point="mine:Draws", max_episode_steps=7, kwargs={"size": 4})
    gymnasium.register("Unversioned", entry_point=Draws)


@pytest.mark.parametrize(
    ("level", "base", "limit"),
    [
        ("CartPole-v0", CartPoleEnv, 200),
        ("CartPole-v1", CartPoleEnv, 500),
        ("gym:CartPole-v1", CartPoleEnv, 500),
        ("gymnasium:CartPole-v1", CartPoleOfGymnasium, 500),
        ("mine/Draws-v3", Draws, 7),
        ("mine:mine/Draws-v3", Draws, 7),
        ("Unversioned", Draws, None),
        ("mine:Unversioned", Draws, None),
        ("mine:Draws", Draws, None),
        ("mine:make", Draws, None),
        ("gym.envs.classic_control:CartPoleEnv", CartPoleEnv, None),
    ],
)
def test_what_a_level_names(level, base, limit):
    env = make_environment(level, {}, pictures=False)
    assert type(env.unwrapped) is base
    assert getattr(env, "_max_episode_steps", None) == limit
    assert env.unwrapped.render_mode is None


def test_a_class_by_the_path_of_its_module_is_known_as_such():
    assert [is_path(level) for level in ("a.b:Class", "/a/b.py:Class")] == [True, True]
    others = ("a:Class", "CartPole-v1", "ns/Grid-v0", "a:ns/Grid-v0", "a.b:Grid-v0")
    assert not any(is_path(level) for level in others)


@pytest.mark.parametrize(
    ("level", "parameters", "mode"),
    [
        ("mine:Draws", {}, "rgb_array"),
        ("mine:Draws", {"render_mode": "human"}, "human"),
        ("mine:PassesOn", {}, "rgb_array"),
        ("mine:DrawsText", {}, None),
        ("mine:DrawsByMode", {}, None),
        ("mine:make", {}, None),
        ("mine/Draws-v3", {}, "rgb_array"),
        ("gymnasium:CartPole-v1", {}, "rgb_array"),
        ("CartPole-v1", {}, None),  # gym 0.25 draws with render(mode="rgb_array")
    ],
)
def test_what_will_be_drawn_is_told_so_when_it_is_made(level, parameters, mode):
    assert make_environment(level, parameters, pictures=True).unwrapped.render_mode == mode


def test_parameters_are_the_environments_or_the_packages():
    assert make_environment("mine:Draws", {"size": 3}, pictures=False).size == 3
    env = make_environment("mine/Draws-v3", {"size": 5, "max_episode_steps": 2}, pictures=True)
    assert (env.unwrapped.size, env._max_episode_steps) == (5, 2)


@pytest.mark.parametrize(
    ("level", "parameters", "sentence"),
    [
        ("CartPole-v9", {}, "is not registered with gym or gymnasium, did you mean 'CartPole-v1'?"),
        ("mine/Drows-v3", {}, "is not registered with gym or gymnasium, did you mean 'mine/Draws-v3'?"),
        ("mine:Drows-v3", {}, "is not registered with gym or gymnasium, expected an id of theirs, or module:Class."),
        ("QQQQ-v0", {}, "is not registered with gym or gymnasium, expected an id of theirs, or module:Class."),
        ("nowhere:Grid-v0", {}, "cannot be imported: there is no module 'nowhere'."),
        ("nowhere:Grid", {}, "cannot be imported: there is no module 'nowhere'."),
        ("mine:Drows", {}, "cannot be imported: mine has no Drows, did you mean 'Draws'?"),
        ("/nowhere/grid.py:Grid", {}, "cannot be imported: there is no file /nowhere/grid.py."),
        (
            "mine:Draws",
            {"siz": 3},
            "cannot be made with the additional_simulator_parameters {'siz': 3}: got an unexpected keyword argument "
            "'siz'.",
        ),
        (
            "CartPole-v1",
            {"siz": 3},
            "cannot be made with the additional_simulator_parameters {'siz': 3}: got an unexpected keyword argument "
            "'siz'.",
        ),
        ("LunarLander-v2", {}, "cannot be made: box2D is not installed, run `pip install gym[box2d]`."),
    ],
)
def test_what_cannot_be_made_is_said_in_one_sentence(level, parameters, sentence):
    for pictures in (False, True):
        with pytest.raises(InputError) as error:
            make_environment(level, parameters, pictures)
        assert str(error.value) == f"Environment {level} {sentence}"


def test_an_environment_is_made_without_the_packages_own_checker():
    """It would say the same again, as warnings and tracebacks."""
    env = make_environment("gymnasium:CartPole-v1", {}, pictures=False)
    layers = []
    while hasattr(env, "env"):
        layers.append(type(env).__name__)
        env = env.env
    assert layers == ["TimeLimit", "OrderEnforcing"]
    assert np.isfinite(make_environment("CartPole-v1", {}, pictures=False).reset()).all()
