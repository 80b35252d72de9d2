"""The README says what is true."""

import re
import runpy
import subprocess
import sys

import pytest
from jobs import CONTAINER_SRC, ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_table_of_hyperparameters_is_the_launchers():
    launcher = runpy.run_path(str(CONTAINER_SRC / "train-coach.py"))["MyLauncher"]
    table = README.partition("| name | meaning | at |")[2].partition("\n\n")[0]
    cells = [[cell.strip() for cell in row.split("|")] for row in table.splitlines() if row.startswith("| `")]
    rows = [(name.strip("`"), path) for _, name, _, path, _ in cells]
    assert [name for name, _ in rows] == [*launcher.job_names, *launcher.short_names]
    for name, path in rows:
        expected = launcher.short_names.get(name)
        if isinstance(expected, tuple):
            assert path == f"`{expected[0]}` and others"
        elif expected:
            assert path == f"`{expected}`"


def test_every_file_that_it_names_is_there():
    named = re.findall(r"\(?((?:docs|docker|scripts|local_test|tests|container_src)/[\w./-]+\w)", README)
    assert len(named) > 10
    for name in named:
        assert (ROOT / name).exists(), name


@pytest.mark.parametrize("scripts", [("train", "evaluate"), ("deploy",)])
def test_every_flag_of_the_tables_is_the_scripts(scripts):
    heading = "| flag of " + " and ".join(f"`{name}.py`" for name in scripts)
    table = README.partition(heading)[2].partition("\n\n")[0]
    flags = set(re.findall(r"(?<![\w-])--?[a-z][\w-]*", table))
    assert len(flags) > 10
    helps = []
    for name in scripts:
        command = [sys.executable, str(ROOT / f"scripts/{name}.py"), "--help"]
        helps.append(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
        for flag in re.findall(r"^  (?:-p NAME=VALUE|(--[\w-]+))", helps[-1].partition("\nAWS:")[0], re.MULTILINE):
            assert flag in flags | {"", "--wait", "--episodes"}, f"{name}.py {flag} is not in the README"
    for flag in flags:
        assert any(re.search(rf"(?<![\w-]){flag}\b", text) for text in helps), flag


def test_every_make_target_that_it_names_is_there():
    targets = set(re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert set(re.findall(r"make (\w+)", README)) <= targets


def test_its_regular_expressions_read_a_real_log(ppo_job):
    row = re.search(r"^\| standard output \|.*$", README, re.MULTILINE)
    assert row
    patterns = list(re.findall(r"`(\^[^`]*)`", row[0]))
    assert len(patterns) == 6
    for pattern in patterns:
        values = re.findall(pattern, ppo_job.log, re.MULTILINE)
        assert values, pattern
        assert [float(value) for value in values]
