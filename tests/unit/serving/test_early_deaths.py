"""Workers that die before the endpoint has served: after some tries the endpoint ends with the reason."""

import mmap
import os
import signal
import threading
import time

import pytest
from sagemaker_rl.serving import control, handed_connections, supervisor, worker
from tiny_endpoint import TinyEndpoint


class Ended(Exception):
    """In the place of the first process's end."""


@pytest.fixture
def starting(tmp_path, monkeypatch):
    """Return an endpoint whose workers do as ``run(number, channel)`` says; it is not started yet."""
    tested = TinyEndpoint(tmp_path, monkeypatch)
    serve = worker.run

    def run_workers(run):
        def replacement(settings, state, number, channel, model, folders):
            if run(number, channel):
                serve(settings, state, number, channel, model, folders)
            os._exit(3)

        monkeypatch.setattr(worker, "run", replacement)
        return tested

    def end(status, reason=""):
        raise Ended(status, reason)

    monkeypatch.setattr(tested.supervisor, "_end", end)
    try:
        yield run_workers
    finally:
        tested.end()


def run_to_its_end(endpoint) -> tuple:
    """Turn the supervisor's loop, by a clock that runs a hundred times as fast; return how it ends."""
    endpoint.supervisor.start(None)

    def never():
        endpoint.shared.advance(0.05)
        return False

    with pytest.raises(Ended) as ended:
        endpoint.wait_until(never)
    return ended.value.args


SILENT = (1, "3 workers ended before the endpoint was ready, the last with status 3.")


def test_workers_that_end_without_a_word_are_tried_three_times(starting, capfd):
    endpoint = starting(lambda number, channel: False)
    assert run_to_its_end(endpoint) == SILENT
    assert capfd.readouterr().out.count("has ended with status 3") == 3


def test_another_worker_that_becomes_ready_meanwhile_does_not_count(starting):
    deaths = memoryview(mmap.mmap(-1, 8)).cast("q")

    def run(number, channel):
        if number == 1:
            deaths[0] += 1
            return False
        while deaths[0] < 2:
            time.sleep(0.001)
        return True

    endpoint = starting(run)
    assert run_to_its_end(endpoint) == SILENT
    assert deaths[0] == 3


def test_a_reason_that_a_worker_has_told_needs_no_second_try(starting, capfd):
    """Also where the supervisor sees its end before it has read the message."""
    endpoint = starting(lambda number, channel: control.send(channel, control.FAILED + b"It is bad.") and False)
    endpoint.supervisor.start(None)
    for pid in endpoint.workers().values():
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    with pytest.raises(Ended) as ended:
        endpoint.supervisor._reap_children()
    assert ended.value.args == (1, "It is bad.")


def test_children_of_others_are_left_to_them_while_the_model_is_loaded(starting):
    """pip is one."""
    endpoint = starting(lambda number, channel: True)
    pid = os.fork()
    if pid == 0:
        os._exit(7)
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    loaded = threading.Event()
    turns = iter(range(3))
    endpoint.supervisor._waiting.enforce_deadlines = lambda: next(turns, None) is None and loaded.set()
    endpoint.supervisor.refuse_until(loaded)
    assert os.waitpid(pid, os.WNOHANG) == (pid, 7 << 8)
