"""An ASGI application that answers ``/invocations`` with our own forward pass: the peer of a server written by hand.

It reads with orjson and NumPy, computes on the event loop what the serving package computes, and writes with orjson:
what somebody who knows these libraries puts behind uvicorn. The folder of an unpacked model.tar.gz is in $MODEL, and
the package is imported from $PYTHONPATH, ``container_src``.
"""

import io
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from sagemaker_rl import blas

blas.prepare_environment()  # as our own server, before NumPy's import: one thread, and the processor's kernels

import numpy as np  # noqa: E402
import orjson  # noqa: E402
from sagemaker_rl.serving.servable import Servable  # noqa: E402

JSON = b"application/json"
JSON_LINES = b"application/jsonlines"
CSV = b"text/csv"
NPY = b"application/x-npy"

Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]

MODEL = Servable.load(Path(os.environ["MODEL"]))
SHAPE = MODEL.policy.observation_space.shape


async def app(scope: dict[str, Any], receive: Receive, send: Send) -> None:
    """Answer a request: ``GET /ping`` and ``POST /invocations``."""
    if scope["type"] != "http":
        return
    body = b""
    while True:
        message = await receive()
        body += message.get("body", b"")
        if not message.get("more_body"):
            break
    headers = dict(scope["headers"])
    media_type = JSON
    if scope["path"] == "/ping":
        status, answer = 200, b""
    elif scope["path"] != "/invocations" or scope["method"] != "POST":
        status, answer = 404, b'{"detail":"not found"}'
    else:
        accepted = headers.get(b"accept", JSON)
        try:
            observations = read(body, headers.get(b"content-type", JSON))
        except (ValueError, TypeError) as error:
            status, answer = 400, orjson.dumps({"detail": str(error)})
        else:
            media_type = accepted if accepted in (JSON_LINES, CSV, NPY) else JSON
            status, answer = 200, write(MODEL.heads(observations), media_type)
    lines = [(b"content-type", media_type), (b"content-length", b"%d" % len(answer))]
    await send({"type": "http.response.start", "status": status, "headers": lines})
    await send({"type": "http.response.body", "body": answer})


def read(body: bytes, content_type: bytes) -> np.ndarray:
    """Return a body's observations, float32 of shape ``(batch, *observation_shape)``.

    Raises:
        ValueError, TypeError: The body is something else.
    """
    if content_type == NPY:
        array = np.load(io.BytesIO(body), allow_pickle=False).astype(np.float32, copy=False)
    elif content_type == CSV:
        array = np.loadtxt(io.BytesIO(body), delimiter=",", dtype=np.float32, ndmin=2)
    elif content_type == JSON_LINES:
        array = np.array(orjson.loads(b"[" + b",".join(body.splitlines()) + b"]"), dtype=np.float32)
    else:
        array = np.array(orjson.loads(body), dtype=np.float32)
    if array.shape == SHAPE:
        array = array[None]
    if array.shape[1:] != SHAPE or not np.isfinite(array).all():
        raise ValueError(f"expected finite numbers of the shape {SHAPE}")
    return array


def write(heads: list[np.ndarray], media_type: bytes) -> bytes:
    """Return the heads as JSON's list, or side by side in rows."""
    if media_type == JSON:
        return orjson.dumps(heads, option=orjson.OPT_SERIALIZE_NUMPY)
    if media_type == JSON_LINES:
        return b"\n".join(orjson.dumps(row, option=orjson.OPT_SERIALIZE_NUMPY) for row in zip(*heads, strict=True))
    table = np.concatenate(heads, axis=1)
    stream = io.BytesIO()
    if media_type == NPY:
        np.save(stream, table)
    else:
        np.savetxt(stream, table, delimiter=",", fmt="%.9g")
    return stream.getvalue()
