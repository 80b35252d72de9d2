"""Run snippets one after the other in one namespace, as a user pastes them: ``run_snippets.py SNIPPETS OUTCOME``.

SNIPPETS is a JSON list of ``[heading, code]``; a snippet that begins with ``# NAME.py`` is saved under that name.
OUTCOME gets a line of JSON for each snippet that has run: its heading, seconds, and the values that it defined, as far
as JSON has them. The SDK's environment runs this: nothing of the project may be imported.
"""

import json
import re
import sys
import time
from pathlib import Path
from typing import Any


def plain(namespace: dict[str, Any]) -> dict[str, Any]:
    """Return what JSON has of a namespace."""
    values = {name: value.tolist() if hasattr(value, "tolist") else value for name, value in namespace.items()}
    texts = {name: value.decode() if isinstance(value, bytes) else value for name, value in values.items()}
    return {name: value for name, value in texts.items() if isinstance(value, str | list | dict)}


def main() -> None:
    namespace: dict[str, Any] = {"__name__": "__main__"}
    with open(sys.argv[2], "w", encoding="utf-8") as outcome:
        for heading, code in json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")):
            start = time.monotonic()
            known = set(namespace)
            print(f"\n=== {heading}", flush=True)
            if match := re.match(r"# (\w+\.py)\n", code):
                Path(match[1]).write_text(code, encoding="utf-8")
            else:
                exec(compile(code, heading, "exec"), namespace)
            defined = plain({name: namespace[name] for name in namespace.keys() - known if name != "__builtins__"})
            line = {"heading": heading, "seconds": time.monotonic() - start, "defined": defined}
            outcome.write(json.dumps(line) + "\n")
            outcome.flush()


if __name__ == "__main__":
    main()
