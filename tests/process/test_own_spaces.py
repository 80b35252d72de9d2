"""Every space of gym as an observation and as an action: it trains, or one sentence says why not."""

import json

import httpx
import numpy as np
import pytest
from jobs import free_port, start_server, wait_until_healthy
from own_environments import actions_taken, assert_refused, train_own
from sagemaker_rl.policy.artifact import Policy

OWN = "Environment own:Own has the"
VECTOR = "expected a Box of one or three dimensions, or a Dict of them."
REFUSED = {
    "a tuple of actions": (
        {"action_space": "Tuple((Discrete(2), Discrete(3)))"},
        f"{OWN} action space Tuple(Discrete(2), Discrete(3)), expected Box or Discrete.",
    ),
    "actions of no dimension": (
        {"action_space": "Box(-1.0, 1.0, shape=(), dtype=np.float32)"},
        f"{OWN} action space Box(-1.0, 1.0, (), float32), expected a Box of one dimension or more, none of them empty.",
    ),
    "a Q head for a Box": (
        {"action_space": "Box(-1.0, 1.0, shape=(1,), dtype=np.float32)", "preset": "dqn"},
        f"{OWN} action space Box(-1.0, 1.0, (1,), float32), expected Discrete for a QHead.",
    ),
    "a discrete observation, of gymnasium's registry": (
        {"level": "gymnasium:FrozenLake-v1"},
        "Environment gymnasium:FrozenLake-v1 has the observation space Discrete(16), " + VECTOR,
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_space_that_cannot_be_trained(tmp_path, case):
    expressions, sentence = REFUSED[case]
    accelerate = str(len(case) % 2)  # the check is the same on both paths
    assert_refused(train_own(tmp_path, {"accelerate": accelerate}, **expressions), sentence)


@pytest.mark.parametrize(
    ("preset", "accelerate", "start"), [("dqn", "1", 1), ("dqn", "0", 1), ("ppo", "1", -1), ("ppo", "0", -1)]
)
def test_discrete_actions_begin_where_the_space_begins(tmp_path, preset, accelerate, start):
    render = "\n    def render(self, mode='rgb_array'):\n        return np.zeros((20, 20, 3), np.uint8)"
    space = f"Discrete(3, start={start})"
    job = train_own(tmp_path, {"accelerate": accelerate}, preset, action_space=space, target="0", members=render)
    assert job.status == 0, job.log
    assert {action for (action,) in actions_taken(job)} == {start, start + 1, start + 2}
    description = json.loads((tmp_path / "model/policy.json").read_text())
    assert description["action_space"] == {"type": "discrete", "n": 3, "start": start}
    policy = Policy.load(tmp_path / "model")
    (best,) = policy.actions(np.zeros((1, 1), dtype=np.float32))
    index = policy.heads(np.zeros((1, 1), dtype=np.float32))[policy.head_names.index(description["action_head"])]
    assert best == start + index.argmax()
    with np.load(tmp_path / "output/data/trial.npz") as trial:
        assert set(trial["path0"][:, -1]) <= {start, start + 1, start + 2}
    for trace in (tmp_path / "output/intermediate/gifs").glob("*.csv"):
        rows = trace.read_text().splitlines()[1:]
        assert {int(row.split(",")[-1]) for row in rows} <= {start, start + 1, start + 2}


def endpoint_actions(ml, observations: list) -> list:
    """Return the actions that the endpoint of a job's model answers."""
    port = free_port()
    server = start_server(ml, port)
    try:
        wait_until_healthy(f"http://127.0.0.1:{port}", lambda: server.poll() is None)
        answer = httpx.post(
            f"http://127.0.0.1:{port}/invocations",
            json=observations,
            headers={"X-Amzn-SageMaker-Custom-Attributes": "output=actions"},
        )
        assert answer.status_code == 200, answer.text
        return list(answer.json())
    finally:
        server.terminate()
        server.communicate(timeout=30)


def test_the_best_action_is_learnt_and_served(tmp_path):
    job = train_own(
        tmp_path,
        {"improve_steps": "8000", "evaluation_freq_env_steps": "2000"},
        action_space="Discrete(3, start=5)",
        target="6",
    )
    assert job.status == 0, job.log
    assert job.metadata()["evaluation_reward"] == 0
    assert endpoint_actions(tmp_path, [[0.0], [0.5]]) == [6, 6]


@pytest.mark.parametrize("accelerate", ["1", "0"])
@pytest.mark.parametrize(
    ("space", "entry"),
    [
        ("Box(-1.0, 1.0, shape=(2, 2), dtype=np.float32)", {"shape": [2, 2], "low": [-1.0] * 4, "high": [1.0] * 4}),
        ("Box(0.0, 100.0, shape=(1,), dtype=np.float32)", {"shape": [1], "low": [0.0], "high": [100.0]}),
        ("Box(-1.0, 1.0, shape=(2,), dtype=np.float64)", {"shape": [2], "low": [-1.0] * 2, "high": [1.0] * 2}),
        ("Box(0, 10, shape=(1,), dtype=np.int32)", {"shape": [1], "low": [0.0], "high": [10.0], "integer": True}),
        (
            "Box(0, 255, shape=(2,), dtype=np.uint8)",
            {"shape": [2], "low": [0.0] * 2, "high": [255.0] * 2, "integer": True},
        ),
    ],
)
def test_continuous_actions_are_contained_in_the_space(tmp_path, accelerate, space, entry):
    job = train_own(tmp_path, {"accelerate": accelerate}, action_space=space)
    assert job.status == 0, job.log  # the environment asserts that its space contains each action
    assert f"Path={'accelerated' if accelerate == '1' else 'stock Coach'}" in job.log
    actions = np.array(actions_taken(job))
    assert len(np.unique(actions[:, 0])) >= 3
    if actions.shape[1] == 4:
        assert not np.array_equal(actions[:, :2], actions[:, 2:])
    description = json.loads((tmp_path / "model/policy.json").read_text())
    assert description["action_space"] == {"type": "box", **entry}
    answers = Policy.load(tmp_path / "model").actions(np.zeros((3, 1), dtype=np.float32))
    assert answers.shape == (3, *entry["shape"])
    assert answers.dtype.kind == ("i" if "integer" in entry else "f")
    assert (tmp_path / "output/data/trial.npz").is_file()


def test_each_number_of_a_two_dimensional_action_is_learnt_and_served(tmp_path):
    job = train_own(
        tmp_path,
        {"improve_steps": "30000", "evaluation_freq_env_steps": "5000"},
        action_space="Box(-1.0, 1.0, shape=(2, 2), dtype=np.float32)",
        target="np.array([[0.5, -0.5], [0.2, -0.3]])",
    )
    assert job.status == 0, job.log
    (action,) = endpoint_actions(tmp_path, [[0.0]])
    assert np.allclose(action, [[0.5, -0.5], [0.2, -0.3]], atol=0.25)


@pytest.mark.parametrize("accelerate", ["1", "0"])
def test_three_dimensional_observations_train(tmp_path, accelerate):
    job = train_own(
        tmp_path,
        {"accelerate": accelerate},
        observation_space="Box(0, 9, shape=(6, 5, 4), dtype=np.float32)",
        observation="np.full((6, 5, 4), self.steps % 9, np.float32)",
    )
    assert job.status == 0, job.log
    assert Policy.load(tmp_path / "model").observation_space.shape == (6, 5, 4)


EMBEDDERS = """
from rl_coach.architectures.embedder_parameters import InputEmbedderParameters
agent_params.network_wrappers["main"].input_embedders_parameters = {
    "board": InputEmbedderParameters(), "position": InputEmbedderParameters()
}
"""
BOARD = {
    "observation_space": "Dict(board=Box(0, 1, shape=(4,)), position=Box(0, 9, shape=(2,), dtype=np.int64))",
    "observation": "{'board': np.eye(4, dtype=np.float32)[self.steps % 4], 'position': np.array([self.steps % 9, 1])}",
}


def test_dictionaries_train_on_stock_coach(tmp_path):
    job = train_own(tmp_path, {"save_model": "0"}, EMBEDDERS, **BOARD)
    assert job.status == 0, job.log
    assert "Path=stock Coach" in job.log
    assert job.metadata()["environment_steps"] >= 1000


def test_dictionaries_have_no_artifact(tmp_path):
    reason = "the network's inputs are ['board', 'position'], expected only 'observation'."
    job = train_own(tmp_path, {"save_model": "1"}, EMBEDDERS, **BOARD)
    assert_refused(job, f"Hyperparameter save_model is 1, but {reason}")


def test_each_entry_of_a_dictionary_is_checked(tmp_path):
    step = "{'board': np.full(4, np.nan), 'position': np.zeros(2)}, 1.0, False, {}"
    job = train_own(tmp_path, {"save_model": "0"}, EMBEDDERS, step=step, **BOARD)
    sentence = "gave the observation 'board' [nan, nan, nan, nan] in its step 1, expected finite numbers."
    assert_refused(job, f"Environment own:Own {sentence}")


@pytest.mark.parametrize("accelerate", ["1", "0"])
def test_a_dictionary_of_one_observation_is_that_observation(tmp_path, accelerate):
    job = train_own(
        tmp_path,
        {"accelerate": accelerate},
        observation_space="Dict(observation=Box(0, 1, shape=(4,), dtype=np.float32))",
        observation="{'observation': np.zeros(4, np.float32)}",
    )
    assert job.status == 0, job.log
    assert f"Path={'accelerated' if accelerate == '1' else 'stock Coach'}" in job.log
    assert Policy.load(tmp_path / "model").observation_space.shape == (4,)
    assert (tmp_path / "output/data/trial.npz").is_file()
