"""Messages over a pair of control sockets, and the memory that processes share."""

import os
import socket

import pytest
from sagemaker_rl.serving import control, metrics, shared_state
from sagemaker_rl.serving.control import LOAD, ModelOperation, Outcome
from sagemaker_rl.serving.shared_state import SharedState


@pytest.fixture
def pair():
    ours, theirs = control.socket_pair()
    with ours, theirs:
        yield ours, theirs


def test_messages_stay_apart_and_in_order(pair):
    ours, theirs = pair
    assert control.receive(theirs) is None
    for message in (control.READY, control.slot_message(control.CLOSED, 300), b"F" + b"x" * (control.MAX_MESSAGE - 1)):
        assert control.send(ours, message)
    assert control.receive(theirs) == (b"R", None)
    message, file = control.receive(theirs)
    assert (message[:1], control.slot_of(message), file) == (b"X", 300, None)
    assert len(control.receive(theirs)[0]) == control.MAX_MESSAGE
    assert control.receive(theirs) is None


def test_an_open_file_travels_beside_its_message(pair, tmp_path):
    ours, theirs = pair
    (tmp_path / "file").write_text("content")
    with (tmp_path / "file").open() as file:
        assert control.send(ours, b"C", file.fileno())
    message, received = control.receive(theirs)
    assert message == b"C"
    with os.fdopen(received) as file:
        assert file.read() == "content"


def test_what_cannot_be_sent(pair):
    ours, theirs = pair
    while control.send(ours, b"x" * 1000):  # until there is no room
        pass
    assert control.receive(theirs) is not None
    theirs.close()
    assert not control.send(ours, b"R")
    assert not control.send(ours, b"R", ours.fileno())


def test_a_process_that_is_gone_says_nothing_at_all(pair):
    ours, theirs = pair
    control.send(ours, b"R")
    ours.close()
    assert control.receive(theirs) == (b"R", None)
    assert control.receive(theirs) == (b"", None)


def test_a_process_that_went_with_messages_unread(pair):
    ours, theirs = pair
    control.send(theirs, b"unread")
    ours.close()
    assert control.receive(theirs) == (b"", None)


@pytest.mark.parametrize("value", [ModelOperation(7, LOAD, "ä/b", "/folder"), Outcome(3, 507, "It is full.")])
def test_operations_and_outcomes_come_back(value):
    message = value.to_message(b"A")
    assert message[:1] == b"A"
    assert type(value).from_message(message) == value


def test_each_message_has_a_letter_of_its_own():
    letters = [value for name, value in vars(control).items() if name.isupper() and isinstance(value, bytes)]
    assert len(letters) == len(set(letters)) == 10
    assert all(len(letter) == 1 for letter in letters)


def test_control_sockets_do_not_block(pair):
    assert [one.getblocking() for one in pair] == [False, False]
    assert pair[0].type == socket.SOCK_SEQPACKET


def test_what_another_process_writes_is_seen():
    state = SharedState()
    pid = os.fork()
    if pid == 0:
        try:
            state.record_heartbeat(shared_state.MAX_WORKERS - 1)
            state.counters_of(2)[1] = 3.0
            state.connection_states[shared_state.MAX_CONNECTIONS - 1] = 2
            state.ready[shared_state.MAX_WORKERS - 1] = state.serving[0] = 1
        finally:
            os._exit(0)
    os.waitpid(pid, 0)
    assert 0 < state.heartbeats[shared_state.MAX_WORKERS - 1] <= shared_state.time.monotonic()
    assert state.counters_of(2)[1] == 3.0
    assert state.connection_states[-1] == 2
    assert (state.ready[-1], state.serving[0]) == (1, 1)


def test_the_counters_of_workers_do_not_overlap():
    state = SharedState()
    for worker in range(shared_state.MAX_WORKERS):
        counters = state.counters_of(worker)
        assert len(counters) == metrics.NUMBERS
        assert not any(counters)
        counters[0] = counters[-1] = worker + 1
    assert [state.counters_of(worker)[-1] for worker in range(3)] == [1, 2, 3]
