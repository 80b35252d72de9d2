"""When an interruption is raised, and when not."""

import signal

import pytest
from launch.cli import errors, interruption
from stand_ins import interrupt


def test_an_interruption_comes_before_what_it_made_fail(interruptible):
    with pytest.raises(interruption.Interrupted), interruption.held_back():
        interrupt()
        raise errors.JobFailed("docker/base/build_base.sh failed")


def test_an_ignored_signal_stays_ignored(interruptible):
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    interruption.install()
    assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
