"""Checkpoints: whole at every moment of their saving, and what restoring refuses."""

import json
import shutil

import numpy as np
import pytest
from faulty_writes import check
from graphs import make_graph
from jobs import PPO
from sagemaker_rl.coach.graph import agent_of
from sagemaker_rl.coach.normalization import normalizations_of
from sagemaker_rl.errors import InputError
from sagemaker_rl.training import checkpoints

pytest_plugins = ("faulty_writes",)


@pytest.fixture(scope="module")
def graph(tmp_path_factory):
    return make_graph(tmp_path_factory.mktemp("graph"))


def fill(graph, value: float) -> None:
    """Let the first weights of each network, and all means of observations, be ``value``."""
    for parameter in first_weights(graph):
        parameter.set_data(parameter.data() * 0 + value)
    for each in normalizations_of(agent_of(graph)):
        each.running_observation_stats._mean[:] = value


def first_weights(graph) -> list:
    return [next(iter(saver._param_dict.values())) for saver in graph.checkpoint_saver]


def values(graph) -> set[float]:
    """Return what is found there."""
    found = [parameter.data().asnumpy() for parameter in first_weights(graph)]
    found += [each.running_observation_stats.mean for each in normalizations_of(agent_of(graph))]
    return {float(value) for array in found for value in np.unique(array)}


def save(graph, folders, value: float) -> None:
    graph.checkpoint_id = int(value)  # its file names are the same each time
    fill(graph, value)
    checkpoints.save(graph, folders, PPO, [("rl.value", value)])


def restored(graph, folder):
    """Return what a job starts with that finds ``folder``: its weights, and what was changed in its preset."""
    if not (folder / checkpoints.STATE_FILE).is_file():
        return None
    fill(graph, -1.0)
    checkpoints.restore(graph, folder, PPO)
    return values(graph), checkpoints.describe(folder)["changes"]


@pytest.mark.parametrize(("saved_before", "folders"), [(False, ["a"]), (True, ["b", "a"])])
def test_a_checkpoint_is_the_old_or_the_new_one(graph, disk, saved_before, folders):
    import mxnet as mx

    for folder in folders:
        (disk / folder).mkdir()
    if saved_before:
        save(graph, [disk / folder for folder in folders], 1.0)
    check(
        disk,
        lambda: save(graph, [disk / folder for folder in folders], 2.0),
        lambda: restored(graph, disk / "a"),
        raises=InputError,
        savers=[(mx.nd, "save")],
    )
