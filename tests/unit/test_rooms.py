"""The doors beside the packages: entry points of the images and scripts do not know each other.

``lint-imports`` sees packages only; the contracts for these stand in pyproject.toml.
"""

import ast
from collections import Counter
from pathlib import Path

import pytest
from jobs import CONTAINER_SRC, ROOT

SCRIPTS = sorted((ROOT / "scripts").glob("*.py"))
ENTRY_POINTS = sorted(CONTAINER_SRC.glob("*.py"))


def imported(file: Path) -> set[str]:
    """Return the top-level packages that a file imports, anywhere in it."""
    names = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add(node.module or "")
    return {name.partition(".")[0] for name in names}


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda file: file.name)
def test_a_script_imports_nothing_of_the_containers(script):
    assert not imported(script) & {"sagemaker_rl", "rl_coach", "mxnet", *(file.stem for file in ENTRY_POINTS)}


@pytest.mark.parametrize("entry_point", ENTRY_POINTS, ids=lambda file: file.name)
def test_an_entry_point_imports_nothing_of_the_scripts(entry_point):
    assert not imported(entry_point) & {"launch", "boto3", "docker"}


def test_no_file_is_longer_than_400_lines():
    folders = (CONTAINER_SRC, ROOT / "scripts", ROOT / "tests", ROOT / "benchmarks")
    lengths = {
        str(file.relative_to(ROOT)): len(file.read_text(encoding="utf-8").splitlines())
        for folder in folders
        for file in folder.rglob("*.py")
    }
    assert len(lengths) > 150
    assert not {name: length for name, length in lengths.items() if length > 400}


def test_every_test_file_has_a_name_of_its_own():
    """pytest imports them by their names alone."""
    names = Counter(file.name for file in (ROOT / "tests").rglob("test_*.py"))
    assert not [name for name, count in names.items() if count > 1]
