"""Tables, flags and figures of the pages are the code's."""

import contextlib
import io
import json
import re
import runpy
import sys
from functools import cache
from unittest import mock

import pytest
from documents import PAGES, Page
from jobs import CONTAINER_SRC, ROOT
from launch.cli.bounds import BOUNDS
from sagemaker_rl.coach import preset_values
from sagemaker_rl.coach.preset_values import paths_of
from sagemaker_rl.job import hyperparameters
from sagemaker_rl.serving import settings

README, TRAINING, SERVING, AWS = (
    Page(name) for name in ("README.md", "docs/training.md", "docs/serving.md", "docs/aws.md")
)
SCRIPTS = {path.stem for path in (ROOT / "scripts").glob("*.py")}
FLAG = re.compile(r"(?<![\w-])--?[a-z][\w-]*")


@cache
def help_of(script: str) -> str:
    main = runpy.run_path(str(ROOT / f"scripts/{script}.py"))["main"]
    with (
        contextlib.redirect_stdout(io.StringIO()) as text,
        mock.patch.object(sys, "argv", [f"{script}.py", "--help"]),
        pytest.raises(SystemExit),
    ):
        main()
    return text.getvalue()


def has_flag(script: str, flag: str) -> bool:
    return re.search(rf"(?<![\w-]){re.escape(flag)}(?![\w-])", help_of(script)) is not None


def table_after(page: Page, heading: str) -> str:
    assert heading in page.text, heading
    return page.text.partition(heading)[2].partition("\n\n")[0]


def rows_after(page: Page, heading: str) -> list[list[str]]:
    """Return the cells of a table's rows."""
    rows = [row for row in table_after(page, heading).splitlines() if row.startswith("| `")]
    return [[cell.strip() for cell in row.split("|")[1:-1]] for row in rows]


def test_the_table_of_hyperparameters_is_the_launchers():
    launcher = runpy.run_path(str(CONTAINER_SRC / "train-coach.py"))["MyLauncher"]
    rows = [
        (name.strip("`"), values, path) for name, _, values, path in rows_after(TRAINING, "| name | meaning | values |")
    ]
    assert [name for name, _, _ in rows] == [*launcher.job_names, *launcher.short_names]
    for name, values, path in rows:
        expected = launcher.short_names.get(name)
        if isinstance(expected, tuple):
            assert path == f"`{expected[0]}` and others"
        elif expected:
            assert path == f"`{expected}`"
        if expected:
            leaf = paths_of(expected)[0].partition(":")[0].rpartition(".")[2]
            assert values == str(preset_values.RANGES.get(leaf, preset_values.STEP_COUNT))
        elif name in hyperparameters.RANGES:
            assert values == str(hyperparameters.RANGES[name])


def test_the_ranges_of_a_presets_values_are_those_that_are_taken():
    rows = rows_after(TRAINING, "| last part of the path | values |")
    assert rows == [[f"`{leaf}`", str(allowed)] for leaf, allowed in preset_values.RANGES.items()]


@pytest.mark.parametrize(
    "scripts", [("train", "evaluate"), ("tune",), ("transform",), ("register",), ("deploy",), ("push_images",)]
)
def test_every_flag_of_the_tables_is_the_scripts(scripts):
    table = table_after(AWS, "| flag of " + " and ".join(f"`{name}.py`" for name in scripts))
    flags = set(FLAG.findall(table))
    assert len(flags) > 5
    if scripts == ("tune",):  # which has those of train.py too
        scripts = ("tune", "train")
        table += table_after(AWS, "| flag of `train.py`")
        flags = set(FLAG.findall(table))
    for name in scripts:
        for flag in re.findall(r"^  (?:-p NAME=VALUE|(--[\w-]+))", help_of(name).partition("\nAWS:")[0], re.MULTILINE):
            assert flag in flags | {"", "--wait", "--episodes"}, f"{name}.py {flag} is not in the table"
    for flag in flags:
        assert any(has_flag(name, flag) for name in scripts), flag


def test_the_numbers_of_flags_are_those_that_are_taken():
    rows = rows_after(AWS, "| number | what it may be |")
    assert rows == [[f"`{flag}`", str(allowed)] for flag, allowed in BOUNDS.items()]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_flag_beside_a_script_is_the_scripts(page):
    """As in ``python scripts/deploy.py --local JOB | ...``."""
    for text in page.code():
        for script, arguments in re.findall(r"(?<![\w-])(\w+)\.py((?: [^|;&\n]*)?)", text):
            if script in SCRIPTS:
                for flag in FLAG.findall(re.sub(r"'[^']*'|(?<= )-[\d.]\S*", "", arguments)):
                    assert has_flag(script, flag), f"{script}.py {flag}"


def test_scripts_of_the_pages_are_there():
    named = {name for page in PAGES for text in page.code() for name in re.findall(r"scripts/(\w+)\.py", text)}
    assert len(named) > 10
    assert named <= SCRIPTS | {"VERB"}


def test_the_table_of_the_endpoints_settings_is_whole():
    """Not in it: where ``/opt/ml`` is, and the variable that the section about several models explains."""
    table = table_after(SERVING, "| environment variable | meaning | values | default |")
    sources = [path.read_text(encoding="utf-8") for path in (CONTAINER_SRC / "sagemaker_rl/serving").rglob("*.py")]
    read = {name for source in sources for name in re.findall(r'"(SAGEMAKER_[A-Z_]+)"', source)}
    assert set(re.findall(r"SAGEMAKER_[A-Z_]+", table)) == read - {"SAGEMAKER_BASE_DIR", "SAGEMAKER_MULTI_MODEL"}


def test_the_numbers_of_the_endpoints_settings_are_those_that_are_taken():
    rows = rows_after(SERVING, "| environment variable | meaning | values | default |")
    given = {name: values for names, _, values, _ in rows for name in re.findall(r"SAGEMAKER_[A-Z_]+", names)}
    for name, allowed in settings.BOUNDS.items():
        assert given[name].partition(", ")[0] == str(allowed), name


def test_figures_of_the_readme_are_those_that_were_measured():
    table = table_after(README, "| | this project | peer | command |")
    training = json.loads((ROOT / "benchmarks/results.json").read_text(encoding="utf-8"))
    endpoint = json.loads((ROOT / "benchmarks/results-serving.json").read_text(encoding="utf-8"))
    summaries = {summary["system"]: summary for summary in training["summary"]}
    loads = {
        system: {(load["rows"], load["connections"]): load for load in measured["loads"]}
        for system, measured in endpoint["systems"].items()
    }
    assert training["machine"]["cores"] == endpoint["machine"]["cores"] == 2
    expected = []
    for system in ("ours-notebook", "stock-coach", "ours-continuous", "sb3-ppo", "sb3-sac", "ours-discrete", "sb3-dqn"):
        seconds, worst = summaries[system]["wall_seconds"], summaries[system]["final_worst"]
        expected += [f"{seconds:.1f} s" if seconds < 100 else f"{seconds:.0f} s", rounded(worst)]
    for measured in loads.values():
        busy, single = measured[1, 16], measured[1, 1]
        expected.append(f"{busy['requests_per_second']:,.0f}")
        expected += [f"{1000 * busy['p99']:.2f} ms", f"{1000 * single['p50']:.2f} ms"]
    missing = [figure for figure in expected if figure not in table]
    assert not missing


def rounded(value: float) -> str:
    """Return a return as the README has it."""
    texts = (f"{value:.2f}", f"{value:.1f}", f"{value:,.0f}")
    return next((text for text in texts if re.search(rf"(?<![\d.]){re.escape(text)}(?![\d.])", README.text)), texts[0])


def test_its_regular_expressions_read_a_real_log(ppo_job):
    row = re.search(r"^\| standard output \|.*$", TRAINING.text, re.MULTILINE)
    assert row
    patterns = list(re.findall(r"`(\^[^`]*)`", row[0]))
    assert len(patterns) == 6
    for pattern in patterns:
        values = re.findall(pattern, ppo_job.log, re.MULTILINE)
        assert values, pattern
        assert [float(value) for value in values]
