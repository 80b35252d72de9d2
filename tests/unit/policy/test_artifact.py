"""The policy artifact: what is refused, in one sentence that names the file."""

import json
import os
import pickle
import shutil
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from sagemaker_rl.errors import PolicyError
from sagemaker_rl.policy import artifact as artifact_module
from sagemaker_rl.policy.artifact import Policy, Space, sha256


@pytest.fixture
def artifact(ppo_model, tmp_path):
    return shutil.copytree(ppo_model, tmp_path / "model")


def edit(artifact, **changes):
    file = artifact / "policy.json"
    description = json.loads(file.read_text())
    description.update(changes)
    file.write_text(json.dumps({key: value for key, value in description.items() if value is not ...}))


def box(shape=(2,), low=(0, 0), high=(1, 1)):
    return {"type": "box", "shape": list(shape), "low": list(low), "high": list(high)}


def refusal(artifact) -> str:
    """Load what cannot be loaded; return the one sentence that says why."""
    with pytest.raises(PolicyError) as error:
        Policy.load(artifact)
    sentence = str(error.value)
    assert sentence.endswith(".")
    assert len(sentence.splitlines()) == 1
    assert len(sentence) < 1000
    assert "Traceback" not in sentence
    return sentence


def test_a_batch_equals_its_rows(artifact):
    policy = Policy.load(artifact)
    observations = np.random.default_rng(0).uniform(-1, 1, size=(50, 2)).astype(np.float32)
    whole = policy.heads(observations)
    assert [head.shape for head in whole] == [(50, 1)] * 3
    for row in range(50):
        for head, single in zip(whole, policy.heads(observations[row : row + 1]), strict=True):
            assert np.allclose(head[row], single[0], atol=1e-6)


def test_mxnet_does_not_run_twice_at_once(artifact):
    policy = Policy.load(artifact)
    running, most = [], []

    def run_block(observations, block=policy._block):
        running.append(1)
        most.append(len(running))
        threading.Event().wait(0.002)
        outputs = block(observations)
        running.pop()
        return outputs

    policy._block = run_block
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(policy.heads, [np.full((1, 2), number / 8) for number in range(8)]))
    assert most == [1] * 8
    assert len({float(value[0, 0]) for value, *_ in answers}) == 8


def test_actions_stay_within_the_action_space(artifact):
    policy = Policy.load(artifact)
    actions = policy.actions(np.array([[100.0, 100.0], [-100.0, -100.0]], dtype=np.float32))
    assert actions.shape == (2, 1)
    assert np.abs(actions).max() <= 1


def test_policy_json_says_what_it_is(artifact):
    description = json.loads((artifact / "policy.json").read_text())
    assert description["algorithm"] == "ClippedPPO"
    assert description["environment"] == "patient_envs:PatientContinuousMountainCar"
    assert description["observation_space"]["low"] == pytest.approx([-1.2, -0.07])
    assert description["action_space"] == {"type": "box", "shape": [1], "low": [-1.0], "high": [1.0]}
    assert description["heads"] == ["state_value", "action_mean", "action_standard_deviation"]
    assert description["training"]["environment_steps"] == 24000
    assert description["versions"]["mxnet"] == "1.9.1"


def test_unbounded_spaces_survive_json():
    space = Space("box", (2,), (-np.inf, 0.0), (np.inf, 1.0))
    assert Space.from_json("observation_space", json.loads(json.dumps(space.to_json()))) == space


@pytest.mark.parametrize("name", ["policy.json", "policy-symbol.json", "policy-0000.params"])
def test_a_missing_file_is_named(artifact, name):
    (artifact / name).unlink()
    with pytest.raises(PolicyError, match=name.replace(".", r"\.")):
        Policy.load(artifact)


def discrete(n=3, **fields):
    return {"type": "discrete", "n": n, **fields}


@pytest.mark.parametrize(
    "data",
    [
        discrete(1),
        discrete(2),
        discrete(start=2**62),
        discrete(start=-(2**62)),
        box((1,), [0], [0]),
        box((2,), [0, -2], [0, -1.5]),
        box((1, 1), [-1e308], [1e308]),
        box((2,), [None, 1], [1, None]),
        {"type": "box", "shape": [2, 3], "low": -1, "high": None},
        {**box((2, 3), range(6), range(6, 12)), "integer": True},
    ],
)
def test_spaces_at_their_bounds(data):
    space = Space.from_json("action_space", data)
    assert Space.from_json("action_space", json.loads(json.dumps(space.to_json()))) == space


def test_each_number_of_a_box_has_its_own_bounds():
    space = Space.from_json("action_space", box((2, 1), [None, 1], [2, None]))
    assert (space.shape, space.low, space.high) == ((2, 1), (-np.inf, 1), (2, np.inf))
    space = Space.from_json("action_space", {"type": "box", "shape": [3, 1], "low": -1, "high": None, "integer": True})
    assert space == Space("box", (3, 1), (-1,) * 3, (np.inf,) * 3, integer=True)


@pytest.mark.parametrize(
    "data",
    [
        discrete(0),
        discrete(-1),
        discrete(1.0),
        discrete(start=2**62 + 1),
        discrete(start=-(2**62) - 1),
        discrete(start=True),
        {"type": "discrete"},
        box((), [], []),
        box((0,), [], []),
        box((2,), [0], [1, 1]),
        box((2,), [0, 0], [1, 1, 1]),
        box((2,), [0, 1], [1, 0]),
        box((2,), [1, 0], [0.999, 1]),
        {"type": "box", "shape": [2, 2], "low": 1, "high": 0},
        {"type": "sphere"},
        [],
        {},
    ],
)
def test_spaces_beyond_their_bounds(data):
    with pytest.raises(PolicyError) as refused:
        Space.from_json("action_space", data)
    assert str(refused.value).startswith("policy.json: action_space is ")
    assert str(refused.value).endswith(", expected a box or a discrete space.")


def test_a_box_has_as_many_numbers_as_fit(monkeypatch):
    monkeypatch.setattr(artifact_module, "MAX_NUMBERS", 6)
    assert Space.from_json("x", {"type": "box", "shape": [2, 3], "low": 0, "high": 1}).high == (1,) * 6
    with pytest.raises(PolicyError):
        Space.from_json("x", {"type": "box", "shape": [7], "low": 0, "high": 1})


@pytest.mark.parametrize(("numbers", "described"), [(64, [2.0] * 64), (65, 2.0)])
def test_many_bounds_that_are_alike_are_described_by_one(numbers, described):
    assert Space("box", (numbers,), (-1.0,) * numbers, (2.0,) * numbers).to_json()["high"] == described


@pytest.mark.parametrize(("more", "fits"), [(0, True), (1, False)])
def test_a_description_is_as_long_as_it_may_be(artifact, more, fits):
    file = artifact / "policy.json"
    text = file.read_text()
    file.write_text(text + " " * (1024 * 1024 + more - len(text.encode())))
    if fits:
        Policy.load(artifact)
    else:
        assert refusal(artifact) == f"{file} has 1048577 bytes, expected at most 1048576."


@pytest.mark.parametrize(
    "space",
    [
        Space("discrete", (), n=3),
        Space("discrete", (), n=3, start=-1),
        Space("box", (2, 2), (0.0,) * 4, (10.0,) * 4, integer=True),
        Space("box", (4, 210, 160, 3), (-np.inf,) * 403_200, (255.0,) * 403_200),
        Space("box", (65,), (0.0,) * 65, tuple(map(float, range(65)))),
    ],
)
def test_spaces_survive_json(space):
    assert Space.from_json("action_space", json.loads(json.dumps(space.to_json()))) == space


def test_a_picture_is_described_by_one_bound():
    space = Space("box", (10, 10), (0.0,) * 100, (np.inf,) * 100)
    assert space.to_json() == {"type": "box", "shape": [10, 10], "low": 0.0, "high": None}


def test_the_actions_are_the_environments_own(artifact):
    description = json.loads((artifact / "policy.json").read_text())
    block = None  # actions_of needs no graph

    def actions_of(space: dict, heads: dict[str, list]) -> np.ndarray:
        changed = {**description, "action_space": space, "heads": list(heads), "action_head": next(iter(heads))}
        return Policy(changed, block).actions_of([np.array(head, dtype=np.float32) for head in heads.values()])

    values = {"q_values": [[0.0, 2.0, 1.0], [5.0, 2.0, 1.0]]}
    assert actions_of({"type": "discrete", "n": 3}, values).tolist() == [1, 0]
    assert actions_of({"type": "discrete", "n": 3, "start": -1}, values).tolist() == [0, -1]
    means = {"action_mean": [[0.4, 0.6, -3.0, 99.0]]}
    whole = actions_of({**box((2, 2), [0] * 4, [10] * 4), "integer": True}, means)
    assert whole.tolist() == [[[0, 1], [0, 10]]]
    assert whole.dtype == np.int64
    assert actions_of(box((2, 2), [0] * 4, [10] * 4), means).dtype == np.float32


@pytest.mark.parametrize("name", ["policy-symbol.json", "policy-0000.params"])
def test_a_damaged_file_is_named(artifact, name):
    content = bytearray((artifact / name).read_bytes())
    content[len(content) // 2] ^= 0xFF
    (artifact / name).write_bytes(content)
    with pytest.raises(PolicyError, match=f"{name} is not the file"):
        Policy.load(artifact)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"schema_version": 99}, "schema_version is 99, expected 1 or 2"),
        ({"heads": []}, "heads is []"),
        ({"heads": ["action_mean", "state_value"]}, "expected one row for each"),
        ({"action_head": "x"}, "action_head is 'x'"),
        ({"schema_version": True}, "schema_version is True, expected 1 or 2"),
        ({"schema_version": 1.0}, "schema_version is 1.0, expected 1 or 2"),
        ({"heads": ["state_value", "state_value", "action_mean"]}, "expected each name once"),
        ({"heads": [["action_mean"]]}, "expected a list of names"),
        ({"action_head": ["action_mean"]}, "action_head is ['action_mean']"),
        ({"preset": ...}, "preset is None"),
        ({"preset": "two\nlines"}, "preset is 'two\\nlines'"),
        ({"observation_space": box((3,), [0] * 3, [1] * 3)}, "cannot be run: Error in operator broadcast_sub"),
        ({"observation_space": box((np.inf,))}, "observation_space is {"),
        ({"observation_space": box((10**400,))}, "observation_space is {"),
        ({"observation_space": box((2.0,))}, "observation_space is {"),
        ({"observation_space": box(low=(-(10**400), 0))}, "observation_space is {"),
        ({"observation_space": box(high=(np.inf, 1))}, "observation_space is {"),
        ({"observation_space": box(high=(True, 1))}, "observation_space is {"),
        ({"observation_space": box(high=("1", 1))}, "observation_space is {"),
        ({"action_space": box((1,), [np.nan], [1])}, "action_space is {"),
        ({"action_space": box((1,), [-1], [np.nan])}, "action_space is {"),
        ({"action_space": box((1,), [1], [-1])}, "action_space is {"),
        ({"action_space": {"type": "discrete", "n": True}}, "action_space is {"),
        ({"action_space": {"type": "discrete", "n": 3, "start": 1.0}}, "action_space is {"),
        ({"action_space": {"type": "discrete", "n": 3, "start": 2**63}}, "action_space is {"),
        ({"action_space": {**box((1,), [-1], [1]), "integer": 1}}, "action_space is {"),
        ({"observation_space": None}, "observation_space is None"),
        ({"observation_space": {"type": "discrete", "n": 5}}, "observation_space is discrete, expected a box"),
        ({"observation_space": {"type": "tuple", "spaces": []}}, "observation_space is {"),
        ({"observation_space": {"type": ["box"]}}, "observation_space is {"),
        (
            {"observation_space": {"type": "box", "shape": [2**13, 2**13], "low": 0, "high": 1}},
            "observation_space is {",
        ),
        (
            {"observation_filters": [{"type": "rgb_to_y"}]},
            "observation_filters cannot be applied to [2]: index 2 is out",
        ),
        (
            {"observation_filters": [{"type": "move_axis", "origin": 0, "target": 4}]},
            "cannot be applied to [2]: destina",
        ),
        ({"observation_filters": [{"type": "keep_parts", "indices": [0, 1, 0]}]}, "cannot be run: Error in operator"),
        ({"observation_filters": "blur"}, "observation_filters is 'blur'"),
        ({"action_space": {"type": "discrete", "n": 3}}, "has 1 units, expected 3"),
        ({"sha256": ...}, "sha256 is None"),
    ],
)
def test_a_description_that_does_not_fit_is_refused(artifact, changes, sentence):
    edit(artifact, **changes)
    assert sentence in refusal(artifact)


@pytest.mark.parametrize(
    "content",
    ["[" * 100_000, '{"a":' * 100_000, '{"n": ' + "9" * 5000 + "}", "{", ""],
    ids=["nested lists", "nested objects", "a number of 5000 digits", "half an object", "nothing"],
)
def test_a_description_that_is_not_json_is_refused(artifact, content):
    (artifact / "policy.json").write_text(content)
    assert "policy.json is not JSON: " in refusal(artifact)


@pytest.mark.parametrize("name", ["policy.json", "policy-symbol.json", "policy-0000.params"])
@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (os.mkdir, "is a folder, expected a file."),
        (os.mkfifo, "is a FIFO, expected a file."),  # to open it would wait for a writer
        (lambda path: socket.socket(socket.AF_UNIX).bind(str(path)), "is a socket, expected a file."),
        (lambda path: path.symlink_to("/dev/zero"), "is a device, expected a file."),
        (lambda path: path.symlink_to(path.name), "cannot be read: Too many levels of symbolic links."),
    ],
    ids=["folder", "FIFO", "socket", "device", "loop"],
)
def test_what_is_no_file_is_named(artifact, monkeypatch, name, make, reason):
    monkeypatch.chdir(artifact)  # a socket's path must be short
    Path(name).unlink()
    make(Path(name))
    assert refusal(Path()) == f"{name} {reason}"


@pytest.mark.parametrize("name", ["policy.json", "policy-symbol.json", "policy-0000.params"])
def test_a_link_out_of_the_folder_is_not_followed(artifact, name, tmp_path):
    elsewhere = (artifact / name).rename(tmp_path / name)
    (artifact / name).symlink_to(elsewhere)
    assert refusal(artifact) == f"{artifact / name} is a link to {elsewhere}, expected a file in the artifact's folder."


def test_a_huge_description_is_not_read(artifact):
    with (artifact / "policy.json").open("a") as file:
        file.truncate(10**12)
    assert refusal(artifact) == f"{artifact / 'policy.json'} has 1000000000000 bytes, expected at most 1048576."


@pytest.mark.parametrize("place", ["heads", "nodes"])
@pytest.mark.parametrize("reference", [[0, 77, 0], [-1, 0, 0], [0, -1, 0], [10_000, 0, 0]])
def test_a_graph_that_refers_to_what_there_is_not(artifact, place, reference):
    """MXNet would read memory that is not its own, and perhaps crash."""
    graph = json.loads((artifact / "policy-symbol.json").read_text())
    if place == "heads":
        graph["heads"][0] = reference
    else:
        graph["nodes"][-1]["inputs"][0] = reference
    (artifact / "policy-symbol.json").write_text(json.dumps(graph))
    edit(artifact, sha256={file: sha256(artifact / file) for file in ("policy-symbol.json", "policy-0000.params")})
    assert refusal(artifact).endswith("cannot be run: a node refers to an output that there is not.")


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("policy-symbol.json", b"{}", 'Missing field "arg_nodes".'),
        ("policy-symbol.json", b"hello", "Expect '{' but get 'h'."),
        ("policy-0000.params", b"x" * 500, "Invalid NDArray file format."),
    ],
)
def test_what_mxnet_refuses_is_said_in_one_sentence(artifact, name, content, reason):
    (artifact / name).write_bytes(content)
    edit(artifact, sha256={file: sha256(artifact / file) for file in ("policy-symbol.json", "policy-0000.params")})
    assert refusal(artifact).endswith(reason)


def test_no_pickle_anywhere(artifact):
    assert {file.name for file in artifact.iterdir()} == {"policy.json", "policy-symbol.json", "policy-0000.params"}
    content = (artifact / "policy-0000.params").read_bytes()
    assert content[:8] == (0x112).to_bytes(
        8, "little"
    )  # MXNet's own format (src/ndarray/ndarray.cc: kMXAPINDArrayListMagic)
    with pytest.raises(pickle.UnpicklingError):
        pickle.loads(content)
