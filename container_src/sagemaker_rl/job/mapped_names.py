"""Which short names a launcher's own ``map_hyperparameter`` knows, for ``did you mean``."""

import re
from collections.abc import Callable, Iterator
from typing import Any

SHORT_NAME = re.compile(r"[A-Za-z]\w*")


def names_in(function: Callable[..., Any], owner: type) -> list[str]:
    """Return the names that a function may compare a hyperparameter's name with.

    They are the strings in its code that could be one, and the keys of dictionaries from strings to strings that it
    reads from its module or from the class ``owner``.
    """
    code = function.__code__
    named = [function.__globals__.get(name, getattr(owner, name, None)) for name in code.co_names]
    tables = [table for table in named if isinstance(table, dict) and all(_is_text(value) for value in table.values())]
    candidates = [*_strings(code.co_consts), *(key for table in tables for key in table if isinstance(key, str))]
    return sorted({name for name in candidates if SHORT_NAME.fullmatch(name)})


def _strings(constants: Any) -> Iterator[str]:
    for constant in constants:
        if isinstance(constant, str):
            yield constant
        elif isinstance(constant, tuple | frozenset):
            yield from _strings(constant)


def _is_text(value: Any) -> bool:
    return isinstance(value, str) or (isinstance(value, list | tuple) and all(isinstance(item, str) for item in value))
