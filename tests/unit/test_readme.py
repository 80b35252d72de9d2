"""The README says what is true."""

import re
import runpy

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
