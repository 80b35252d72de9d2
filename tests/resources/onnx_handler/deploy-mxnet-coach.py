"""An endpoint's handler in the form that AWS's Coach examples gave it: MXNet reads an ONNX file of the policy."""

import json
import os

import mxnet as mx
import numpy as np
from mxnet.contrib import onnx as onnx_mxnet

INPUT = "data"


def model_fn(model_dir):
    """Bind the network of ``model.onnx`` for one observation at a time."""
    symbol, arguments, auxiliary = onnx_mxnet.import_model(os.path.join(model_dir, "model.onnx"))
    network = mx.mod.Module(symbol=symbol, data_names=[INPUT], label_names=None, context=mx.cpu())
    network.bind(for_training=False, data_shapes=[(INPUT, (1, 2))])
    network.set_params(arg_params=arguments, aux_params=auxiliary, allow_missing=True)
    return network


def transform_fn(network, body, content_type, accept):
    """Answer with the list of the network's heads, a row for each observation."""
    observation = np.array(json.loads(body), dtype=np.float32).reshape(1, -1)
    network.forward(mx.io.DataBatch([mx.nd.array(observation)]))
    return json.dumps([head.asnumpy().tolist() for head in network.get_outputs()]), accept
