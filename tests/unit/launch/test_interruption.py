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


def test_an_interruption_is_held_back_until_the_outer_context_ends(interruptible):
    steps = []
    with pytest.raises(interruption.Interrupted) as raised, interruption.held_back():
        with interruption.held_back():
            interrupt()
            steps.append("inner")
        steps.append("outer")
    assert steps == ["inner", "outer"]
    assert raised.value.number in interruption.SIGNALS


def test_an_interruption_is_let_through_in_the_middle(interruptible):
    steps = []
    with pytest.raises(interruption.Interrupted), interruption.held_back():
        interrupt()
        steps.append("held back")
        with interruption.let_through():
            steps.append("not reached")
    assert steps == ["held back"]
    with pytest.raises(interruption.Interrupted), interruption.held_back(), interruption.let_through():
        interrupt()
        steps.append("not reached")
    assert steps == ["held back"]


def test_what_was_let_through_is_held_back_again(interruptible):
    steps = []
    with pytest.raises(interruption.Interrupted), interruption.held_back():
        with interruption.let_through():
            pass
        interrupt()
        steps.append("held back")
    assert steps == ["held back"]
    with interruption.held_back():  # it is raised once
        pass


def test_outside_of_all_an_interruption_is_raised_at_once(interruptible):
    for number in interruption.SIGNALS:
        signal.signal(number, signal.SIG_DFL)  # whoever runs the tests may ignore one, as nohup does
    interruption.install()
    for number in interruption.SIGNALS:
        with pytest.raises(interruption.Interrupted) as raised:
            signal.raise_signal(number)
        assert (raised.value.number, str(raised.value)) == (number, signal.Signals(number).name)


def test_ctrl_c_ends_the_process_unless_somebody_else_handles_it(interruptible):
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    interruption.end_process_at_sigint()
    assert signal.getsignal(signal.SIGINT) == signal.SIG_IGN
    signal.signal(signal.SIGINT, signal.default_int_handler)
    interruption.end_process_at_sigint()
    assert signal.getsignal(signal.SIGINT) not in (signal.SIG_IGN, signal.default_int_handler)
