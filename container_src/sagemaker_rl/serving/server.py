"""The HTTP server of an endpoint: ``GET /ping`` and ``POST /invocations`` on an ASGI server.

https://docs.aws.amazon.com/sagemaker/latest/dg/your-algorithms-inference-code.html
"""

import asyncio
import gc
import json
import logging
import os
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NoReturn

import uvicorn
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from sagemaker_rl.errors import InputError, RequestError
from sagemaker_rl.policy import Policy
from sagemaker_rl.serving import handler
from sagemaker_rl.serving.sigterm import end_process_at_sigterm

MAX_BODY_BYTES = 6 * 1024 * 1024
"""SageMaker's own limit for an invocation in real time."""
CUSTOM_ATTRIBUTES = "x-amzn-sagemaker-custom-attributes"
SECONDS_TO_DRAIN = 10

log = logging.getLogger("sagemaker_rl.serving")


def serve_main(model_fn: Callable[[str], Policy] = handler.model_fn) -> NoReturn:
    """Carry out the command line's one argument, ``serve``, and end the process.

    The model is at ``/opt/ml/model`` (below SAGEMAKER_BASE_DIR, if that is set), the port is 8080 or
    SAGEMAKER_BIND_TO_PORT, the address is 0.0.0.0 or SAGEMAKER_BIND_TO_HOST.
    """
    end_process_at_sigterm()
    command = " ".join(sys.argv[1:])
    if command != "serve":
        print(f"Error: The command is {command!r}, expected 'serve'.", file=sys.stderr)
        sys.exit(2)
    os.environ.setdefault("MXNET_ENGINE_TYPE", "NaiveEngine")  # half the threaded engine's time for small batches
    os.environ.setdefault("MXNET_ENGINE_INFO", "0")
    model_dir = Path(os.environ.get("SAGEMAKER_BASE_DIR", "/opt/ml")) / "model"
    try:
        port = _port(os.environ.get("SAGEMAKER_BIND_TO_PORT", "8080"))
        model = model_fn(str(model_dir))
    except InputError as error:
        print(f"Error: {error}", file=sys.stderr, flush=True)
        sys.exit(1)
    print(f"Serving {model.description['preset']} from {model_dir} on port {port}", flush=True)
    gc.freeze()  # the collector need not look at MXNet again and again while it decodes a large body
    # uvicorn puts its own handler in the place of ours; at a SIGTERM it drains, and then raises the signal again for
    # ours. In between nothing is lost: one of the two is always in place.
    uvicorn.run(
        create_app(model),
        host=os.environ.get("SAGEMAKER_BIND_TO_HOST", "0.0.0.0"),  # noqa: S104 - as SageMaker asks
        port=port,
        log_level="warning",
        access_log=False,
        lifespan="off",
        timeout_graceful_shutdown=SECONDS_TO_DRAIN,
        server_header=False,
    )
    sys.exit(0)


def _port(text: str) -> int:
    if not text.isdecimal() or not 0 < int(text) < 65536:
        raise InputError(f"SAGEMAKER_BIND_TO_PORT is {text!r}, expected a port number.")
    return int(text)


def create_app(model: Policy) -> Starlette:
    """Return the ASGI application that answers for a loaded policy.

    The work on a request is done in a thread, so that ``/ping`` is answered meanwhile, and in one only: an MXNet block
    must not run twice at the same time. That holds for small requests too, which come in while a large one is at work.
    """
    worker = ThreadPoolExecutor(max_workers=1, thread_name_prefix="policy")

    def answer(body: bytes, content_type: str, accept: str, wanted: str) -> tuple[bytes, str]:
        predict = handler.predict_actions if wanted == handler.ACTIONS else handler.predict_fn
        return handler.output_fn(predict(handler.input_fn(body, content_type), model), accept)

    async def ping(request: Request) -> Response:
        return Response()

    async def invocations(request: Request) -> Response:
        attributes = request.headers.get(CUSTOM_ATTRIBUTES, "")
        wanted = handler.wanted_output(attributes)
        accept = request.headers.get("accept", "")
        handler.choose_media_type(accept)  # refuse before the work is done
        content_type = request.headers.get("content-type", "")
        body, media_type = await asyncio.get_running_loop().run_in_executor(
            worker, answer, await _read_body(request), content_type, accept, wanted
        )
        headers = {CUSTOM_ATTRIBUTES: attributes} if attributes else None
        return Response(body, media_type=media_type, headers=headers)

    return Starlette(
        routes=[Route("/ping", ping, methods=["GET"]), Route("/invocations", invocations, methods=["POST"])],
        exception_handlers={RequestError: _refuse, HTTPException: _refuse_route, Exception: _apologize},
    )


async def _read_body(request: Request) -> bytes:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BODY_BYTES:
            raise RequestError(f"The body has more than {MAX_BODY_BYTES} bytes.", 413)
    return bytes(body)


def _error(status: int, error: str, detail: str, headers: dict[str, str] | None = None) -> Response:
    body = json.dumps({"error": error, "detail": detail})
    return Response(body, status, media_type="application/json", headers=headers)


async def _refuse(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestError)
    return _error(error.status, "bad request", str(error))


async def _refuse_route(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    detail = f"{request.method} {request.url.path} is not served: GET /ping and POST /invocations are."
    return _error(error.status_code, str(error.detail).lower(), detail, dict(error.headers or {}))


async def _apologize(request: Request, error: Exception) -> Response:
    log.exception("A request failed", exc_info=error)
    return _error(500, "internal error", "The server's log has the reason.")
