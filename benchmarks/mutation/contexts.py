"""A pytest plugin: every line that runs, in this process or in one that a test starts, is recorded under that test.

A process that a shared fixture starts is recorded under the fixture, as all tests that use the fixture show its lines.
``coverage.ini`` hands the environment variable that is set here to processes as their context.
"""

import hashlib
import json
import os
import time
from collections.abc import Iterator
from pathlib import Path

import coverage
import pytest

CONTEXT = "COVERAGE_CONTEXT"
FOLDER = Path(os.environ["COVERAGE_FOLDER"])

_stack: list[tuple[str, float]] = []
_records: dict[str, dict[str, object]] = {}


def context_of(name: str) -> str:
    """Return what coverage.py records a test or a fixture under: short, and without a separator of its own."""
    return hashlib.sha256(name.encode()).hexdigest()[:12]


def _record(context: str) -> None:
    os.environ[CONTEXT] = context
    measuring = coverage.Coverage.current()
    if measuring is not None:
        measuring.switch_context(context)


def _enter(name: str) -> None:
    _stack.append((name, time.monotonic()))
    _record(context_of(name))


def _leave() -> float:
    """Return the seconds since the last ``_enter``; what was entered meanwhile counts for itself alone."""
    _, begun = _stack.pop()
    seconds = time.monotonic() - begun
    if _stack:
        name, outer = _stack[-1]
        _stack[-1] = (name, outer + seconds)
        _record(context_of(name))
    else:
        _record("")
    return seconds


@pytest.hookimpl(wrapper=True)
def pytest_fixture_setup(fixturedef: pytest.FixtureDef[object]) -> Iterator[None]:
    """Give a fixture that tests share a context of its own."""
    if fixturedef.scope == "function":
        return (yield)
    name = f"fixture {fixturedef.argname}"
    _enter(name)
    try:
        return (yield)
    finally:
        _records[name] = {"context": context_of(name), "seconds": _leave()}


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Function) -> Iterator[None]:
    """Give a test its context, and note how long it takes and which shared fixtures it uses."""
    shared = [
        name
        for name, definitions in item._fixtureinfo.name2fixturedefs.items()
        if definitions and definitions[-1].scope != "function"
    ]
    _records[item.nodeid] = {"context": context_of(item.nodeid), "fixtures": shared, "outcome": "passed"}
    _enter(item.nodeid)
    try:
        return (yield)
    finally:
        _records[item.nodeid]["seconds"] = _leave()


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Note which tests do not pass as the code stands: they can show nothing."""
    if report.nodeid in _records and report.outcome != "passed":
        _records[report.nodeid]["outcome"] = report.outcome


def pytest_sessionfinish() -> None:
    """Write what was noted in this process."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    (FOLDER / f"tests-{os.getpid()}.json").write_text(json.dumps(_records), encoding="utf-8")
