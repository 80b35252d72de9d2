"""Which tests run a line, and how long they take: measured once a revision, with coverage.py's contexts."""

import ast
import json
import os
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from coverage import CoverageData

HERE = Path(__file__).parent
MEASURED = ("tests/unit", "tests/serving", "tests/process", "tests/aws")
"""The tests that mutants are shown to. Those of images would need a build each, those of the documents show prose."""
NO_ENGINE = {"DOCKER_HOST": "unix:///nonexistent.sock"}


@dataclass
class Test:
    """A test that passes as the code stands.

    Attributes:
        seconds: what it takes alone, beside the fixtures that it shares.
        fixtures: the names of those.
    """

    name: str
    seconds: float
    fixtures: list[str] = field(default_factory=list)


def measure(clone: Path, python: Path, tests: Iterable[str], folder: Path) -> None:
    """Run the tests of a clone once and write to ``folder`` which lines each of them runs."""
    environment = {**os.environ, **NO_ENGINE, "PYTHONPATH": str(HERE)}
    environment |= {"COVERAGE_FOLDER": str(folder), "COVERAGE_ROOT": str(clone)}
    environment["COVERAGE_PROCESS_START"] = str(HERE / "coverage.ini")
    settings = f"--rcfile={HERE / 'coverage.ini'}"
    pytest = ["-m", "pytest", "-q", "-p", "contexts", "--numprocesses", "2", "--dist", "loadfile", *tests]
    with (folder / "measured.log").open("w", encoding="utf-8") as log:
        # Not checked: what fails or is skipped here is shown to no mutant.
        subprocess.run(
            [str(python), "-m", "coverage", "run", settings, *pytest], cwd=clone, env=environment, stdout=log
        )
        combine = [str(python), "-m", "coverage", "combine", "--quiet", settings]
        subprocess.run(combine, cwd=clone, env=environment, stdout=log, check=True)


class CoveringTests:
    """Finds the tests of a place in the code, the quickest first."""

    def __init__(self, folder: Path, clone: Path) -> None:
        records = {}
        for file in sorted(folder.glob("tests-*.json")):
            records.update(json.loads(file.read_text(encoding="utf-8")))
        self._data = CoverageData(str(folder / "lines"))
        self._data.read()
        self._clone = clone
        fixtures = {name: record for name, record in records.items() if name.startswith("fixture ")}
        self._fixture_seconds = {name.removeprefix("fixture "): record["seconds"] for name, record in fixtures.items()}
        self._tests_of: dict[str, list[Test]] = {}
        for name, record in records.items():
            if record.get("outcome") == "passed" and "seconds" in record:
                test = Test(name, record["seconds"], [f for f in record["fixtures"] if f in self._fixture_seconds])
                contexts = [record["context"], *(records[f"fixture {f}"]["context"] for f in test.fixtures)]
                for context in contexts:
                    self._tests_of.setdefault(context, []).append(test)

    def find(self, module: Path, source: str, row: int, most_seconds: float) -> tuple[list[str], float]:
        """Return the names of the tests of the statement in a row, and the seconds that they take together.

        Those that take the least come first, until ``most_seconds`` are used up; one test at least, if there is one.
        """
        by_row = self._data.contexts_by_lineno(str(self._clone / module))
        contexts = {context for shown in rows_of(source, row) for context in by_row.get(shown, [])}
        found = {test.name: test for context in contexts for test in self._tests_of.get(context, [])}
        chosen: list[str] = []
        used, shared = 0.0, set[str]()
        for test in sorted(found.values(), key=self._seconds):
            seconds = test.seconds + sum(self._fixture_seconds[name] for name in test.fixtures if name not in shared)
            if chosen and used + seconds > most_seconds:
                continue
            chosen.append(test.name)
            used += seconds
            shared |= set(test.fixtures)
        return chosen, used

    def _seconds(self, test: Test) -> float:
        return test.seconds + sum(self._fixture_seconds[name] for name in test.fixtures)


def rows_of(source: str, row: int) -> Iterable[int]:
    """Return the rows whose tests are those of a row.

    Of a statement in a function these are the statement's own; a compound statement ends where its body begins. What
    runs when a module is imported (a constant, a decorator, a default) shows where its name is read, or anywhere.
    """
    tree = ast.parse(source)
    inner: ast.stmt | None = None
    in_function = False
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.body[0].lineno <= row <= _end(node):
            in_function = True
        if isinstance(node, ast.stmt) and node.lineno <= row <= _end(node):
            inner = node if inner is None or node.lineno >= inner.lineno else inner
    if inner is not None and in_function:
        body = getattr(inner, "body", None)
        return range(inner.lineno, body[0].lineno if body else _end(inner) + 1)
    named = [node for node in ast.walk(inner or tree) if isinstance(node, ast.Name)]
    stored = {name.id for name in named if isinstance(name.ctx, ast.Store)} if inner else set()
    every = [node for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)]
    reads = [name.lineno for name in every if name.id in stored]
    return reads or range(1, source.count("\n") + 2)


def _end(node: ast.stmt) -> int:
    return node.end_lineno or node.lineno
