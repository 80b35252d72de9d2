"""SIGTERM and Ctrl-C, also at the moments at which Python cannot raise anything."""

import signal
import subprocess
import sys

import pytest
from jobs import CONTAINER_SRC
from sagemaker_rl.job.stopping import SIGNALS, Stopped, StopSignal

PROGRAM = """
import os, signal
from sagemaker_rl.job.stopping import STOP, Stopped
STOP.install()

def hook():
    signal.raise_signal(signal.SIGTERM)
    return None

class Ends:
    def __del__(self):
        {in_finalizer}

if {forks}:
    os.register_at_fork(after_in_parent=hook)
    child = os.fork()
    if child == 0:
        os._exit(0)
    os.waitpid(child, 0)
else:
    Ends()
try:
    STOP.check()
except Stopped:
    print("stopped")
"""


@pytest.mark.parametrize(
    ("forks", "in_finalizer", "complaint"),
    [(True, "pass", ""), (False, "hook()", ""), (False, "hook(); 1 / 0", ""), (False, "1 / 0; hook()", "division")],
)
def test_what_swallows_the_stop_leaves_it_to_the_next_check(forks, in_finalizer, complaint):
    program = PROGRAM.format(forks=forks, in_finalizer=in_finalizer)
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=CONTAINER_SRC, capture_output=True, text=True, timeout=20
    )
    assert done.stdout == ("" if complaint else "stopped\n")
    assert (complaint in done.stderr) if complaint else done.stderr == ""


@pytest.fixture
def stop(monkeypatch):
    """A signal of the test's own; the process's handlers are put back."""
    handlers = {number: signal.getsignal(number) for number in SIGNALS}
    signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored where the tests run in the background
    monkeypatch.setattr(sys, "unraisablehook", sys.unraisablehook)
    signal_of_test = StopSignal()
    signal_of_test.install()
    yield signal_of_test
    for number, handler in handlers.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT"])
def test_a_signal_is_raised_at_once_or_by_the_next_check(stop, name):
    stop.check()
    with pytest.raises(Stopped, match=f"^{name}$"):
        signal.raise_signal(signal.Signals[name])
    with pytest.raises(Stopped, match=f"^{name}$"):
        stop.check()


def test_ctrl_c_stays_ignored_in_the_background(stop):
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    stop.install()
    signal.raise_signal(signal.SIGINT)
    stop.check()
    with pytest.raises(Stopped, match=r"^SIGTERM$"):
        signal.raise_signal(signal.SIGTERM)


def test_patience_counts_from_the_first_signal(stop, monkeypatch):
    now = iter((100.0, 103.0, 105.0))
    monkeypatch.setattr("time.monotonic", lambda: next(now))
    with stop.deferred():
        for _ in range(3):  # the clock is read once
            signal.raise_signal(signal.SIGTERM)
        stop.check(4.0)
        with pytest.raises(Stopped):
            stop.check(4.0)


def test_it_waits_until_the_outermost_context_is_left(stop):
    with stop.deferred():
        with stop.deferred():
            signal.raise_signal(signal.SIGTERM)
        signal.raise_signal(signal.SIGTERM)
        with pytest.raises(Stopped):
            stop.check()
    with pytest.raises(Stopped):
        signal.raise_signal(signal.SIGTERM)


def test_a_context_that_failed_is_left_too(stop):
    with pytest.raises(KeyError), stop.deferred():
        raise KeyError
    with pytest.raises(Stopped):
        signal.raise_signal(signal.SIGTERM)


def test_a_guarded_method_is_not_called_once_the_signal_is_there(stop):
    class Counter:
        calls = 0

        def step(self, by, more=0):
            self.calls += by + more
            return self.calls

    counter = Counter()
    stop.guard(counter, "step")
    assert counter.step(2, more=3) == 5
    with stop.deferred():
        signal.raise_signal(signal.SIGTERM)
        with pytest.raises(Stopped):
            counter.step(1)
    assert counter.calls == 5
