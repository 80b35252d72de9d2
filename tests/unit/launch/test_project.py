"""Names and places of this project."""

import re
import subprocess
from pathlib import Path

import pytest
from launch import project


def git(folder: Path, *arguments: str) -> str:
    settings = ("-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgsign=false")
    return subprocess.check_output(["git", *settings, *arguments], cwd=folder, text=True).strip()


def test_the_revision_says_whether_there_are_changes(monkeypatch, tmp_path):
    monkeypatch.setattr(project, "ROOT", tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert project.git_revision() == "unknown"
    git(tmp_path, "init", "-q")
    (tmp_path / "a").write_text("1")
    git(tmp_path, "add", "a")
    git(tmp_path, "commit", "-q", "-m", "one")
    revision = git(tmp_path, "rev-parse", "HEAD")[:12]
    assert project.git_revision() == revision
    (tmp_path / "a").write_text("2")
    assert project.git_revision() == f"{revision}-dirty"
    monkeypatch.setenv("PATH", str(tmp_path))  # there is no git
    assert project.git_revision() == "unknown"


def test_results_are_where_the_environment_says(monkeypatch, tmp_path):
    monkeypatch.setenv("RL_RUNS", f"{tmp_path}/x/../y")
    assert project.runs_folder() == tmp_path / "y"
    for unset in (lambda: monkeypatch.setenv("RL_RUNS", ""), lambda: monkeypatch.delenv("RL_RUNS")):
        unset()
        assert project.runs_folder() == project.ROOT / "runs"
    assert (project.ROOT / "scripts/launch/project.py").is_file()


@pytest.mark.parametrize(("base", "length"), [("cars", 31), ("x" * 36, 63), ("x" * 37, 63)])
def test_a_name_ends_with_the_time_of_day(base, length):
    name = project.unique_name(base)
    assert len(name) == length
    assert re.fullmatch(rf"{base}-\d{{4}}(-\d\d){{5}}-\d+", name)
