"""Whether the program in ``code/`` of a model is a handler that can answer, told from its text, without running it.

Two sorts are none, and the policy artifact beside them answers in their place:

- a program that defines none of the functions of https://github.com/aws/sagemaker-inference-toolkit#implementation-steps:
  ``RLEstimator.deploy()`` ships the training script as SAGEMAKER_PROGRAM;
- a handler around an ONNX file that the model does not hold, as AWS's ``deploy-mxnet-coach.py`` is. Its answer has the
  shape of this package's: a list of heads, each with a row per observation.
"""

import ast
from pathlib import Path

from sagemaker_rl.policy.artifact import DESCRIPTION_FILE

FUNCTIONS = ("model_fn", "input_fn", "predict_fn", "output_fn", "transform_fn")


def why_not_run(folder: Path, program: str) -> str:
    """Return why ``code/PROGRAM`` cannot answer and the artifact can; empty if the program is to be run.

    Args:
        folder: the unpacked model.tar.gz.
        program: the file's name, which is there.
    """
    if not (folder / DESCRIPTION_FILE).is_file():
        return ""
    nothing_defined = f"it defines none of {', '.join(FUNCTIONS)}"
    if not program.endswith(".py"):
        return nothing_defined
    try:
        tree = ast.parse((folder / "code" / program).read_bytes())
    except (OSError, SyntaxError, ValueError, RecursionError, MemoryError):  # the last two of one nested too deeply
        return ""  # running it says what is wrong
    names = _names_of_module(tree)
    if "*" not in names and not names.intersection(FUNCTIONS):
        return nothing_defined
    if _reads_onnx(tree) and not any(folder.rglob("*.onnx")):
        return "the model holds no ONNX file"
    return ""


def _names_of_module(tree: ast.Module) -> set[str]:
    """Return the names that a module's own statements bind; ``*`` for those of another module that it takes over."""
    names: set[str] = set()
    nodes: list[ast.AST] = list(tree.body)
    while nodes:
        node = nodes.pop()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names.add(node.name)
            continue  # what it binds inside is its own
        if isinstance(node, ast.Import | ast.ImportFrom):
            names.update(alias.asname or alias.name for alias in node.names)
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.id)
        nodes.extend(ast.iter_child_nodes(node))
    return names


def _reads_onnx(tree: ast.Module) -> bool:
    """Tell whether a module uses a package for ONNX, anywhere in it, and names a file ``….onnx``."""
    nodes = list(ast.walk(tree))
    modules = {alias.name for node in nodes if isinstance(node, ast.Import | ast.ImportFrom) for alias in node.names}
    modules.update(node.module or "" for node in nodes if isinstance(node, ast.ImportFrom))
    modules.update(node.attr for node in nodes if isinstance(node, ast.Attribute))  # mx.contrib.onnx
    texts = [node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)]
    uses_package = any(part.startswith("onnx") for module in modules for part in module.split("."))
    return uses_package and any(text.endswith(".onnx") for text in texts)
