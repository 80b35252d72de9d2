"""The notebook, from a fresh kernel to its last cell, in local mode."""

import os
import re
import runpy
import sys
from pathlib import Path

import nbformat
import pytest
from jobs import ROOT
from launch.cli import errors
from launch.local import images

EXECUTE = runpy.run_path(str(ROOT / "notebooks/execute.py"))
NOTEBOOK = EXECUTE["NOTEBOOK"]
NUMBER = re.compile(r"-?\d[\d.e+-]*")


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


def pages(cell) -> list[str]:
    return [output.data["text/html"] for output in cell.outputs if "text/html" in output.get("data", {})]


def printed(cell) -> str:
    return "".join(output.text for output in cell.outputs if output.output_type == "stream")


def shape_of(cell) -> list[tuple[str, list[str]]]:
    """Return the kinds of a cell's outputs and of the lines in them, whatever their numbers are.

    Numbers depend on the processor's arithmetic, and by them how many episodes there are.
    """
    return [
        (
            output.get("name", output.output_type),
            sorted({NUMBER.sub("#", line) for line in output.text.splitlines()})
            if output.output_type == "stream"
            else sorted(output.data),
        )
        for output in cell.outputs
    ]


def test_it_runs_from_a_fresh_kernel_and_its_outputs_are_those_that_are_checked_in(engine_name, tmp_path, monkeypatch):
    monkeypatch.setenv("RL_RUNS", str(tmp_path))
    monkeypatch.setenv("RL_LOCAL_ENGINE", engine_name)
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    checked_in = nbformat.read(NOTEBOOK, as_version=4)
    notebook = EXECUTE["execute"](nbformat.read(NOTEBOOK, as_version=4))
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert any("<iframe" in html for cell in code for html in pages(cell))
    EXECUTE["clean"](notebook, tmp_path)
    for ran, kept in zip(notebook.cells, checked_in.cells, strict=True):
        if ran.cell_type == "code":
            assert shape_of(ran) == shape_of(kept), ran.source
            assert ran.execution_count == kept.execution_count
    shown = [kind for cell in code for kind in pictures(cell)]
    assert shown == ["image/png"]
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


def test_what_is_checked_in_can_be_looked_at_anywhere():
    """GIFs are data of the page, with a text in their place; there are no warnings, and no paths of a machine."""
    cells = [cell for cell in nbformat.read(NOTEBOOK, as_version=4).cells if cell.cell_type == "code"]
    outputs = [output for cell in cells for output in cell.outputs]
    assert [output.name for output in outputs if output.output_type == "stream" and output.name != "stdout"] == []
    tags = [html for cell in cells for html in pages(cell) if html.startswith("<img ")]
    for tag in tags:
        assert re.fullmatch(r'<img src="data:image/gif;base64,R0lGOD[\w+/=]+" alt="The car[^"]+">', tag), tag[:100]
    assert len(tags) == 2
    (plot,) = (output for output in outputs if "image/png" in output.get("data", {}))
    assert plot.metadata["image/png"]["alt"]
    assert NOTEBOOK.stat().st_size < 1_000_000
    text = "".join(output.get("text", "") + output.get("data", {}).get("text/plain", "") for output in outputs)
    assert len(text) > 10_000
    assert not re.search(r"/(?:home|root|tmp)/(?!\.\.\.)|127\.0\.0\.1:(?!8080)", text)
