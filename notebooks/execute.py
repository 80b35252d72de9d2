"""Run the notebook in local mode, and write it back with its outputs, without this machine's paths and times.

python notebooks/execute.py
"""

import os
import re
import sys
import tempfile
from pathlib import Path

import nbformat
from nbclient import NotebookClient

NOTEBOOK = Path(__file__).parent / "mountain_car.ipynb"
STAMP = "2026-01-01-12-00-00"
LEFT_OUT = "<p>report.html, which is large: run the cell to see it here.</p>"
KEPT = ("image/png", "text/html", "text/plain")


def execute(notebook: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """Run a notebook from a fresh kernel, in this file's folder, and return it with its outputs."""
    resources = {"metadata": {"path": str(NOTEBOOK.parent)}}
    NotebookClient(notebook, timeout=300, kernel_name="python3", record_timing=False, resources=resources).execute()
    return notebook


def clean(notebook: nbformat.NotebookNode, runs: Path) -> nbformat.NotebookNode:
    """Take from outputs what differs from run to run and from machine to machine, and the report; return the notebook.

    Args:
        notebook: that has run.
        runs: the folder that RL_RUNS named.
    """
    for cell in notebook.cells:
        if cell.cell_type != "code":
            continue
        outputs: list[nbformat.NotebookNode] = []
        for output in cell.outputs:
            if output.output_type == "stream":
                if outputs and outputs[-1].get("name") == output.name:
                    outputs[-1].text += output.text
                    continue
            elif "data" in output:
                output.data = {kind: content for kind, content in output.data.items() if kind in KEPT}
                if "<iframe" in output.data.get("text/html", ""):
                    output.data["text/html"] = LEFT_OUT
            outputs.append(output)
        for output in outputs:
            if output.output_type == "stream":
                output.text = clean_text(output.text, runs)
            elif "text/plain" in output.get("data", {}):
                output.data["text/plain"] = clean_text(output.data["text/plain"], runs)
        cell.outputs = outputs
    notebook.metadata["language_info"] = {"name": "python"}
    return notebook


def clean_text(text: str, runs: Path) -> str:
    """Return an output's text without paths and times."""
    for pattern, replacement in (
        (rf"{re.escape(str(runs))}/\.local/training-jobs/[\w-]+/algo-1", "/opt/ml"),  # of a job that is a process
        (re.escape(str(runs)), "runs"),
        (re.escape(str(NOTEBOOK.parents[1])), "."),
        (r"/tmp/tmp\w+", "/tmp/..."),  # noqa: S108 - a text of the job's
        (r"\d{4}(-\d\d){5}(-\d{6})?", STAMP),
        (r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3}", "2026-01-01 12:00:00,000"),
        (r"^\[\d\d:\d\d:\d\d\]", "[12:00:00]"),
        (r"http://127\.0\.0\.1:\d+/", "http://127.0.0.1:8080/"),
        (r"Seconds=[\d.]+", "Seconds=..."),
        (r"(Completed, )\d+ s", r"\1... s"),
    ):
        text = re.sub(pattern, replacement, text, flags=re.MULTILINE)
    return text


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        os.environ["RL_RUNS"] = folder
        os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        executed = clean(execute(nbformat.read(NOTEBOOK, as_version=4)), Path(folder))
    nbformat.write(executed, NOTEBOOK)
