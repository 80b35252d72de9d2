"""What a trial counts of its episodes, and the map that it draws of a policy."""

import itertools
import math
import sys
from types import SimpleNamespace

import numpy as np
import patient_envs
import pytest
from graphs import CORRIDOR, make_graph
from jobs import DQN, PPO
from sagemaker_rl.coach.environments import CheckedEnv, environment_maker
from sagemaker_rl.errors import InputError
from sagemaker_rl.job import introduction
from sagemaker_rl.job.ml_paths import MLPaths
from sagemaker_rl.job.stopping import STOP
from sagemaker_rl.policy.artifact import Policy, Space
from sagemaker_rl.report.trial import FILE, Trial
from sagemaker_rl.training import trial


class Counters:
    """Three environments whose episodes have 1, 3 and 2 steps; each step's reward is its number, also after the end."""

    num_envs = 3
    lengths = np.array([1, 3, 2])

    def __init__(self) -> None:
        self.taken = 0
        self.actions: list[list[int]] = []

    def observe(self) -> np.ndarray:
        return np.array([[10 * index + self.taken] for index in range(3)], dtype=np.float32)

    def reset(self) -> np.ndarray:
        return self.observe()

    def step(self, actions):
        self.actions.append(actions.tolist())
        self.taken += 1
        dones = self.lengths == self.taken
        return SimpleNamespace(observations=self.observe(), rewards=np.full(3, float(self.taken)), dones=dones)


POLICY = SimpleNamespace(
    filters=SimpleNamespace(begin=lambda seen: seen + 100, follow=lambda asked, seen: asked + 1000 * seen),
    actions=lambda asked: asked[:, 0].astype(int),
)
"""Acts by what its filters have made of the observations so far."""


def test_an_episode_counts_until_its_end():
    envs, checks = Counters(), []
    episodes = trial._play_batch(POLICY, envs, 2, lambda: False, lambda: checks.append(envs.taken))
    assert episodes is not None
    assert episodes.starts.tolist() == [[0], [10], [20]]
    assert episodes.returns.tolist() == [1, 1 + 2 + 3, 1 + 2]
    assert episodes.lengths.tolist() == [1, 3, 2]
    assert checks == [0, 1, 2]
    assert envs.actions == [[100, 110, 120], [1100, 11110, 21120], [3100, 23110, 43120]]
    assert [path.tolist() for path in episodes.paths] == [
        [[0, 0, 100]],
        [[0, 10, 110], [1, 11, 11110], [2, 12, 23110]],
    ]


@pytest.mark.parametrize(("deadline", "taken"), [(4.0, 3), (2.0, 3), (1.5, 2), (-1.0, 0)])
def test_episodes_end_when_their_time_is_up(deadline, taken):
    envs = Counters()
    episodes = trial._play_batch(POLICY, envs, 0, lambda: envs.taken > deadline, lambda: None)
    assert (envs.taken, episodes is not None) == (taken, taken == 3)


@pytest.fixture
def corridor(tmp_path):
    """Return a graph manager, paths, and what a test may set: what a step does besides."""
    graph_manager = make_graph(tmp_path, CORRIDOR)
    paths = MLPaths(tmp_path)
    for folder in (paths.output_data, paths.intermediate):
        folder.mkdir(parents=True)
    introduction.introduce(paths)
    return graph_manager, paths


def reason_of(paths) -> str:
    """Return why there was no trial."""
    assert not (paths.output_data / FILE).exists()
    text = (paths.intermediate / "job.json").read_text()
    return text.partition("was not put on trial: ")[2].partition('"')[0]


def test_the_trial_of_a_whole_job(corridor, monkeypatch):
    graph_manager, paths = corridor
    played, play = [], trial.play
    monkeypatch.setattr(trial, "play", lambda *given: played.append(given) or play(*given))
    trial.put_on_trial(graph_manager, paths, 0.0)
    ((_, make, *others),) = played
    assert type(make()) is CheckedEnv  # which takes its own actions
    assert others == [20_201_122, 20.0, STOP.check]
    result = Trial.load(paths.output_data / FILE)
    assert (result.starts.shape, result.returns.shape) == ((100, 1), (100,))
    assert [path.shape for path in result.paths] == [(result.lengths[index], 3) for index in range(3)]
    assert (result.policy_map, result.no_map) == (
        None,
        "an observation has the shape [1], and a map has two dimensions",
    )
    assert "no_trial" not in (paths.intermediate / "job.json").read_text()


def test_an_environment_that_has_written_files_is_not_played(corridor):
    graph_manager, paths = corridor
    graph_manager.environments[0].written_files = ["a.csv"]
    trial.put_on_trial(graph_manager, paths, 0.0)
    assert reason_of(paths) == "the environment writes files (a.csv), which several copies of it would share."


def test_an_environment_that_writes_in_a_trial_is_played_no_further(corridor, tmp_path, monkeypatch):
    graph_manager, paths = corridor

    class Writing(sys.modules["corridor"].Corridor):
        def step(self, action):
            if self.steps == 2:
                (tmp_path / "trace.csv").write_text("of a trial")
            return super().step(action)

    monkeypatch.setattr(sys.modules["corridor"], "Corridor", Writing)
    trial.put_on_trial(graph_manager, paths, 0.0)
    assert reason_of(paths).startswith(f"the environment writes files ({tmp_path / 'trace.csv'})")


def test_a_job_that_was_stopped_is_not_put_on_trial(corridor, monkeypatch):
    graph_manager, paths = corridor
    monkeypatch.setattr(STOP, "_received", "SIGTERM")
    monkeypatch.setattr(trial.export, "export_policy", lambda *given: pytest.fail("exported"))
    trial.put_on_trial(graph_manager, paths, 0.0)
    assert reason_of(paths) == "the job was stopped."


def test_cars_are_played_all_at_once(tmp_path, dqn_model, monkeypatch):
    """What other programs take of the machine is none of their time."""
    make = environment_maker(make_graph(tmp_path, DQN), own_actions=True)
    with pytest.raises(InputError, match=r"^100 episodes take more than -1 s$"):
        trial.play(Policy.load(dqn_model), make, 3, -1.0, lambda: None)
    monkeypatch.setattr(patient_envs, "PATIENCE", 50)
    ages = itertools.count(0, 1000)  # a thousand seconds pass between two looks at the wall clock
    clocks = {"monotonic": ages.__next__, "process_time": lambda: 0.0}
    monkeypatch.setattr(trial, "time", SimpleNamespace(**clocks))
    assert len(trial.play(Policy.load(dqn_model), make, 3, 1.0, lambda: None).returns) == 100


@pytest.mark.parametrize(("preset", "head"), [(PPO, "state_value"), (DQN, "q_values")])
def test_a_map_asks_the_policy_at_each_node(ppo_model, dqn_model, preset, head):
    policy = Policy.load(ppo_model if preset == PPO else dqn_model)
    drawn, reason = trial._map_policy(policy, [])
    assert drawn is not None
    assert reason == ""
    space = policy.observation_space
    assert [axis.shape for axis in drawn.axes] == [(81,), (81,)]
    assert [(axis[0], axis[-1]) for axis in drawn.axes] == list(zip(space.low, space.high, strict=True))
    nodes = [(0, 80), (80, 0), (13, 57), (40, 2)]
    states = np.array([[drawn.axes[0][i], drawn.axes[1][j]] for i, j in nodes])
    heads = policy.heads(states)
    values = heads[policy.head_names.index(head)]
    values = values[:, 0] if preset == PPO else values.max(axis=1)
    assert drawn.values is not None
    assert [drawn.values[node] for node in nodes] == pytest.approx(values.tolist(), rel=1e-5)
    assert [drawn.actions[node] for node in nodes] == pytest.approx(policy.actions(states).ravel().tolist(), rel=1e-5)
    assert drawn.actions.dtype == (np.float32 if preset == PPO else np.int64)


def stand_in(**members) -> SimpleNamespace:
    """Return what answers as a policy of two numbers with one head of none of the known names."""
    box = Space("box", (2,), (-1.0, -2.0), (1.0, 2.0))
    answers = {"heads": lambda states: [states], "actions_of": lambda heads: heads[0][:, 1:], "head_names": ["other"]}
    return SimpleNamespace(**{"observation_space": box, "action_space": Space("box", (1,)), **answers, **members})


def test_whole_numbers_are_drawn_as_amounts_and_a_value_is_not_made_up():
    policy = stand_in(actions_of=lambda heads: np.arange(81 * 81))
    drawn, _ = trial._map_policy(policy, [])
    assert drawn is not None
    assert (drawn.actions.dtype, drawn.actions[1, 0], drawn.values) == (np.float32, 81, None)


@pytest.mark.parametrize(
    ("members", "reason"),
    [
        ({"observation_space": Space("box", (3,))}, "an observation has the shape [3], and a map has two dimensions"),
        ({"observation_space": Space("discrete", (), n=2)}, "an observation has the shape [], and a map has two "),
        ({"action_space": Space("box", (2,))}, "an action has the shape [2], and a map shows one number"),
        ({"action_space": Space("box", (1, 1))}, "an action has the shape [1, 1], and a map shows one number"),
    ],
)
def test_what_is_not_drawn_as_a_map(members, reason):
    drawn, said = trial._map_policy(stand_in(**members), [])
    assert drawn is None
    assert said.startswith(reason)


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (-1.0, 3.0, (-1.0, 3.0)),
        (-999_999.0, 999_999.0, (-999_999.0, 999_999.0)),
        (-1e6, 0.0, (-4.0, 8.0)),
        (0.0, 1e6, (-4.0, 8.0)),
        (-math.inf, 1.0, (-4.0, 8.0)),
        (1.0, 3.4e38, (-4.0, 8.0)),
    ],
)
def test_an_axis_without_bounds_is_as_long_as_the_paths(low, high, expected):
    """Each has a step, two numbers of the observation, and an action; a tenth is added at both ends."""
    paths = [np.array([[50, 90, -3, 70], [51, 91, 2, 71]]), np.array([[60, 92, 7, -80], [61, 93, 0, 99]])]
    space = Space("box", (2,), (5.0, low), (6.0, high))
    assert trial._extent(space, 1, paths) == pytest.approx(expected)


def test_an_axis_along_which_nothing_moved():
    space = Space("box", (2,), (-math.inf, 0.0), (math.inf, 1.0))
    assert trial._extent(space, 0, [np.array([[0, 3, 9, 9], [1, 3, 9, 9]])]) == pytest.approx((2.9, 3.1))
