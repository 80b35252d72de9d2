"""From an observation to its answer: requests that arrive together share one forward pass.

A request that takes little time is read on the event loop, and waits in its model's batch until the loop has read what
else has arrived. A larger one is answered in a thread of the worker, one of many rows in pieces between which small
ones are served. A user's own functions run there, too: one request after the other, unless the user allows several
threads.
"""

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import numpy as np

from sagemaker_rl.errors import RequestError
from sagemaker_rl.serving.answers import CUSTOM_ATTRIBUTES, DRAINING, Answers
from sagemaker_rl.serving.codecs import Batch, are_finite
from sagemaker_rl.serving.http_requests import Request
from sagemaker_rl.serving.metrics import Counters
from sagemaker_rl.serving.models import Model
from sagemaker_rl.serving.negotiation import RequestedFormat, negotiate
from sagemaker_rl.serving.servable import ROWS_PER_PASS, Servable
from sagemaker_rl.serving.settings import Settings

if TYPE_CHECKING:
    from sagemaker_rl.serving.user_code import UserModel

MAX_INLINE_BYTES = 8 * 1024
"""A body up to this size is read on the event loop; a larger one in the thread, so that nobody waits for it."""
MAX_PLAIN_INLINE_BYTES = 64 * 1024
"""The same of a body that is plain (``codecs.decode_plain``): about as long, a millisecond."""

Invocation = tuple[Request, RequestedFormat, Batch]
"""A request that waits for the next forward pass. A plain tuple, because one is made for every request."""


class Invocations:
    """Asks the models.

    Args:
        settings: how to serve.
        answers: of this worker.
        counters: of this worker.
        threads: in which this worker's models are loaded and asked when that takes long; one, if the user does not ask
            for more.

    Attributes:
        draining: the server is about to end: only requests that were accepted before are answered.
    """

    def __init__(self, settings: Settings, answers: Answers, counters: Counters, threads: ThreadPoolExecutor) -> None:
        self.draining = False
        self._settings = settings
        self._answers = answers
        self._counters = counters
        self._threads = threads
        self._loop = asyncio.get_running_loop()
        self._running = 0  # requests that users' functions have in hand
        self._saturated_since: float | None = None
        self._pending: dict[int, list[Invocation]] = {}

    def invoke(self, model: Model, request: Request) -> None:
        """Have a model answer a request, now or later.

        Raises:
            RequestError: The headers ask for something unsupported, or a small body does not hold observations.
        """
        if self.draining and not request.connection.accepted_before_drain:
            self._answers.refuse(request, 503, DRAINING, close=True)
            return
        max_queue = self._settings.max_queue
        if len(self._answers.in_hand) > max_queue:
            self._answers.refuse(request, 503, f"{max_queue} requests are waiting already.")
            return
        headers = request.headers
        if headers.get(b"content-encoding", b"identity").lower() != b"identity":
            raise RequestError(f"Content-Encoding is {request.header(b'content-encoding')!r}, expected none.", 415)
        if not isinstance(model, Servable):
            self._answers.answer_later(request, self._invoke_user_model(request, model))
            return
        requested = negotiate(
            headers.get(b"content-type", b""),
            headers.get(b"accept", b""),
            headers.get(CUSTOM_ATTRIBUTES, b""),
            self._settings.default_accept,
            self._settings.output,
        )
        batch = self._decode_inline(model, request.body, requested.content_type)
        if batch is None:
            self._answers.answer_later(request, self._invoke_in_thread(request, model, requested))
            return
        invocation = (request, requested, batch)
        pending = self._pending.get(id(model))
        if pending is None:
            # Those that arrive before the loop calls it share the forward pass; a single one does not wait.
            self._pending[id(model)] = [invocation]
            self._loop.call_soon(self._answer_pending, model)
        else:
            pending.append(invocation)

    @staticmethod
    def _decode_inline(model: Servable, body: bytes, media_type: str) -> Batch | None:
        """Read a body that does not hold up the event loop; return None for one that might."""
        if len(body) <= MAX_INLINE_BYTES:
            return model.decode(body, media_type)
        return model.decode_plain(body, media_type) if len(body) <= MAX_PLAIN_INLINE_BYTES else None

    def _answer_pending(self, model: Servable) -> None:
        """Answer what waits for a model by one forward pass, as much as may be computed on the event loop."""
        pending = self._pending[id(model)]
        rows = count = 0
        for _, _, batch in pending:
            rows += len(batch.observations)
            if rows > model.quick_rows:
                break
            count += 1
        if count == 0:
            self._answers.run_task(self._answer_pending_in_thread(model))
            return
        if count == len(pending):
            del self._pending[id(model)]
        else:
            self._pending[id(model)] = pending[count:]
            self._loop.call_soon(self._answer_pending, model)
            pending = pending[:count]
        try:
            heads = model.heads(_stack(pending))
        except Exception as error:
            self._answer_errors(pending, error)
        else:
            self._answer_all(model, pending, heads)

    async def _answer_pending_in_thread(self, model: Servable) -> None:
        """Do the same in the thread; requests that arrive meanwhile make the next batch."""
        while pending := self._pending[id(model)]:
            self._pending[id(model)] = []
            try:
                heads = await self._loop.run_in_executor(self._threads, model.heads, _stack(pending))
            except Exception as error:
                self._answer_errors(pending, error)
            else:
                self._answer_all(model, pending, heads)
        del self._pending[id(model)]

    def _answer_all(self, model: Servable, invocations: Sequence[Invocation], heads: Sequence[np.ndarray]) -> None:
        """Answer each with its rows of the heads, which are of shape ``(rows of all, units)``."""
        self._counters.add_batch(len(heads[0]))
        finite = all(map(are_finite, heads))  # else each has to be looked at: one client's mistake is no other's
        start = 0
        for request, requested, batch in invocations:
            stop = start + len(batch.observations)
            try:
                body = model.encode([head[start:stop] for head in heads], requested, batch.has_instances, finite)
                self._answers.respond(request, 200, body, requested.accept)
            except Exception as error:
                self._answers.answer_error(request, error)
            start = stop

    def _answer_errors(self, invocations: Sequence[Invocation], error: Exception) -> None:
        for request, _, _ in invocations:
            self._answers.answer_error(request, error)

    async def _invoke_in_thread(self, request: Request, model: Servable, requested: RequestedFormat) -> None:
        """Answer a large body in the thread; one of many rows in pieces, between which small requests are served."""

        def decode_and_answer() -> tuple[Batch, bytes | None]:
            batch = model.decode(request.body, requested.content_type)
            if len(batch.observations) > ROWS_PER_PASS:
                return batch, None
            return batch, model.encode(model.heads(batch.observations), requested, batch.has_instances)

        run = self._loop.run_in_executor
        batch, body = await run(self._threads, decode_and_answer)
        rows = batch.observations
        if body is None:
            pieces = [
                await run(self._threads, model.heads, rows[start : start + ROWS_PER_PASS])
                for start in range(0, len(rows), ROWS_PER_PASS)
            ]
            heads = [np.concatenate(pieces_of_head) for pieces_of_head in zip(*pieces, strict=True)]
            body = await run(self._threads, model.encode, heads, requested, batch.has_instances)
        self._counters.add_batch(len(rows))
        self._answers.respond(request, 200, body, requested.accept)

    async def _invoke_user_model(self, request: Request, model: "UserModel") -> None:
        self._running += 1
        if self._running == self._settings.model_threads:
            self._saturated_since = self._loop.time()
        try:
            answer = await self._loop.run_in_executor(self._threads, model.transform, request.body, request.headers)
        finally:
            self._running -= 1
            if self._running < self._settings.model_threads:
                self._saturated_since = None
        if answer.status == 200:
            self._answers.respond(request, 200, answer.body, answer.content_type)
        elif 400 <= answer.status < 500:
            self._answers.refuse(request, answer.status, answer.detail)
        else:
            raise RuntimeError(answer.detail)

    def seconds_saturated(self) -> float:
        """Return for how long users' functions have taken all threads."""
        return 0.0 if self._saturated_since is None else self._loop.time() - self._saturated_since


def _stack(invocations: Sequence[Invocation]) -> np.ndarray:
    """Return the observations of all, float32 of shape ``(rows of all, *observation_shape)``."""
    if len(invocations) == 1:
        return invocations[0][2].observations
    return np.concatenate([batch.observations for _, _, batch in invocations])
