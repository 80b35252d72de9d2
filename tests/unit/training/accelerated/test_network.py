"""A Coach network's graph in NumPy."""

import numpy as np
import pytest
from graphs import make_graph
from jobs import DQN, PPO
from sagemaker_rl.coach.graph import agent_of


def model_of(folder, preset, **changes):
    return agent_of(make_graph(folder, preset, **changes)).networks["main"].online_network.model


@pytest.mark.parametrize("preset", [PPO, DQN, "corridor"])
def test_outputs_equal_mxnets_for_any_batch(tmp_path, preset):
    import mxnet as mx
    from sagemaker_rl.training.accelerated.network import DenseNetwork, NetworkGraph

    model = model_of(tmp_path, preset)
    dense = DenseNetwork.of(NetworkGraph(model))
    assert dense is not None
    size = next(iter(model.collect_params("embedder|.*embedder.*weight").values())).shape[1]
    for rows in (1, 7, 300):
        states = np.random.default_rng(rows).normal(size=(rows, size)).astype(np.float32)
        expected = model(mx.nd.array(states))
        expected = expected if isinstance(expected, list | tuple) else [expected]
        computed = dense.forward(states)
        assert len(computed) == len(expected)
        for mine, theirs in zip(computed, expected, strict=True):
            assert mine.shape == theirs.shape
            assert np.abs(mine - theirs.asnumpy()).max() < 1e-5
        for index, mine in enumerate(computed):
            assert (dense.function([index])(states)[0] == mine).all()


def test_coachs_rescaling_by_one_is_left_out_of_the_graph(tmp_path):
    from sagemaker_rl.training.accelerated.network import NetworkGraph

    symbol = NetworkGraph(model_of(tmp_path, DQN)).symbol
    assert not [name for name in symbol.list_arguments() if "gradient_rescaler" in name]
    assert not [name for name in symbol.get_internals().list_outputs() if "divscalar" in name or "blockgrad" in name]


def test_a_head_whose_gradient_is_rescaled_keeps_the_rescaling(tmp_path):
    from sagemaker_rl.training.accelerated.network import DenseNetwork, NetworkGraph

    model = model_of(tmp_path, DQN)
    rescaler = next(p for name, p in model.collect_params().items() if "gradient_rescaler" in name)
    rescaler._data[0][:] = 0.5
    graph = NetworkGraph(model)
    assert [name for name in graph.symbol.list_arguments() if "gradient_rescaler" in name]
    assert DenseNetwork.of(graph) is None  # MXNet takes this one


def test_an_operation_that_numpy_does_not_know_is_left_to_mxnet(tmp_path):
    from sagemaker_rl.training.accelerated.network import DenseNetwork, NetworkGraph

    change = {"agent_params__network_wrappers__main__middleware_parameters__activation_function": "selu"}
    assert DenseNetwork.of(NetworkGraph(model_of(tmp_path, DQN, **change))) is None
