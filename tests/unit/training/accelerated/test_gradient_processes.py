"""Processes that compute gradients: what they do when one of them, or the job, ends."""

import os
import signal
import subprocess
import sys
import time

import numpy as np
import psutil
import pytest
from jobs import CONTAINER_SRC
from sagemaker_rl.errors import InputError
from sagemaker_rl.training.accelerated.gradient_processes import GradientProcesses
from sagemaker_rl.training.accelerated.ppo_loss import StepResult

ROWS = 4


def compute(loss, columns, batch_size, gradients):
    """Say which process computed, and from what."""
    (numbers,) = columns
    gradients[...] = [os.getpid() % 2**20, numbers.sum(), batch_size]
    return StepResult(*[float(loss + numbers[0])] * 4, numbers, -numbers)


@pytest.fixture
def begin():
    begun = []

    def begin(processes, rows=20, weights=None):
        columns = [np.arange(rows, dtype=np.float32)]
        weights = np.zeros(3, np.float32) if weights is None else weights
        begun.append(GradientProcesses(processes, columns, weights, ROWS, compute))
        begun[-1].take(columns)
        return begun[-1]

    yield begin
    for processes in begun:
        processes.close()
        assert not any(fork.is_alive() for _, fork in processes._forks)


def parts_of(rows):
    return [slice(start, min(start + ROWS, rows)) for start in range(0, rows, ROWS)]


@pytest.mark.parametrize("processes", [1, 2, 3, 7])
def test_each_block_is_computed_once_and_in_its_place(begin, processes):
    order = np.array([7, 3, 19, 0, 5, 11, 2, 13, 17, 1])
    gradients, results = begin(processes).compute(10, order, parts_of(10))
    assert len(set(gradients[:, 0].tolist())) == min(processes, 3)
    assert gradients[:, 1:].tolist() == [[29, 10], [31, 10], [18, 10]]
    assert [result.total_loss for result in results] == [17, 15, 27]
    assert [result.ratios.tolist() for result in results] == [[7, 3, 19, 0], [5, 11, 2, 13], [17, 1]]
    assert results[2].clipped_ratios.tolist() == [-17, -1]


def test_another_data_set_is_seen_by_all(begin):
    processes = begin(2)
    assert not processes.fits([np.zeros(19, np.float32)])
    assert not processes.fits([np.zeros(20)])
    others = [np.full(20, 2, dtype=np.float32)]
    assert processes.fits(others)
    processes.take(others)
    gradients, _ = processes.compute(0, np.arange(8), parts_of(8))
    assert gradients[:, 1].tolist() == [8, 8]


def test_forks_have_the_weights_of_now():
    weights = np.zeros(1, np.float32)

    def compute(loss, columns, batch_size, gradients):
        gradients[...] = weights
        return StepResult(0, 0, 0, 0, columns[0], columns[0])

    columns = [np.zeros(8, np.float32)]
    processes = GradientProcesses(2, columns, weights, ROWS, compute)
    for value in (1, 2):
        weights[...] = value
        gradients, _ = processes.compute(None, np.arange(8), parts_of(8))
        assert gradients.tolist() == [[value], [value]]
    processes.close()


def test_a_fork_that_dies_is_told_in_one_sentence(begin):
    processes = begin(2)
    ((_, fork),) = processes._forks
    os.kill(fork.pid, signal.SIGTERM)  # the job decides when it ends
    processes.compute(0, np.arange(8), parts_of(8))
    fork.kill()
    with pytest.raises(InputError, match=r"^A process that computes gradients was ended, as the system does it"):
        processes.compute(0, np.arange(8), parts_of(8))


def test_forks_end_with_a_job_that_is_killed():
    program = "import test_gradient_processes as t, numpy as np, time; "
    program += (
        "kept = t.GradientProcesses(2, [np.zeros(8)], np.zeros(1), 4, t.compute); print(flush=True); time.sleep(100)"
    )
    paths = os.pathsep.join([str(CONTAINER_SRC), *sys.path])
    with subprocess.Popen(
        [sys.executable, "-c", program], env={**os.environ, "PYTHONPATH": paths}, stdout=subprocess.PIPE
    ) as job:
        job.stdout.readline()
        (fork,) = psutil.Process(job.pid).children()
        job.kill()
    deadline = time.monotonic() + 20
    while fork.is_running() and fork.status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < deadline
        time.sleep(0.05)
