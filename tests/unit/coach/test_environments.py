"""What an environment gives is looked at, and its actions are its own."""

from types import SimpleNamespace

import gym
import numpy as np
import patient_envs
import pytest
from gym.spaces import Box, Discrete
from sagemaker_rl.coach.environments import LONG_EPISODE, AgentEnv, CheckedEnv, EpisodeWatch, dimensions_of
from sagemaker_rl.coach.spaces import VECTOR_OR_PICTURE
from sagemaker_rl.errors import InputError


class Gives(gym.Env):
    """Gives ``result`` in every step; remembers the actions."""

    observation_space = Box(-np.inf, np.inf, shape=(2,))
    action_space = Discrete(3, start=4)

    def __init__(self, observation=(0.0, 0.0), reward=1.0, done=False, info=None) -> None:
        self.result = (np.array(observation), reward, done, {} if info is None else info)
        self.taken = []

    def reset(self):
        self.step(6)  # as some environments do: this is the environment's own step
        return self.result[0]

    def step(self, action):
        self.taken.append(action)
        return self.result


@pytest.mark.parametrize(
    ("observation", "reward", "sentence"),
    [
        ([0.0, 0.0], float("nan"), "Environment mine:Env gave the reward nan in its step 2, expected a number."),
        ([0.0, 0.0], float("-inf"), "Environment mine:Env gave the reward -inf in its step 2"),
        ([0.0, 0.0], "much", "gave the reward much in its step 2, expected a number."),
        ([0.0, 0.0], np.zeros(2), "gave the reward [0. 0.] in its step 2, expected a number."),
        ([1.0, float("inf")], 0.0, "gave the observation [1.0, inf] in its step 2, expected finite numbers."),
        ([1.0], 0.0, "gave an observation of the shape (1,) in its step 2, expected (2,)."),
        (["a", "b"], 0.0, "gave the observation ['a' 'b'] in its step 2, expected an array of the shape (2,)."),
    ],
)
def test_what_is_no_number_is_named(observation, reward, sentence):
    env = Gives()
    checked = CheckedEnv(env, "mine:Env")
    checked.reset()
    checked.step(4)
    env.result = (np.array(observation), reward, False, {})
    with pytest.raises(InputError) as error:
        checked.step(4)
    assert sentence in str(error.value)


@pytest.mark.parametrize(
    ("first", "sentence"),
    [
        (
            (np.zeros(2), {}, 0),
            "gave a tuple (ndarray, dict, int) as observation in reset(), expected an array of the shape (2,), "
            "or in reset() the pair (observation, info).",
        ),
        (
            (np.zeros(2), None),
            "gave a tuple (ndarray, NoneType) as observation in reset(), expected an array of the shape (2,), "
            "or in reset() the pair (observation, info).",
        ),
        ((np.full(2, np.nan), {}), "gave the observation [nan, nan] in reset(), expected finite numbers."),
    ],
)
def test_what_reset_gives_is_looked_at(first, sentence):
    env = Gives()
    env.reset = lambda: first
    with pytest.raises(InputError) as error:
        CheckedEnv(env, "mine:Env").reset()
    assert str(error.value) == f"Environment mine:Env {sentence}"


@pytest.mark.parametrize(
    ("result", "sentence"),
    [
        (("yes", False, {}), "terminated as yes in its step 1, expected True or False."),
        ((False, None, {}), "truncated as None in its step 1, expected True or False."),
        ((True, True, None), "the info None in its step 1, expected a dictionary."),
    ],
)
def test_the_five_values_of_a_step_are_looked_at(result, sentence):
    env = Gives()
    env.step = lambda action: (np.zeros(2), 0.0, *result)
    with pytest.raises(InputError) as error:
        CheckedEnv(env, "mine:Env").step(4)
    assert str(error.value) == f"Environment mine:Env gave {sentence}"


@pytest.mark.parametrize(
    ("reward", "done"), [(1, 0), (np.float32(1), np.bool_(False)), (np.ones(1), np.zeros(1)), (True, False)]
)
def test_numbers_may_be_of_any_type(reward, done):
    result = CheckedEnv(Gives(reward=reward, done=done), "mine:Env").step(4)
    assert (result[1], result[2]) == (1.0, False)
    assert type(result[1]) is float


def test_observations_may_be_lists_and_are_copies():
    env = Gives()
    env.result = ([1, 2], 0.0, False, {})
    assert CheckedEnv(env, "mine:Env").step(4)[0].tolist() == [1.0, 2.0]
    env = Gives()
    checked = CheckedEnv(env, "mine:Env")
    observation = checked.reset()
    env.result[0][:] = 7
    assert observation.tolist() == [0.0, 0.0]


def test_an_agents_actions_become_the_environments_own_and_its_own_stay():
    env = Gives()
    checked = AgentEnv(env, "mine:Env")
    assert checked.action_space == Discrete(3)
    checked.reset()
    checked.step(np.int64(0))
    checked.step(2)
    assert env.taken == [6, 4, 6]


def test_attributes_are_the_environments():
    env = Gives()
    checked = AgentEnv(env, "mine:Env")
    assert checked.unwrapped is env
    assert checked.taken is env.taken
    assert not hasattr(checked, "no_such_attribute")


def test_an_episode_that_does_not_end_is_said_once_for_all_copies(capsys):
    watch = EpisodeWatch("mine:Env")
    copies = [CheckedEnv(Gives(), "mine:Env", watch=watch) for _ in range(2)]
    for env in copies:
        for _ in range(7):
            env.step(4)
        env.reset()  # the steps of one episode count
        for _ in range(LONG_EPISODE - 1):
            env.step(4)
    assert capsys.readouterr().out == ""
    sentence = "Reason=the episode has not ended; gym.wrappers.TimeLimit would end it"
    for env in copies:
        env.step(4)
    assert capsys.readouterr().out.splitlines() == [f"Endless> Environment=mine:Env, Steps=10000, {sentence}"]
    for _ in range(LONG_EPISODE - 1):
        copies[0].step(4)
    assert capsys.readouterr().out == ""
    copies[0].step(4)  # twice as many
    copies[1].step(4)
    assert capsys.readouterr().out.splitlines() == [f"Endless> Environment=mine:Env, Steps=20000, {sentence}"]


def test_an_episode_that_ends_in_its_last_step_is_not_endless(capsys):
    env = Gives()
    checked = CheckedEnv(env, "mine:Env")
    for _ in range(LONG_EPISODE - 1):
        checked.step(4)
    env.result = (np.zeros(2), 0.0, True, {})
    checked.step(4)
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("name", "dimensions"), [(None, VECTOR_OR_PICTURE), ("Tensor", None), ("Image", {2, 3}), ("Vector", {1})]
)
def test_the_dimensions_of_coachs_types(name, dimensions):
    kind = name and SimpleNamespace(name=name)
    assert dimensions_of(kind) == dimensions


@pytest.mark.parametrize("member", ["reset", "step", "action_space", "observation_space"])
def test_what_an_environment_must_have(member):
    members = {name: getattr(Gives(), name) for name in ("reset", "step", "action_space", "observation_space")}
    del members[member]
    with pytest.raises(InputError) as error:
        CheckedEnv(SimpleNamespace(**members), "mine:Env")
    assert str(error.value) == (
        f"Environment mine:Env is of the type SimpleNamespace without {member}, "
        "expected an environment of gym or gymnasium."
    )


def test_a_car_steps_as_before():
    checked, plain = CheckedEnv(patient_envs.PatientMountainCar(), "car"), patient_envs.PatientMountainCar()
    for env in (checked, plain):
        env.seed(0)
        env.reset()
    assert [tuple(checked.step(2)[0]) for _ in range(5)] == [tuple(plain.step(2)[0]) for _ in range(5)]
