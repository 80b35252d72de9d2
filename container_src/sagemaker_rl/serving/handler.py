"""The MXNet handler, in sagemaker-inference's contract.

``model_fn``, ``input_fn``, ``predict_fn`` and ``output_fn`` are what
https://github.com/aws/sagemaker-inference-toolkit#implementation-steps describes. The toolkit counts a function's
parameters to see whether it wants a context: add none.
"""

import math
from pathlib import Path

import numpy as np

from sagemaker_rl.policy.artifact import Policy
from sagemaker_rl.serving import codecs, negotiation

Prediction = np.ndarray | list[np.ndarray]


def model_fn(model_dir: str) -> Policy:
    """Load the policy artifact in ``model_dir`` and try it out.

    Raises:
        PolicyError: It is missing or damaged.
    """
    return Policy.load(Path(model_dir))


def input_fn(input_data: bytes | bytearray | str, content_type: str | None) -> np.ndarray:
    """Decode a request's body to an array of finite numbers, of whatever shape the client sent.

    Args:
        input_data: the body; the toolkit decodes JSON and CSV to ``str`` itself.
        content_type: the header's value; JSON if it is missing or empty.

    Raises:
        RequestError: 415 for a content type that is not supported, 400 for a body that is not of it.
    """
    body = input_data.encode("utf-8", "surrogatepass") if isinstance(input_data, str) else bytes(input_data)
    return codecs.CODECS[negotiation.content_media_type(content_type or "")].read(body, None).array


def predict_fn(data: np.ndarray, model: Policy) -> list[np.ndarray]:
    """Ask the policy for its heads, for one observation or a batch.

    Args:
        data: shape ``(*observation_shape)`` or ``(batch, *observation_shape)``; as CSV has it, a row of the numbers of
            each observation.
        model: what ``model_fn`` returned.

    Returns:
        The list of the network's heads, float32 of shape ``(batch, units)`` each.

    Raises:
        RequestError: The observations do not fit the policy.
    """
    shape = model.observation_space.shape
    if data.ndim == 2 and len(shape) > 1 and data.shape[1] == math.prod(shape):
        data = data.reshape(-1, *shape)
    return model.heads(codecs.as_observations(data, shape, model.filters))


def output_fn(prediction: Prediction, accept: str) -> tuple[bytes, str]:
    """Encode a prediction as the client accepts it: the heads, or an array of actions.

    Returns:
        The body, and its content type.

    Raises:
        RequestError: 406 if nothing that the client accepts is supported.
    """
    media_type = negotiation.accepted_media_type(accept)
    codec = codecs.CODECS[media_type]
    if isinstance(prediction, list):
        return codec.write_heads(prediction, (), False), media_type
    return codec.write_actions(prediction, False), media_type
