"""The MXNet handler, in sagemaker-inference's contract.

``model_fn``, ``input_fn``, ``predict_fn`` and ``output_fn`` are what
https://github.com/aws/sagemaker-inference-toolkit#implementation-steps describes; encoders and decoders are the
toolkit's, but for CSV. The toolkit counts a function's parameters to see whether it wants a context: add none.
``predict_actions`` is ``predict_fn`` for a client that wants no more than the actions.
"""

import csv
import io
import re
import warnings
from pathlib import Path

import numpy as np
from sagemaker_inference import content_types, decoder, encoder

from sagemaker_rl.errors import RequestError
from sagemaker_rl.policy import Policy

SUPPORTED = (content_types.JSON, content_types.CSV, content_types.NPY)
HEADS = "heads"
ACTIONS = "actions"
ROWS_AT_A_TIME = 10_000
NOT_NUMBERS = "The body holds something else than numbers in rows of equal length."

Prediction = np.ndarray | list[np.ndarray]


def model_fn(model_dir: str) -> Policy:
    """Load the policy artifact in ``model_dir`` and try it out.

    Raises:
        PolicyError: It is missing or damaged.
    """
    return Policy.load(Path(model_dir))


def input_fn(input_data: bytes | bytearray | str, content_type: str | None) -> np.ndarray:
    """Decode a request's body to an array of numbers, of whatever shape the client sent.

    Args:
        input_data: the body; the toolkit decodes JSON and CSV to ``str`` itself.
        content_type: the header's value; JSON if it is missing or empty.

    Raises:
        RequestError: 415 for a content type that is not supported, 400 for a body that is not of it.
    """
    media_type = (content_type or "").partition(";")[0].strip().lower() or content_types.JSON
    if media_type not in SUPPORTED:
        raise RequestError(f"Content-Type is {content_type!r}, expected {', '.join(SUPPORTED)}.", 415)
    body = input_data.encode("utf-8", "surrogatepass") if isinstance(input_data, str) else input_data
    if not body.strip():
        raise RequestError("The body is empty, expected an observation or a batch of observations.")
    if media_type == content_types.NPY:
        _refuse_pickle(body)
    try:
        with warnings.catch_warnings():
            # NumPy only warns of ragged rows. No other warning: the filter holds for the server's other thread too.
            warnings.simplefilter("error", np.VisibleDeprecationWarning)
            if media_type == content_types.CSV:
                data = np.asarray(_read_csv(body.decode("utf-8")))
            else:
                data = np.asarray(decoder.decode(body, media_type))
    except np.VisibleDeprecationWarning:
        raise RequestError(NOT_NUMBERS) from None
    except Exception as error:  # decoders raise whatever a malformed body leads to
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise RequestError(f"The body is not {media_type}: {reason}") from None
    if data.dtype.kind not in "iuf":
        raise RequestError(NOT_NUMBERS)
    return data


def _read_csv(body: str) -> list[list[float]]:
    """Read rows of numbers strictly: the toolkit's decoder takes a missing value for -1 (genfromtxt's filling)."""
    return [[float(field) for field in row] for row in csv.reader(io.StringIO(body)) if row]


def _refuse_pickle(body: bytes | bytearray) -> None:
    """Refuse a NPY body of Python objects before the toolkit's decoder unpickles it (decoder.py: allow_pickle=True)."""
    try:
        np.load(io.BytesIO(body), allow_pickle=False)
    except Exception as error:
        raise RequestError(f"The body is not {content_types.NPY}: {error}") from None


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
    return model.heads(_as_batch(data, model))


def predict_actions(data: np.ndarray, model: Policy) -> np.ndarray:
    """Ask the policy for its actions, for one observation or a batch.

    Args:
        data: as for ``predict_fn``.
        model: what ``model_fn`` returned.

    Returns:
        The actions in the policy's own action space, shape ``(batch, *action_shape)``.

    Raises:
        RequestError: The observations do not fit the policy.
    """
    return model.actions(_as_batch(data, model))


def _as_batch(data: np.ndarray, model: Policy) -> np.ndarray:
    """Return ``data`` as float32 of shape ``(batch, *observation_shape)``, or raise a RequestError."""
    shape = model.observation_space.shape
    batch = data[None] if data.shape == shape else data
    if batch.shape[1:] != shape or len(batch) == 0:
        raise RequestError(
            f"The body has the shape {list(data.shape)}, expected {list(shape)} for one observation or "
            f"{['batch', *shape]} for a batch.".replace("'", "")
        )
    observations = batch.astype(np.float32)
    if not np.isfinite(observations).all():
        raise RequestError("The body holds NaN, infinity or a number beyond float32, expected finite numbers.")
    return observations


def output_fn(prediction: Prediction, accept: str) -> tuple[bytes, str]:
    """Encode a prediction as the client accepts it.

    JSON keeps the list of heads; CSV and NPY have one row per observation with the heads side by side.

    Returns:
        The body, and its content type.

    Raises:
        RequestError: 406 if nothing that the client accepts is supported.
    """
    media_type = choose_media_type(accept)
    if media_type == content_types.JSON:
        body = f"[{', '.join(map(_as_json, prediction))}]" if isinstance(prediction, list) else _as_json(prediction)
    else:
        arrays = prediction if isinstance(prediction, list) else [prediction]
        body = encoder.encode(np.concatenate([a.reshape(len(a), -1) for a in arrays], axis=1), media_type)
    return (body.encode("utf-8") if isinstance(body, str) else body), media_type


def _as_json(array: np.ndarray) -> str:
    """Encode an array of at least one row in pieces: no other thread runs during a call of the encoder."""
    pieces = (array[start : start + ROWS_AT_A_TIME] for start in range(0, len(array), ROWS_AT_A_TIME))
    return f"[{', '.join(encoder.encode(piece, content_types.JSON)[1:-1] for piece in pieces)}]"


def choose_media_type(accept: str) -> str:
    """Return the first supported media type of an Accept header; JSON for an empty one or ``*/*``.

    Raises:
        RequestError: 406, there is none.
    """
    for media_range in accept.split(",") if accept.strip() else ["*/*"]:
        media_type = media_range.partition(";")[0].strip().lower()
        if media_type in ("*/*", "application/*"):
            return content_types.JSON
        if media_type in SUPPORTED:
            return media_type
    raise RequestError(f"Accept is {accept!r}, expected one of {', '.join(SUPPORTED)}.", 406)


def wanted_output(custom_attributes: str) -> str:
    """Return what ``X-Amzn-SageMaker-Custom-Attributes`` asks for: ``heads``, or ``actions`` with ``output=actions``.

    Raises:
        RequestError: ``output`` names something else.
    """
    match = re.search(r"(?:^|[,;\s])output=([^,;\s]*)", custom_attributes)
    if match is None:
        return HEADS
    if match[1] not in (HEADS, ACTIONS):
        raise RequestError(f"Custom attribute output is {match[1]!r}, expected {HEADS} or {ACTIONS}.")
    return match[1]
