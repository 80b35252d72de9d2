"""A model that answers: a policy artifact by this package, or a user's own functions around it."""

import threading
import time
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np

from sagemaker_rl.errors import RequestError
from sagemaker_rl.policy.artifact import SYMBOL_FILE, Policy
from sagemaker_rl.serving import codecs, handler, plan

QUICK_SECONDS = 0.002
"""A forward pass of one observation that is shorter than this does not hold up a worker's event loop."""
ROWS_AT_A_TIME = 2048


def brings_code(folder: Path, program: str) -> bool:
    """Tell whether a model brings functions of the user's own."""
    try:
        return (folder / "code" / program).is_file()
    except OSError:  # may not be looked into: loading it will say so
        return False


class Wanted(NamedTuple):
    """What a request's headers ask for."""

    content_type: str
    accept: str
    actions: bool


class Servable:
    """A loaded and tested policy.

    Attributes:
        folder: of the artifact.
        policy: what answers.
        executor: ``NumPy plan`` or ``MXNet``, and why not the plan.
        quick: whether a small batch may be computed on the event loop.
    """

    def __init__(
        self, folder: Path, policy: Policy, executor: str, forward: Callable[[np.ndarray], list[np.ndarray]]
    ) -> None:
        self.folder = folder
        self.policy = policy
        self.executor = executor
        self.shape = policy.observation_space.shape
        self._forward = forward
        self.quick = _seconds(lambda: forward(np.zeros((1, *self.shape), dtype=np.float32))) < QUICK_SECONDS

    @classmethod
    def load(cls, folder: Path, compiled: bool = True) -> "Servable":
        """Load the policy artifact in ``folder``, and try it out.

        Args:
            folder: of the artifact.
            compiled: whether to compute it by NumPy, if that changes nothing.

        Raises:
            PolicyError: It is missing or damaged.
        """
        policy = handler.model_fn(str(folder))
        lock = threading.Lock()  # an MXNet block must not run twice at the same time

        def by_mxnet(observations: np.ndarray) -> list[np.ndarray]:
            with lock:
                return policy.heads(observations)

        if not compiled:
            return cls(folder, policy, "MXNet", by_mxnet)
        try:
            forward = _compile(policy, folder, by_mxnet)
        except plan.UnknownGraphError as error:
            return cls(folder, policy, f"MXNet ({error} has no plan)", by_mxnet)
        return cls(folder, policy, "NumPy plan", forward)

    def heads(self, observations: np.ndarray) -> list[np.ndarray]:
        """Return the heads for a float32 batch of any size."""
        if len(observations) <= ROWS_AT_A_TIME:
            return self._forward(observations)
        parts = [
            self._forward(observations[start : start + ROWS_AT_A_TIME])
            for start in range(0, len(observations), ROWS_AT_A_TIME)
        ]
        return [np.concatenate(part) for part in zip(*parts, strict=True)]

    def encode(self, heads: list[np.ndarray], wanted: Wanted, instances: bool) -> bytes:
        """Write what a request asked for.

        Raises:
            RequestError: Observations so far out that the policy's answer is not finite.
        """
        if not all(np.isfinite(head).all() for head in heads):
            raise RequestError("The policy's answer to these observations is not finite; expected smaller numbers.")
        if wanted.actions:
            return codecs.encode_actions(self.policy.actions_of(heads), wanted.accept, instances)
        return codecs.encode_heads(heads, self.policy.head_names, wanted.accept, instances)


def _compile(
    policy: Policy, folder: Path, by_mxnet: Callable[[np.ndarray], list[np.ndarray]]
) -> Callable[[np.ndarray], list[np.ndarray]]:
    symbol = (folder / SYMBOL_FILE).read_text(encoding="utf-8")
    compiled = plan.compile_plan(symbol, policy.parameters(), "observation")
    space = policy.observation_space
    low, high = (np.reshape(bounds, space.shape) for bounds in (space.low, space.high))
    try:
        difference = plan.largest_difference(compiled, by_mxnet, low, high)
    except (ValueError, IndexError, TypeError) as error:
        raise plan.UnknownGraphError(f"a graph that fails in NumPy ({error})") from None
    if not difference <= plan.TOLERANCE:
        raise plan.UnknownGraphError(f"a graph that differs by {difference:.1e} in NumPy")
    return compiled


def _seconds(call: Callable[[], object]) -> float:
    taken = []
    for _ in range(3):
        begun = time.perf_counter()
        call()
        taken.append(time.perf_counter() - begun)
    return min(taken)


@lru_cache(maxsize=1024)
def negotiate(content_type: bytes, accept: bytes, attributes: bytes, default_accept: str, output: str) -> Wanted:
    """Return what three headers ask for, or, where they say nothing, the settings.

    Raises:
        RequestError: 415, 406 or 400.
    """
    wanted = handler.wanted_output(attributes.decode("latin-1"), output)
    return Wanted(
        codecs.content_media_type(content_type.decode("latin-1")),
        codecs.accepted_media_type(accept.decode("latin-1"), default_accept),
        wanted == handler.ACTIONS,
    )
