"""The handler of the notebook's endpoint, in sagemaker-inference's contract, for our artifact: MXNet, and no more.

Started by multi-model-server, see ``serving.py``; the functions that are not here are the toolkit's defaults.
"""

from pathlib import Path
from typing import Any

import mxnet as mx
import numpy as np
from sagemaker_inference import content_types, decoder, default_inference_handler, encoder
from sagemaker_inference.default_handler_service import DefaultHandlerService
from sagemaker_inference.transformer import Transformer


class Handler(default_inference_handler.DefaultInferenceHandler):
    def default_model_fn(self, model_dir: str, context: Any = None) -> Any:
        folder = Path(model_dir)
        block = mx.gluon.SymbolBlock(mx.sym.load(str(folder / "policy-symbol.json")), mx.sym.var("observation"))
        block.collect_params().load(str(folder / "policy-0000.params"), cast_dtype=True, dtype_source="saved")
        block.hybridize(static_alloc=True)
        return block

    def default_input_fn(self, input_data: Any, content_type: str, context: Any = None) -> np.ndarray:
        return np.atleast_2d(decoder.decode(input_data, content_type))

    def default_predict_fn(self, data: np.ndarray, model: Any, context: Any = None) -> list[Any]:
        return [head.asnumpy().tolist() for head in model(mx.nd.array(data, dtype=np.float32))]

    def default_output_fn(self, prediction: Any, accept: str, context: Any = None) -> Any:
        return encoder.encode(prediction, content_types.JSON)


class Service(DefaultHandlerService):
    def __init__(self) -> None:
        super().__init__(transformer=Transformer(default_inference_handler=Handler()))


service = Service()


def handle(data: Any, context: Any) -> Any:
    """Answer a request, as multi-model-server calls it."""
    return service.handle(data, context)
