"""What OpenBLAS reads when NumPy is imported."""

import os
import subprocess
import sys

import pytest
from jobs import CONTAINER_SRC
from sagemaker_rl import blas

CHOSEN = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "OPENBLAS_CORETYPE")
AVX512 = "fpu avx2 avx512f avx512dq avx512cd avx512bw avx512vl"


@pytest.mark.parametrize(
    ("processor", "kernels"),
    [
        (f"vendor_id\t: AuthenticAMD\nflags\t\t: {AVX512}\n", "SkylakeX"),
        (f"vendor_id\t: AuthenticAMD\nflags\t\t: {AVX512.replace('avx512vl', 'avx512_bf16')}\n", None),
        (f"vendor_id\t: GenuineIntel\nflags\t\t: {AVX512}\n", None),  # OpenBLAS takes the right ones there
        ("Processor\t: ARMv8\n", None),
        (None, None),
    ],
)
def test_kernels_by_processor(tmp_path, monkeypatch, processor, kernels):
    for name in CHOSEN:
        monkeypatch.setenv(name, "kept")  # so that it is as before after the test
        monkeypatch.delenv(name)
    monkeypatch.setattr(blas, "PROCESSOR", tmp_path / "cpuinfo")
    if processor:
        (tmp_path / "cpuinfo").write_text(processor)
    blas.prepare_environment()
    assert [os.environ.get(name) for name in CHOSEN] == ["1", "1", kernels]


def test_what_the_user_has_set_is_kept(tmp_path, monkeypatch):
    monkeypatch.setattr(blas, "PROCESSOR", tmp_path / "cpuinfo")
    (tmp_path / "cpuinfo").write_text(f"vendor_id: AuthenticAMD\nflags: {AVX512}\n")
    for name, value in zip(CHOSEN, ("2", "3", "Haswell"), strict=True):
        monkeypatch.setenv(name, value)
    blas.prepare_environment()
    assert [os.environ[name] for name in CHOSEN] == ["2", "3", "Haswell"]


def test_numpy_computes_with_what_is_chosen():
    """OpenBLAS ends the process where it is told of kernels that the processor cannot run."""
    program = "from sagemaker_rl import blas; blas.prepare_environment(); import numpy; "
    program += "print((numpy.eye(64) @ numpy.ones(64)).sum())"
    environment = {name: value for name, value in os.environ.items() if name not in CHOSEN}
    answer = subprocess.run(
        [sys.executable, "-c", program], env={**environment, "PYTHONPATH": str(CONTAINER_SRC)}, capture_output=True
    )
    assert answer.stdout == b"64.0\n", answer.stderr


AT_NUMPYS_IMPORT = """
import os, runpy, sys

class Look:
    def find_spec(self, name, path=None, target=None):
        if name == "numpy":
            print("NumPy with", os.environ.get("OPENBLAS_NUM_THREADS"), flush=True)

sys.meta_path.insert(0, Look())
runpy.run_path(sys.argv.pop(1), run_name="__main__")
"""


def test_an_endpoint_chooses_before_it_imports_numpy():
    """Threads of OpenBLAS in each worker wait for each other longer than a layer takes."""
    environment = {name: value for name, value in os.environ.items() if name not in CHOSEN}
    process = subprocess.run(
        [sys.executable, "-c", AT_NUMPYS_IMPORT, str(CONTAINER_SRC / "deploy-mxnet-coach.py"), "no command"],
        env={**environment, "PYTHONPATH": str(CONTAINER_SRC)},
        capture_output=True,
        text=True,
    )
    assert process.returncode == 2  # after the imports
    assert process.stdout == "NumPy with 1\n", process.stderr
