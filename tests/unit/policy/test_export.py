"""The artifact of the heads in coach/heads.py answers as Coach's network; and how an artifact is written."""

import itertools
import os
from pathlib import Path

import numpy as np
import pytest
from agent_presets import BOX, DISCRETE, write_agent
from faulty_writes import check, states
from sagemaker_rl.coach.graph import agent_of, create_graph
from sagemaker_rl.coach.presets import import_preset
from sagemaker_rl.errors import InputError, PolicyError
from sagemaker_rl.policy import export
from sagemaker_rl.policy.artifact import DESCRIPTION_FILE, PARAMS_FILE, SYMBOL_FILE, Policy

pytest_plugins = ("faulty_writes",)

DUELING = """
from rl_coach.architectures.head_parameters import DuelingQHeadParameters
agent_params.network_wrappers["main"].heads_parameters = [DuelingQHeadParameters()]
"""
OBSERVATIONS = np.linspace(-1, 1, 7, dtype=np.float32)[:, None]


@pytest.mark.parametrize(
    ("agent", "changes", "actions"),
    [
        ("dqn_agent:DQNAgent", DUELING, DISCRETE),
        ("actor_critic_agent:ActorCriticAgent", "", DISCRETE),
        ("actor_critic_agent:ActorCriticAgent", "", BOX),
        ("policy_gradients_agent:PolicyGradientsAgent", "", BOX),
    ],
)
def test_heads_equal_coachs(tmp_path, agent, changes, actions):
    graph_manager = import_preset(write_agent(tmp_path, agent, changes, actions))
    create_graph(graph_manager, tmp_path, seed=3)
    coachs = agent_of(graph_manager)
    assert export.reason_not_exportable(coachs) is None
    export.export_policy(coachs, graph_manager, tmp_path, {"preset": "preset-own"})
    policy = Policy.load(tmp_path)
    expected = coachs.networks["main"].online_network.predict({"observation": OBSERVATIONS})
    expected = expected if isinstance(expected, list) else [expected]
    for actual, wanted in zip(policy.heads(OBSERVATIONS), expected, strict=True):
        assert np.allclose(actual, wanted.reshape(len(OBSERVATIONS), -1), rtol=1e-5, atol=1e-6)
    action = policy.actions(OBSERVATIONS)
    best = expected[-1] if actions == DISCRETE else expected[policy.head_names.index("action_mean")]
    assert np.allclose(action, best.argmax(axis=1) if actions == DISCRETE else np.clip(best, -2, 2), atol=1e-6)


@pytest.fixture
def agent(tmp_path):
    """A graph manager of one small network, and its agent."""
    graph_manager = import_preset(write_agent(tmp_path, "actor_critic_agent:ActorCriticAgent", "", DISCRETE))
    create_graph(graph_manager, tmp_path, seed=3)
    return graph_manager, agent_of(graph_manager)


def export_as(preset, agent, folder) -> None:
    export.export_policy(agent[1], agent[0], folder, {"preset": preset})


def loaded(folder):
    """Return the preset that an artifact names; None where there is no policy.json, without which it is none."""
    return Policy.load(folder).description["preset"] if (folder / DESCRIPTION_FILE).exists() else None


def loaded_or_refused(folder):
    try:
        return loaded(folder)
    except PolicyError:
        return "refused"


def test_an_artifact_is_whole_or_none(agent, disk):
    import mxnet as mx

    savers = [(mx.nd, "save"), (mx.sym.Symbol, "save")]
    folder = disk / "model"
    folder.mkdir()
    check(disk, lambda: export_as("new", agent, folder), lambda: loaded(folder), InputError, savers)
    assert sorted(path.name for path in folder.iterdir()) == [PARAMS_FILE, SYMBOL_FILE, DESCRIPTION_FILE]


def test_an_artifact_that_takes_anothers_place_is_never_mixed(agent, disk, tmp_path):
    """Three files cannot be replaced in one step: between the first and the last an endpoint refuses them."""
    export_as("old", agent, disk)
    for parameter in agent[1].networks["main"].online_network.model.collect_params().values():
        parameter.set_data(parameter.data() + 1)
    seen = [
        loaded_or_refused(state)
        for _, state in states(disk, tmp_path / "states", lambda: export_as("new", agent, disk))
    ]
    found = [preset for preset, _ in itertools.groupby(seen)]
    assert found == ["old", "refused", "new"]


@pytest.mark.parametrize("file", [SYMBOL_FILE, PARAMS_FILE])
def test_what_mxnet_does_not_write_to_its_end_is_noticed(agent, tmp_path, monkeypatch, file):
    """MXNet says nothing where a disk is full; here the disk is not, and the error is the file's own."""
    import mxnet as mx

    owner = mx.sym.Symbol if file == SYMBOL_FILE else mx.nd
    save = owner.save

    def cut(*arguments):
        save(*arguments)
        path = Path(next(argument for argument in arguments if isinstance(argument, str)))
        os.truncate(path, path.stat().st_size // 2)

    monkeypatch.setattr(owner, "save", cut)
    folder = tmp_path / "model"
    with pytest.raises(PolicyError):
        export_as("new", agent, folder)
    assert list(folder.iterdir()) == []
    monkeypatch.setattr(export.disks, "why_unwritable", lambda folder: f"{folder.name} is full")
    with pytest.raises(InputError, match=r"^Model folder .*/model cannot be written: model is full\.$"):
        export_as("new", agent, folder)
