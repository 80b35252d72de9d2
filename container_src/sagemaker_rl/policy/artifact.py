"""The policy artifact, which is all that training and serving share. ``export`` writes it.

It is a folder (packed by SageMaker as model.tar.gz) of three files and no pickle:

- ``policy-symbol.json`` and ``policy-0000.params``: an MXNet graph and its parameters, from the environment's own
  observations, or what filters made of them, to the network's heads; the normalization of observations is inside.
- ``policy.json``: a description of the two, with their SHA-256, and of the filters (observations.py).
"""

import hashlib
import json
import math
import re
import reprlib
import stat
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from sagemaker_rl.errors import PolicyError
from sagemaker_rl.policy.observations import ObservationFilters

SCHEMA_VERSIONS = (1, 2)
"""That are read: 2 has filters before the graph, which a reader of 1 would leave out."""
DESCRIPTION_FILE = "policy.json"
SYMBOL_FILE = "policy-symbol.json"
MAX_OUTPUTS = 8
"""Of a node that does not say how many it has: a few, of operations such as BatchNorm."""
PARAMS_FILE = "policy-0000.params"
INPUT = "observation"
MAX_DESCRIPTION_BYTES = 1024 * 1024
MAX_START = 2**62
"""Of a discrete space: its values are int64."""
MANY_NUMBERS = 64
"""A box of more, a picture perhaps, is described by a single bound if all are alike."""
MAX_NUMBERS = 2**24
"""Of one value of a box."""
KINDS_OF_FILES = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a FIFO"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)


@dataclass(frozen=True)
class Space:
    """A space of gym.

    Attributes:
        kind: ``box`` or ``discrete``.
        shape: of one value; ``()`` for a discrete space.
        low: of a box, the lower bound of each number of a value, in the order of memory; -infinity if there is none.
        high: the upper bounds.
        n: of a discrete space, how many values there are.
        start: of a discrete space, the least value.
        integer: whether the numbers of a box are whole.
    """

    kind: Literal["box", "discrete"]
    shape: tuple[int, ...]
    low: tuple[float, ...] = ()
    high: tuple[float, ...] = ()
    n: int = 0
    start: int = 0
    integer: bool = False

    @classmethod
    def from_json(cls, name: str, data: Any) -> "Space":
        """Read a space of ``policy.json``.

        Raises:
            PolicyError: It is not one, or a lower bound is above its upper bound.
        """
        read = {"box": cls._read_box, "discrete": cls._read_discrete}
        try:
            return read[data["type"]](data)
        except (KeyError, TypeError, ValueError, OverflowError):  # OverflowError: an integer of 400 digits
            raise PolicyError(
                f"{DESCRIPTION_FILE}: {name} is {reprlib.repr(data)}, expected a box or a discrete space."
            ) from None

    @classmethod
    def _read_discrete(cls, data: Any) -> "Space":
        start = data.get("start", 0)
        if type(start) is not int or not -MAX_START <= start <= MAX_START:
            raise ValueError
        return cls("discrete", (), n=_whole_number(data["n"]), start=start)

    @classmethod
    def _read_box(cls, data: Any) -> "Space":
        shape = tuple(_whole_number(size) for size in data["shape"])
        if not shape or math.prod(shape) > MAX_NUMBERS:
            raise ValueError
        low = _read_bounds(data["low"], -math.inf, math.prod(shape))
        high = _read_bounds(data["high"], math.inf, math.prod(shape))
        if any(lowest > highest for lowest, highest in zip(low, high, strict=True)):
            raise ValueError
        integer = data.get("integer", False)
        if type(integer) is not bool:
            raise ValueError
        return cls("box", shape, low, high, integer=integer)

    def to_json(self) -> dict[str, Any]:
        """Return the space as ``from_json`` reads it."""
        if self.kind == "discrete":
            return {"type": "discrete", "n": self.n} | ({"start": self.start} if self.start else {})
        return {
            "type": "box",
            "shape": list(self.shape),
            "low": _bounds_to_json(self.low),
            "high": _bounds_to_json(self.high),
        } | ({"integer": True} if self.integer else {})


def _read_bounds(data: Any, unbounded: float, numbers: int) -> tuple[float, ...]:
    """Return the bounds of all numbers of a box: of each one, or one that is that of all."""
    each = data if isinstance(data, list) else [data]
    bounds = tuple(unbounded if bound is None else _finite_number(bound) for bound in each)
    if not isinstance(data, list):
        return bounds * numbers
    if len(bounds) != numbers:
        raise ValueError
    return bounds


def _bounds_to_json(bounds: tuple[float, ...]) -> Any:
    each = [bound if math.isfinite(bound) else None for bound in bounds]
    return each[0] if len(each) > MANY_NUMBERS and len(set(each)) == 1 else each


def _whole_number(value: Any) -> int:
    """Return an integer above zero, or raise ValueError, also for ``true`` and 2.0."""
    if type(value) is not int or value < 1:
        raise ValueError
    return value


def _finite_number(value: Any) -> float:
    """Return a finite number, or raise ValueError or OverflowError."""
    if type(value) not in (int, float) or not math.isfinite(value):
        raise ValueError
    return float(value)


class Policy:
    """A trained agent's deterministic policy, ready to act.

    Attributes:
        description: the content of ``policy.json``.
        observation_space: the space of one observation, or of a stack of the last ones (see ``filters``).
        filters: what is made of observations before the graph sees them.
        action_space: the space of one action.
        head_names: the names of the arrays that ``heads`` returns, in order.
    """

    def __init__(self, description: Mapping[str, Any], block: Any) -> None:
        self.description = dict(description)
        self.observation_space = Space.from_json("observation_space", description.get("observation_space"))
        if self.observation_space.kind != "box":
            raise PolicyError(f"{DESCRIPTION_FILE}: observation_space is discrete, expected a box.")
        self.action_space = Space.from_json("action_space", description.get("action_space"))
        self.filters = ObservationFilters.from_json(description)
        preset = description.get("preset")
        if not isinstance(preset, str) or not preset.isprintable():
            raise PolicyError(f"{DESCRIPTION_FILE}: preset is {reprlib.repr(preset)}, expected a name.")
        heads = description.get("heads")
        if not isinstance(heads, list) or not heads or not all(isinstance(head, str) for head in heads):
            raise PolicyError(f"{DESCRIPTION_FILE}: heads is {reprlib.repr(heads)}, expected a list of names.")
        if len(set(heads)) != len(heads):
            raise PolicyError(f"{DESCRIPTION_FILE}: heads is {reprlib.repr(heads)}, expected each name once.")
        self.head_names: list[str] = heads
        self._action_head = description.get("action_head")
        if self._action_head not in heads:
            raise PolicyError(
                f"{DESCRIPTION_FILE}: action_head is {reprlib.repr(self._action_head)}, "
                f"expected one of {reprlib.repr(heads)}."
            )
        self._block = block
        self._lock = threading.Lock()  # an MXNet block must not run twice at the same time

    @classmethod
    def load(cls, folder: Path) -> "Policy":
        """Load and try out the policy in ``folder``.

        Raises:
            PolicyError: A file is missing or damaged, or the graph does not answer as described.
        """
        description = _read_description(folder)
        policy = cls(description, _load_graph(folder, description))
        policy.self_test()
        return policy

    def heads(self, observations: np.ndarray) -> list[np.ndarray]:
        """Return the network's heads for a batch.

        Args:
            observations: shape ``(batch, *observation_space.shape)``; cast to float32, as gym gives them.

        Returns:
            One float32 array of shape ``(batch, units)`` per name in ``head_names``.
        """
        return self.run_graph(self.filtered(observations))

    def filtered(self, observations: np.ndarray) -> np.ndarray:
        """Return what the filters make of a batch, float32: the graph's input."""
        return self.filters.apply(observations).astype(np.float32, copy=False)

    def run_graph(self, filtered: np.ndarray) -> list[np.ndarray]:
        """Return the network's heads for the graph's input; several threads may ask."""
        import mxnet as mx  # takes a second, and much that reads an artifact needs its description only

        with self._lock:
            outputs = self._block(mx.nd.array(filtered, dtype=np.float32))
            return [output.asnumpy() for output in (outputs if isinstance(outputs, list | tuple) else [outputs])]

    def parameters(self) -> dict[str, np.ndarray]:
        """Return the graph's parameters by name."""
        return {name: parameter.data().asnumpy() for name, parameter in self._block.collect_params().items()}

    def actions(self, observations: np.ndarray) -> np.ndarray:
        """Return the actions that the agent takes in evaluation.

        Returns:
            The environment's own. Continuous: the mean of the policy clipped to the action space, float32 of shape
            ``(batch, *shape)``, of whole numbers int64. Discrete: the best action, int64 of shape ``(batch,)``.
        """
        return self.actions_of(self.heads(observations))

    def actions_of(self, heads: Sequence[np.ndarray]) -> np.ndarray:
        """Return the actions that follow from heads of shape ``(batch, units)``, in the order of ``head_names``."""
        head = heads[self.head_names.index(str(self._action_head))]
        if self.action_space.kind == "discrete":
            return head.argmax(axis=1) + self.action_space.start
        space = self.action_space
        dtype = np.float64 if space.integer else np.float32
        low, high = (np.asarray(bounds, dtype=dtype) for bounds in (space.low, space.high))
        actions = np.clip(np.rint(head) if space.integer else head, low, high).reshape(len(head), *space.shape)
        return actions.astype(np.int64) if space.integer else actions

    def self_test(self) -> None:
        """Answer one trial observation, of zeros.

        Raises:
            PolicyError: The graph fails, or its answer is not as described.
        """
        import mxnet as mx  # see heads

        zeros = np.zeros((1, *self.observation_space.shape), dtype=np.float32)
        try:
            filtered = self.filtered(zeros)
        except (ValueError, IndexError, TypeError) as error:
            raise PolicyError(
                f"{DESCRIPTION_FILE}: observation_filters cannot be applied to {list(zeros.shape[1:])}: {error}."
            ) from None
        try:
            heads = self.run_graph(filtered)
        except (mx.MXNetError, ValueError, AssertionError) as error:
            raise PolicyError(f"The graph in {SYMBOL_FILE} cannot be run: {_reason(error)}.") from None
        shapes = [head.shape for head in heads]
        if len(heads) != len(self.head_names) or any(len(shape) != 2 or shape[0] != 1 for shape in shapes):
            raise PolicyError(f"The graph answers arrays of {shapes}, expected one row for each of {self.head_names}.")
        if not all(np.isfinite(head).all() for head in heads):
            raise PolicyError("The graph answers a trial observation with values that are not finite.")
        units = heads[self.head_names.index(str(self._action_head))].shape[1]
        space = self.action_space
        expected = space.n if space.kind == "discrete" else math.prod(space.shape)
        if units != expected:
            raise PolicyError(
                f"Head {self._action_head!r} has {units} units, expected {expected} for the action space."
            )


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file, in hexadecimal."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def require_file(path: Path) -> None:
    """Refuse what is no regular file, before it is opened: opening a FIFO waits for a writer.

    Raises:
        PolicyError: It is a folder, a FIFO, a socket or a device.
        OSError: It is not there, or its path cannot be followed.
    """
    mode = path.stat().st_mode
    if not stat.S_ISREG(mode):
        kind = next((name for is_kind, name in KINDS_OF_FILES if is_kind(mode)), "something else")
        raise PolicyError(f"{path} is {kind}, expected a file.")


def _file_within(folder: Path, name: str) -> Path:
    """Return the path of an artifact's file.

    Raises:
        PolicyError: It is no regular file, or a link to a path outside the artifact's folder.
        OSError: It is not there, or its path cannot be followed.
    """
    path = folder / name
    require_file(path)
    if not path.resolve().is_relative_to(folder.resolve()):
        raise PolicyError(f"{path} is a link to {path.resolve()}, expected a file in the artifact's folder.")
    return path


def _read_description(folder: Path) -> dict[str, Any]:
    """Read ``policy.json``.

    Raises:
        PolicyError: It is missing, no file, not a JSON object, too large, or of another schema.
    """
    file = folder / DESCRIPTION_FILE
    try:
        size = _file_within(folder, DESCRIPTION_FILE).stat().st_size
        if size > MAX_DESCRIPTION_BYTES:
            raise PolicyError(f"{file} has {size} bytes, expected at most {MAX_DESCRIPTION_BYTES}.")
        description = json.loads(file.read_text(encoding="utf-8"))
    except PolicyError:  # a ValueError, too
        raise
    except FileNotFoundError:
        raise PolicyError(f"There is no {DESCRIPTION_FILE} in {folder}, expected an unpacked model.tar.gz.") from None
    except OSError as error:
        raise PolicyError(f"{file} cannot be read: {error.strerror}.") from None
    except (ValueError, RecursionError) as error:
        raise PolicyError(f"{file} is not JSON: {error}.") from None
    if not isinstance(description, dict):
        raise PolicyError(f"{file} holds {type(description).__name__}, expected a JSON object.")
    version = description.get("schema_version")
    if type(version) is not int or version not in SCHEMA_VERSIONS:  # true == 1 in Python
        expected = " or ".join(map(str, SCHEMA_VERSIONS))
        raise PolicyError(f"{DESCRIPTION_FILE}: schema_version is {reprlib.repr(version)}, expected {expected}.")
    return description


def _load_graph(folder: Path, description: Mapping[str, Any]) -> Any:
    """Return the graph with its parameters as a Gluon block.

    Raises:
        PolicyError: A file is missing, not the one that ``description`` has the checksum of, or refused by MXNet.
    """
    checksums = description.get("sha256")
    if not isinstance(checksums, dict):
        raise PolicyError(f"{DESCRIPTION_FILE}: sha256 is {reprlib.repr(checksums)}, expected a checksum per file.")
    for name in (SYMBOL_FILE, PARAMS_FILE):
        try:
            checksum = sha256(_file_within(folder, name))
        except FileNotFoundError:
            raise PolicyError(f"The policy artifact in {folder} has no {name}.") from None
        except OSError as error:
            raise PolicyError(f"{folder / name} cannot be read: {error.strerror}.") from None
        if checksum != checksums.get(name):
            raise PolicyError(
                f"The policy artifact is damaged: {name} is not the file that {DESCRIPTION_FILE} describes."
            )
    _check_references(folder / SYMBOL_FILE)
    import mxnet as mx  # see Policy.heads

    try:
        block = mx.gluon.SymbolBlock(mx.sym.load(str(folder / SYMBOL_FILE)), mx.sym.var(INPUT, dtype=np.float32))
        block.collect_params().load(str(folder / PARAMS_FILE), cast_dtype=True, dtype_source="saved")
    except (mx.MXNetError, ValueError, AssertionError, AttributeError, KeyError) as error:
        raise PolicyError(f"The policy artifact in {folder} cannot be loaded: {_reason(error)}.") from None
    block.hybridize(static_alloc=True, static_shape=False)
    return block


def _check_references(file: Path) -> None:
    """Refuse a graph whose nodes refer to what there is not: MXNet reads memory that is not its own, and may crash.

    Raises:
        PolicyError: It is such a graph.
    """
    try:
        graph = json.loads(file.read_bytes())
        counts = [int(node.get("attrs", {}).get("num_outputs", MAX_OUTPUTS)) for node in graph["nodes"]]
        references = [(place, *source) for place, node in enumerate(graph["nodes"]) for source in node["inputs"]]
        references += [(len(counts), *source) for source in graph["heads"]]
        is_sound = all(0 <= node < place and 0 <= output < counts[node] for place, node, output, *_ in references)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return  # no graph at all, which MXNet says itself
    if not is_sound:
        raise PolicyError(f"The graph in {file.name} cannot be run: a node refers to an output that there is not.")


def _reason(error: Exception) -> str:
    """Return the sentence in which MXNet says what it refuses, without stack trace, advice and full stop."""
    lines = [line for line in str(error).splitlines() if line.strip() and not line.startswith(("Traceback", " "))]
    if not lines:
        return type(error).__name__
    sentence = re.split(r"\. (?=[A-Z])", lines[0].removeprefix("MXNetError: "))[0]  # not at "(3 vs. 5)"
    return re.sub(r"\[\d\d:\d\d:\d\d\] \S+:\d+: ", "", sentence).rstrip(".")
