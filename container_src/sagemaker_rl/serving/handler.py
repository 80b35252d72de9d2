"""The MXNet handler, in sagemaker-inference's contract.

``model_fn``, ``input_fn``, ``predict_fn`` and ``output_fn`` are what
https://github.com/aws/sagemaker-inference-toolkit#implementation-steps describes. The toolkit counts a function's
parameters to see whether it wants a context: add none.
"""

import re
from pathlib import Path

import numpy as np

from sagemaker_rl.errors import RequestError
from sagemaker_rl.policy.artifact import Policy
from sagemaker_rl.serving import codecs

HEADS = "heads"
ACTIONS = "actions"

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
    return codecs.numbers(body, codecs.content_media_type(content_type or ""))


def predict_fn(data: np.ndarray, model: Policy) -> list[np.ndarray]:
    """Ask the policy for its heads, for one observation or a batch.

    Args:
        data: shape ``(*observation_shape)`` or ``(batch, *observation_shape)``.
        model: what ``model_fn`` returned.

    Returns:
        The list of the network's heads, float32 of shape ``(batch, units)`` each.

    Raises:
        RequestError: The observations do not fit the policy.
    """
    return model.heads(codecs.observations(data, model.observation_space.shape))


def output_fn(prediction: Prediction, accept: str) -> tuple[bytes, str]:
    """Encode a prediction as the client accepts it: the heads, or an array of actions.

    Returns:
        The body, and its content type.

    Raises:
        RequestError: 406 if nothing that the client accepts is supported.
    """
    media_type = codecs.accepted_media_type(accept)
    if isinstance(prediction, list):
        return codecs.encode_heads(prediction, (), media_type), media_type
    return codecs.encode_actions(prediction, media_type), media_type


def wanted_output(custom_attributes: str, default: str = HEADS) -> str:
    """Return what ``X-Amzn-SageMaker-Custom-Attributes`` asks for: with ``output=actions`` actions, or ``heads``.

    Raises:
        RequestError: ``output`` names something else.
    """
    match = re.search(r"(?:^|[,;\s])output=([^,;\s]*)", custom_attributes)
    if match is None:
        return default
    if match[1] not in (HEADS, ACTIONS):
        raise RequestError(f"Custom attribute output is {match[1]!r}, expected {HEADS} or {ACTIONS}.")
    return match[1]
