"""Every answer of a worker, whichever route it comes from: its headers, errors, and how it is counted and logged."""

import asyncio
import os
import time
import traceback
from collections.abc import Coroutine
from email.utils import formatdate
from typing import Any

import orjson

from sagemaker_rl.errors import RequestError
from sagemaker_rl.serving import codecs
from sagemaker_rl.serving.http_requests import Request
from sagemaker_rl.serving.http_statuses import ERRORS
from sagemaker_rl.serving.log import AccessLog, log
from sagemaker_rl.serving.metrics import Counters

CUSTOM_ATTRIBUTES = b"x-amzn-sagemaker-custom-attributes"
MAX_REQUEST_ID = 128
DRAINING = "The server is about to end."
_RETRY_AFTER = b"retry-after: 1\r\n"


class Answers:
    """Writes, counts and logs the answer of every request.

    Args:
        counters: of this worker.
        access_log: of this worker.

    Attributes:
        in_hand: the requests that are not answered yet.
    """

    def __init__(self, counters: Counters, access_log: AccessLog) -> None:
        self.in_hand: set[Request] = set()
        self._counters = counters
        self._access_log = access_log
        self._tasks: set[asyncio.Task[None]] = set()
        self._id_prefix = os.urandom(6).hex()
        self._id_number = 0
        self.renew_date()

    def renew_date(self) -> None:
        """Write the Date header anew; several times a second."""
        self._date = b"date: %b\r\n" % formatdate(usegmt=True).encode("ascii")

    def longest_wait(self) -> float:
        """Return for how many seconds the oldest request in hand has waited."""
        now = time.monotonic()
        return now - min((request.received for request in self.in_hand), default=now)

    def respond(
        self,
        request: Request,
        status: int,
        body: bytes,
        media_type: str = "",
        headers: bytes = b"",
        close: bool = False,
    ) -> None:
        """Answer a request.

        Args:
            request: this one.
            status: of HTTP.
            body: of the answer.
            media_type: of the body, empty for no Content-Type.
            headers: more header lines, each with its line end.
            close: whether the connection is closed after it.
        """
        self.in_hand.discard(request)
        attributes = request.headers.get(CUSTOM_ATTRIBUTES)
        if attributes is not None:
            headers += b"%b: %b\r\n" % (CUSTOM_ATTRIBUTES, attributes)
        request_id = request.id or self._assign_id(request)
        request.connection.respond(
            request,
            status,
            body,
            media_type,
            b"x-request-id: %b\r\n%b%b" % (request_id.encode("ascii"), self._date, headers),
            close,
        )
        seconds = time.monotonic() - request.received if request.received else 0.0
        self._counters.add_answer(request.path, status, seconds)
        self._access_log.add(request, status, len(body), seconds, request_id)

    def respond_json(self, request: Request, content: Any) -> None:
        """Answer 200 with ``content`` as JSON."""
        self.respond(request, 200, orjson.dumps(content), codecs.JSON)

    def refuse(self, request: Request, status: int, detail: str, headers: bytes = b"", close: bool = False) -> None:
        """Answer with an error: a JSON object of ``error`` and ``detail``."""
        if status == 503:
            headers += _RETRY_AFTER
        body = orjson.dumps({"error": ERRORS.get(status, "error"), "detail": detail})
        self.respond(request, status, body, codecs.JSON, headers, close)

    def answer_error(self, request: Request, error: Exception) -> None:
        """Answer a RequestError by its own status, any other exception by 500.

        The traceback of the latter is in the log, under the request's id.
        """
        if isinstance(error, RequestError):
            self.refuse(request, error.status, str(error))
            return
        request_id = request.id or self._assign_id(request)
        log("error", "A request failed.", request_id=request_id, traceback=format_traceback(error))
        self.refuse(request, 500, f"The log has the reason under the request id {request_id}.")

    def answer_later(self, request: Request, work: Coroutine[Any, Any, None]) -> None:
        """Run ``work``, which answers the request; if it raises, the error is the answer."""
        self.run_task(self._answer(request, work))

    async def _answer(self, request: Request, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except Exception as error:
            self.answer_error(request, error)

    def run_task(self, work: Coroutine[Any, Any, None]) -> None:
        """Run ``work``, which answers requests and their errors itself."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)  # the loop itself holds tasks weakly
        task.add_done_callback(self._tasks.discard)

    def _assign_id(self, request: Request) -> str:
        """Give the request an id: the client's, if that is a short printable one, or else a new one."""
        client_id = request.headers.get(b"x-request-id") or request.headers.get(b"x-amzn-requestid") or b""
        if 0 < len(client_id) <= MAX_REQUEST_ID and client_id.isascii() and client_id.decode("ascii").isprintable():
            request.id = client_id.decode("ascii")
        else:
            self._id_number += 1
            request.id = f"{self._id_prefix}-{self._id_number:x}"
        return request.id


def format_traceback(error: BaseException) -> str:
    """Return a traceback as Python prints it."""
    return "".join(traceback.format_exception(error))
