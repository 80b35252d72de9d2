"""What a preset asks for, beside what the fast path implements."""

from collections.abc import Mapping
from typing import Any


def first_difference(options: Mapping[str, tuple[Any, Any]]) -> str | None:
    """Return which of the options, name -> (value, implemented value), is the first to differ; None if none does."""
    for name, (value, implemented) in options.items():
        if value != implemented:
            return f"{name} is {getattr(value, '__name__', value)}"
    return None
