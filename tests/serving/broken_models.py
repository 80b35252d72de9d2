"""Models that no checksum tells to be broken."""

import json
from pathlib import Path

from sagemaker_rl.policy.artifact import sha256


def crash(model: Path) -> None:
    """Have a graph refer to an output that there is not: MXNet reads memory that is not its own."""
    graph = json.loads((model / "policy-symbol.json").read_text(encoding="utf-8"))
    graph["nodes"][-1]["inputs"][0][1] = 77
    (model / "policy-symbol.json").write_text(json.dumps(graph), encoding="utf-8")
    description = json.loads((model / "policy.json").read_text(encoding="utf-8"))
    description["sha256"]["policy-symbol.json"] = sha256(model / "policy-symbol.json")
    (model / "policy.json").write_text(json.dumps(description), encoding="utf-8")
