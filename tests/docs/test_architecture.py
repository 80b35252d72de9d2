"""docs/architecture.md: its picture is the import contracts', and the files and functions that it names are there."""

import ast
import re
import tomllib
from collections.abc import Iterator
from itertools import combinations, pairwise, product
from pathlib import Path

import pytest
from documents import Page
from jobs import CONTAINER_SRC, ROOT

PAGE = Page("docs/architecture.md")
MOST_STOPS = 8
FEWEST_ROWS = 20


def contracts(kind: str) -> list[dict[str, list[str]]]:
    """Return the contracts of a kind (``layers``, ``forbidden``) in pyproject.toml."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    linter = settings["tool"].get("importlinter", {})
    return [contract for contract in linter.get("contracts", []) if contract["type"] == kind]


def room(module: str) -> str:
    """Return the name of a module in the picture: ``sagemaker_rl.job`` is ``job``."""
    return module.strip(" ()").rpartition(".")[2]


def floors(contract: dict[str, list[str]]) -> list[list[str]]:
    """Return a contract's layers, the highest first; modules of one layer are separated by ``|`` or ``:``."""
    return [[room(module) for module in re.split("[|:]", layer)] for layer in contract["layers"]]


def arrows() -> set[tuple[str, str]]:
    """Return the arrows of the picture."""
    (picture,) = [code for _, language, code in PAGE.blocks() if language == "mermaid"]
    pairs = set()
    for line in picture.splitlines():
        nodes = [node.strip() for node in line.split("-->")]
        pairs.update(pairwise(nodes))
    return pairs


def reached() -> dict[str, set[str]]:
    """Return what the arrows lead to from each node, directly or by way of others."""
    lower: dict[str, set[str]] = {}
    for start, end in arrows():
        lower.setdefault(start, set()).add(end)
        lower.setdefault(end, set())

    def follow(node: str) -> Iterator[str]:
        for below in lower[node]:
            yield below
            yield from follow(below)

    return {node: set(follow(node)) for node in lower}


def test_the_picture_is_that_of_the_contracts():
    below = reached()
    assert len(contracts("layers")) >= 2, "pyproject.toml has no contracts of layers for both packages"
    forbidden = {
        (room(source), room(target))
        for contract in contracts("forbidden")
        for source in contract["source_modules"]
        for target in contract["forbidden_modules"]
    }
    for contract in contracts("layers"):
        for uppers, lowers in combinations(floors(contract), 2):
            for upper, lower in product(uppers, lowers):
                assert upper not in below[lower], f"{lower} --> {upper} goes up"
            assert lowers[0] in below[uppers[0]], f"no arrow {uppers[0]} --> {lowers[0]}"
    for source, target in forbidden:
        assert target not in below.get(source, set()), f"{source} --> {target} is forbidden"


def test_no_arrows_go_in_a_circle():
    try:
        reached()
    except RecursionError:
        pytest.fail("the arrows of the picture go in a circle")


def test_every_package_is_in_the_picture():
    for folder in (CONTAINER_SRC / "sagemaker_rl", ROOT / "scripts/launch"):
        names = {path.stem for path in folder.iterdir() if path.suffix == ".py" or (path / "__init__.py").is_file()}
        assert names - {"__init__"} <= set(reached()), folder


def functions(file: Path) -> set[str]:
    tree = ast.parse(file.read_text(encoding="utf-8"))
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}


def walks() -> dict[str, list[str]]:
    """Return the stops of each walk, by the walk's heading."""
    sections = re.findall(r"^## ([^\n]*)\n(.*?)(?=^## |\Z)", PAGE.text, re.MULTILINE | re.DOTALL)
    stops = {heading: re.findall(r"^\d+\. (.*)$", text, re.MULTILINE) for heading, text in sections}
    return {heading: found for heading, found in stops.items() if found}


def test_there_are_three_walks():
    assert len(walks()) == 3


@pytest.mark.parametrize("heading", walks())
def test_the_stops_of_a_walk_are_there(heading):
    stops = walks()[heading]
    assert 3 <= len(stops) <= MOST_STOPS
    for stop in stops:
        named = re.findall(r"`([\w./-]+\.py)::(\w+)`", stop)
        assert named, stop
        for file, function in named:
            assert function in functions(ROOT / file), f"{file}::{function}"


def test_the_files_to_edit_are_there():
    table = PAGE.text.partition("| to change | edit |")[2].partition("\n\n")[0]
    rows = [row for row in table.splitlines() if row.startswith("| ") and "---" not in row]
    assert len(rows) >= FEWEST_ROWS
    for row in rows:
        _, _, edit, _ = row.split("|")
        files = re.findall(r"`([\w./-]+)`", edit)
        assert files, row
        for file in files:
            places = (ROOT / file, CONTAINER_SRC / "sagemaker_rl" / file)
            assert any(place.is_file() for place in places), f"{row}: {file}"
