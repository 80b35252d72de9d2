"""A loaded policy artifact, computed by NumPy where its answers equal MXNet's."""

import functools
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from sagemaker_rl.errors import RequestError
from sagemaker_rl.policy.artifact import INPUT, SYMBOL_FILE, Policy
from sagemaker_rl.serving import handler, plan
from sagemaker_rl.serving.codecs import CODECS, Batch, are_finite, decode, decode_plain
from sagemaker_rl.serving.negotiation import ACTIONS, RequestedFormat

MAX_QUICK_SECONDS = 0.002
"""A forward pass that is shorter than this does not hold up a worker's event loop."""
ROWS_PER_PASS = 2048
"""Observations in one forward pass."""


class Servable:
    """A loaded and tested policy.

    Attributes:
        folder: of the artifact.
        policy: loaded from it.
        executor: ``NumPy plan``, or ``MXNet`` and why there is no plan.
        quick_rows: how many observations may be computed on the event loop in one pass; 0 if not even one.
    """

    def __init__(
        self, folder: Path, policy: Policy, executor: str, forward: Callable[[np.ndarray], list[np.ndarray]]
    ) -> None:
        self.folder = folder
        self.policy = policy
        self.executor = executor
        self._forward = forward
        self.quick_rows = _quick_rows(forward, policy.observation_space.shape)

    @classmethod
    def load(cls, folder: Path, compiled: bool = True) -> "Servable":
        """Load the policy artifact in ``folder``, and try it out.

        Args:
            folder: of the artifact.
            compiled: whether to compute it by NumPy, if its answers are the same.

        Raises:
            PolicyError: It is missing or damaged.
        """
        policy = handler.model_fn(str(folder))
        graph: Callable[[np.ndarray], list[np.ndarray]] = policy.run_graph
        executor = "MXNet"
        if compiled:
            try:
                graph, executor = _compile(policy, folder), "NumPy plan"
            except plan.UnknownGraphError as error:
                executor = f"MXNet ({error} has no plan)"
        return cls(folder, policy, executor, lambda observations: graph(policy.filtered(observations)))

    def decode(self, body: bytes, media_type: str) -> Batch:
        """Read a request's observations; see ``codecs.decode``."""
        return decode(body, media_type, self.policy.observation_space.shape, self.policy.filters)

    def decode_plain(self, body: bytes, media_type: str) -> Batch | None:
        """Read them if that takes little time; see ``codecs.decode_plain``."""
        return decode_plain(body, media_type, self.policy.observation_space.shape, self.policy.filters)

    def heads(self, observations: np.ndarray) -> list[np.ndarray]:
        """Return the heads for a float32 batch of any size."""
        if len(observations) <= ROWS_PER_PASS:
            return self._forward(observations)
        pieces = [
            self._forward(observations[start : start + ROWS_PER_PASS])
            for start in range(0, len(observations), ROWS_PER_PASS)
        ]
        return [np.concatenate(pieces_of_head) for pieces_of_head in zip(*pieces, strict=True)]

    def encode(
        self, heads: list[np.ndarray], requested: RequestedFormat, has_instances: bool, known_finite: bool = False
    ) -> bytes:
        """Write the answer that a request asks for.

        Args:
            heads: of its observations, an array of shape ``(batch, units)`` each.
            requested: the media type, and heads or actions.
            has_instances: the request had ``instances``.
            known_finite: all numbers of the heads are.

        Raises:
            RequestError: The observations are so large that the policy's answer is not finite.
        """
        if not known_finite and not all(map(are_finite, heads)):
            raise RequestError("The policy's answer to these observations is not finite; expected smaller numbers.")
        codec = CODECS[requested.accept]
        if requested.output == ACTIONS:
            return codec.write_actions(self.policy.actions_of(heads), has_instances)
        return codec.write_heads(heads, self.policy.head_names, has_instances)


def _compile(policy: Policy, folder: Path) -> Callable[[np.ndarray], list[np.ndarray]]:
    """Return the artifact's graph as a plan of NumPy calls.

    Raises:
        UnknownGraphError: There is none, or it differs from MXNet.
    """
    symbol = (folder / SYMBOL_FILE).read_text(encoding="utf-8")
    compiled = plan.compile_plan(symbol, policy.parameters(), INPUT)
    space = policy.observation_space
    low, high = (np.reshape(bounds, space.shape) for bounds in (space.low, space.high))
    if policy.filters:
        shape = policy.filtered(np.zeros((1, *space.shape), dtype=np.float32)).shape[1:]
        low, high = np.full(shape, -np.inf), np.full(shape, np.inf)  # what filters can give is not known
    try:
        difference = plan.largest_difference(compiled, policy.run_graph, low, high)
    except (ValueError, IndexError, TypeError) as error:
        raise plan.UnknownGraphError(f"a graph that fails in NumPy ({error})") from None
    if not difference <= plan.TOLERANCE:
        raise plan.UnknownGraphError(f"a graph that differs by {difference:.1e} in NumPy")
    return compiled


def _quick_rows(forward: Callable[[np.ndarray], list[np.ndarray]], shape: tuple[int, ...]) -> int:
    """Return how many observations of zeros a pass computes in MAX_QUICK_SECONDS, at most ROWS_PER_PASS."""
    quick, rows = 0, 1
    while True:
        observations = np.zeros((rows, *shape), dtype=np.float32)
        seconds = _least_seconds(functools.partial(forward, observations))
        if seconds >= MAX_QUICK_SECONDS:
            return quick
        if rows == ROWS_PER_PASS:
            return rows
        more = min(4 * rows, ROWS_PER_PASS)
        quick, rows = min(int(rows * MAX_QUICK_SECONDS / seconds), more - 1), more


def _least_seconds(call: Callable[[], object]) -> float:
    """Return how many processor seconds a call takes, however busy the machine is: the least of three."""
    durations = []
    for _ in range(3):
        start = time.process_time()
        call()
        durations.append(time.process_time() - start)
    return min(durations)
