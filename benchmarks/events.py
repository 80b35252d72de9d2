"""The lines in which a runner tells ``bench.py`` what it measured: a mark, then one JSON object."""

import json
from typing import Any

MARK = "bench> "


def emit(event: str, **values: Any) -> None:
    """Print one event: ``started``, ``evaluation``, ``trained``, ``final`` or ``rollout``."""
    print(MARK + json.dumps({"event": event, **values}), flush=True)


def parse(line: str) -> dict[str, Any] | None:
    """Return the event that a line holds, None if it is any other line."""
    return json.loads(line.removeprefix(MARK)) if line.startswith(MARK) else None
