"""The launcher of a job without a preset (``SageMakerCoachLauncher``), for the image's evaluation script.

The checkpoint of such a job names the launcher's class where others name a preset; the class is in the user's program.
"""

import ast
import importlib.util
import sys
from pathlib import Path
from typing import Any

from sagemaker_rl.coach_launcher import SageMakerCoachLauncher
from sagemaker_rl.job.hyperparameters import from_arguments, read_hyperparameters
from sagemaker_rl.job.ml_paths import MLPaths


def find_launcher(folder: Path) -> type[SageMakerCoachLauncher] | None:
    """Return the launcher that the job's RLCOACH_PRESET names, imported from a program in ``folder``; None if none is.

    Only a program is imported that runs its job under ``if __name__ == "__main__"``: another would train.
    """
    given = {**from_arguments(sys.argv[1:]), **read_hyperparameters(MLPaths.from_environment().hyperparameters)}
    name = str(given.get("RLCOACH_PRESET", ""))
    if not name.isidentifier() or (folder / f"{name}.py").is_file():
        return None
    for program in sorted(folder.glob("*.py")):
        if _defines(program, name):
            found = getattr(_import(program), name)
            if isinstance(found, type) and issubclass(found, SageMakerCoachLauncher):
                return found
    return None


def _defines(program: Path, name: str) -> bool:
    """Tell whether a program defines a class, and may be imported."""
    try:
        statements = ast.parse(program.read_bytes()).body
    except (OSError, SyntaxError, ValueError, RecursionError, MemoryError):  # the last two of one nested too deeply
        return False
    guarded = any(isinstance(node, ast.If) and "__name__" in ast.unparse(node.test) for node in statements)
    return guarded and any(isinstance(node, ast.ClassDef) and node.name == name for node in statements)


def _import(program: Path) -> Any:
    spec = importlib.util.spec_from_file_location(program.stem.replace("-", "_"), program)
    assert spec is not None and spec.loader is not None  # its name ends in .py
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module
