"""The part of JSONPath that the filters of batch transform may use.

https://docs.aws.amazon.com/sagemaker/latest/dg/batch-transform-data-processing.html
"""

import re
from collections.abc import Sequence
from typing import Any, NamedTuple

MAX_LENGTH = 63
"""Of a filter, in characters."""
EXPECTED = "$, $.name, $['a','b'], $[0], $[0,-1], $[1:] or $.*, also one after the other"
_QUOTED = r"""(?:'[^']*'|"[^"]*")"""
_STEP = re.compile(
    rf"""
    \.(?P<name>[^\s.\[\]*'",:]+)
    | \.?\[\s*(?P<names>{_QUOTED}(?:\s*,\s*{_QUOTED})*)\s*\]
    | \.?\[\s*(?P<indexes>-?\d+(?:\s*,\s*-?\d+)*)\s*\]
    | \.?\[\s*(?P<start>-?\d*)\s*:\s*(?P<stop>-?\d*)\s*\]
    | (?P<all>\.\*|\.?\[\s*\*\s*\])
    """,
    re.VERBOSE,
)


class PathError(ValueError):
    """A text is no path, or a value has nothing at the path."""


class Step(NamedTuple):
    """What a path takes of a value: members of an object, elements of an array, a slice of it, or all.

    Attributes:
        keys: names or indexes; None for a slice or for all.
        part: a slice; None for keys or for all.
    """

    keys: tuple[str, ...] | tuple[int, ...] | None = None
    part: slice | None = None


class JsonPath:
    """A path, from its text.

    Raises:
        PathError: It does not begin with ``$``, has another form, or is too long.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        if len(text) > MAX_LENGTH:
            raise PathError(f"{text[:80]!r}, which has {len(text)} characters, expected at most {MAX_LENGTH}")
        if not text.startswith("$"):
            raise PathError(f"{text!r}, which does not begin with $, expected a JSONPath: {EXPECTED}")
        self._steps: list[Step] = []
        position = 1
        while position < len(text):
            match = _STEP.match(text, position)
            if match is None:
                raise PathError(f"{text!r}, which batch transform does not know, expected {EXPECTED}")
            self._steps.append(_step(match))
            position = match.end()

    @property
    def is_whole(self) -> bool:
        """Whether it takes a value as it is."""
        return not self._steps

    def select(self, value: Any) -> Any:
        """Return what the path takes of a value of JSON.

        One name or one index gives what is there, several names an object, all else an array.

        Raises:
            PathError: There is nothing at the path.
        """
        return _select(value, self._steps)


def _step(match: re.Match[str]) -> Step:
    if match["name"] is not None:
        return Step((match["name"],))
    if match["names"] is not None:
        return Step(tuple(quoted[1:-1] for quoted in re.findall(_QUOTED, match["names"])))
    if match["indexes"] is not None:
        return Step(tuple(int(index) for index in match["indexes"].split(",")))
    if match["all"] is not None:
        return Step()
    start, stop = (int(text) if text else None for text in (match["start"], match["stop"]))
    return Step(part=slice(start, stop))


def _select(value: Any, steps: Sequence[Step]) -> Any:
    if not steps:
        return value
    (keys, part), *rest = steps
    if keys is None:
        return [_select(child, rest) for child in _children(value, part)]
    found = [(key, _select(_child(value, key), rest)) for key in keys]
    if len(found) == 1:
        return found[0][1]
    return dict(found) if isinstance(keys[0], str) else [child for _, child in found]


def _children(value: Any, part: slice | None) -> list[Any]:
    if isinstance(value, list):
        return value if part is None else value[part]
    if isinstance(value, dict) and part is None:
        return list(value.values())
    raise PathError(f"there is no array where it expects one, but {str(value)[:80]!r}")


def _child(value: Any, key: Any) -> Any:
    kind, name = (dict, "object") if isinstance(key, str) else (list, "array")
    if not isinstance(value, kind):
        raise PathError(f"there is no {name} where it expects one, but {str(value)[:80]!r}")
    try:
        return value[key]
    except (KeyError, IndexError):
        raise PathError(f"there is no {key!r} in it") from None
