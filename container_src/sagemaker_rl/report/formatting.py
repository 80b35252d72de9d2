"""Numbers as the report writes them."""

import math


def format_number(value: float, spec: str = ".2f") -> str:
    """Return ``value`` in the format ``spec``; "no number" if it is not finite; a zero never has a minus."""
    if not math.isfinite(value):
        return "no number"
    text = f"{value:{spec}}"
    return text.removeprefix("-") if float(text) == 0 else text


def format_percent(share: float) -> str:
    """Return whole percents, rounded down, 100 at most: less than all is never called 100%."""
    return f"{min(math.floor(100 * share + 1e-9), 100)}%"


def format_count(number: int, noun: str) -> str:
    """Return "1 row", "2 rows" and so on."""
    return f"{number} {noun}{'' if number == 1 else 's'}"
