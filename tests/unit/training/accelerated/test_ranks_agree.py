"""One training on 1, 2, 4 and more ranks: the same transitions, gradients, weights and returns, bit for bit."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from graphs import CORRIDOR
from jobs import CONTAINER_SRC, ROOT
from ranks import SEEDS


def find(folder: Path, ranks: int, command: list[str]) -> list[dict[str, np.ndarray]]:
    """Return what each rank finds."""
    environment = {**os.environ, "PYTHONPATH": f"{CONTAINER_SRC}:{ROOT / 'tests'}", "OPENBLAS_NUM_THREADS": "1"}
    command = [*command, str(ROOT / "tests/ranks.py"), str(folder)]
    subprocess.run(command, env=environment, check=True, timeout=300, capture_output=True)
    return [dict(np.load(folder / f"{rank}.npz")) for rank in range(ranks)]


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    (found,) = find(tmp_path_factory.mktemp("alone"), 1, [sys.executable])
    return found


@pytest.mark.parametrize("ranks", [2, 4])
def test_ranks_find_what_one_process_finds(mpirun, tmp_path, alone, ranks):
    for rank, found in enumerate(find(tmp_path, ranks, [*mpirun, "-np", str(ranks), sys.executable, "-m", "mpi4py"])):
        assert found.keys() == alone.keys()
        for name, expected in alone.items():
            assert (found[name].dtype, found[name].shape) == (expected.dtype, expected.shape), name
            assert np.array_equal(found[name], expected), (rank, name)


def test_the_seeds_are_other_trainings(alone):
    assert len({alone[f"{CORRIDOR} {seed} weights"].tobytes() for seed in SEEDS}) == len(SEEDS)
    assert alone[f"{CORRIDOR} 0 dones"].any()
