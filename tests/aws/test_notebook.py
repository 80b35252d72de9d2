"""The notebook, from a fresh kernel to its last cell, in local mode."""

import os
import sys
from pathlib import Path

import nbformat
import pytest
from jobs import ROOT
from launch.cli import errors
from launch.local import images
from nbclient import NotebookClient

NOTEBOOK = ROOT / "notebooks" / "mountain_car.ipynb"


@pytest.fixture
def engine_name(request) -> str:
    """Where the jobs run: in the images, if a Docker engine answers."""
    try:
        images.connect()
    except errors.UsageError:
        if os.environ.get("REQUIRE_DOCKER") == "1":
            raise
        return "process"
    request.getfixturevalue("built")
    return "docker"


def pictures(cell) -> set[str]:
    return {kind for output in cell.outputs for kind in output.get("data", {}) if kind.startswith("image/")}


def printed(cell) -> str:
    return "".join(output.text for output in cell.outputs if output.output_type == "stream")


def test_it_runs_from_a_fresh_kernel_and_shows_its_pictures(engine_name, tmp_path, monkeypatch):
    monkeypatch.setenv("RL_RUNS", str(tmp_path))
    monkeypatch.setenv("RL_LOCAL_ENGINE", engine_name)
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    NotebookClient(
        notebook, timeout=300, kernel_name="python3", resources={"metadata": {"path": str(NOTEBOOK.parent)}}
    ).execute()
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    shown = [kind for cell in code for kind in pictures(cell)]
    assert sorted(shown) == ["image/gif", "image/gif", "image/png"]
    assert any(
        "<iframe" in output.data.get("text/html", "") for cell in code for output in cell.outputs if "data" in output
    )
    by_start = {cell.source.splitlines()[-1]: printed(cell) for cell in code if cell.source}
    driven = next(text for text in by_start.values() if text.startswith("Return "))
    assert float(driven.split()[1]) > 90
    left, right = (
        float(
            by_start[f'predict.main([*where, "--endpoint-name", endpoint_name, "--actions", "{sample}"])']
            .strip("[]\n")
            .split()[-1]
            .strip("[]")
        )
        for sample in ("[0.5, -0.5]", "[-0.5, 0.5]")
    )
    assert left < 0 < right
    assert "Deleted endpoint" in by_start['delete.main([*where, "--endpoint-name", endpoint_name, "--yes"])']


def test_it_is_checked_in_without_output():
    for cell in nbformat.read(NOTEBOOK, as_version=4).cells:
        assert cell.cell_type != "code" or (cell.outputs == [] and cell.execution_count is None)
