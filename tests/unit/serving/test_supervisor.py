"""The supervisor and real worker processes that die, hang and come back, by a clock that the tests set."""

import mmap
import os
import signal
import threading
import time

import pytest
from sagemaker_rl.serving import control, handed_connections, supervisor, worker
from tiny_endpoint import TinyEndpoint


@pytest.fixture
def endpoint(tmp_path, monkeypatch):
    tested = TinyEndpoint(tmp_path, monkeypatch, SAGEMAKER_RL_MAX_MODELS="2")
    try:
        tested.start()
        yield tested
    finally:
        tested.end()


def test_a_killed_worker_is_replaced_and_its_connections_go_on(endpoint):
    client = endpoint.connect()
    assert endpoint.request(client, "GET", "/ping") == (200, b"")
    endpoint.wait_until_idle()
    before = endpoint.workers()
    for pid in before.values():
        endpoint.kill(pid)
    endpoint.turn()
    assert not set(endpoint.workers().values()) & set(before.values())
    assert endpoint.request(client, "GET", "/ping") == (200, b"")
    endpoint.wait_until(endpoint.is_complete)


def test_what_a_killed_worker_had_of_the_room_for_bodies_is_free_before_it_is_replaced(endpoint, monkeypatch):
    state = endpoint.supervisor._state
    monkeypatch.setattr(endpoint.supervisor, "_start_worker", lambda number: None)
    state.reserved_bytes[0], state.body_beside[0], state.reserved_bytes[1] = 9.0, 1, 7.0
    endpoint.kill(endpoint.workers()[0])
    endpoint.wait_until(lambda: 0 not in endpoint.workers())
    assert (state.reserved_bytes[0], state.body_beside[0], state.reserved_bytes[1]) == (0, 0, 7)


def test_what_a_killed_worker_had_in_hand_is_answered_by_503(endpoint):
    client = endpoint.connect()
    assert endpoint.request(client, "POST", "/models", endpoint.load_body("a"))[0] == 200
    endpoint.shared.hold("answers", True)
    client.ask("POST", "/models/a/invoke", b"hold")
    endpoint.wait_until(lambda: endpoint.shared.has_one)
    for pid in endpoint.workers().values():
        endpoint.kill(pid)
    status, body = endpoint.answer(client)
    assert status == 503
    assert b"The worker that had this request has ended." in body
    endpoint.shared.hold("answers", False)
    endpoint.wait_until(lambda: client.is_closed)
    endpoint.close(client)
    endpoint.wait_until(endpoint.nothing_is_left)


def test_a_stuck_worker_gets_no_connections_and_is_replaced_in_the_end(endpoint, capfd):
    """Stopped by a signal, as a loop in native code would stop it."""
    stuck = endpoint.workers()[0]
    endpoint.stop(stuck)
    endpoint.advance(handed_connections.SECONDS_UNRESPONSIVE - 0.01)
    assert len(endpoint.supervisor._connections.responsive_workers()) == 2
    endpoint.advance(0.01)
    for _ in range(4):
        assert endpoint.request(endpoint.connect(), "GET", "/ping") == (200, b"")
    endpoint.advance(endpoint.settings.seconds_to_answer - handed_connections.SECONDS_UNRESPONSIVE)
    endpoint.turn(3)
    assert endpoint.workers()[0] == stuck
    endpoint.advance(0.01)
    endpoint.turn(3)
    endpoint.wait_until(lambda: endpoint.workers().get(0, stuck) != stuck)
    endpoint.wait_until(endpoint.is_complete)
    assert capfd.readouterr().out.count("Worker 0 ") == 1


def test_what_a_stopped_worker_has_not_begun_is_answered_by_others(endpoint):
    """A worker that stands still keeps none of its idle connections; it gives them back when it goes on."""
    clients = [endpoint.connect() for _ in range(4)]
    for client in clients:
        assert endpoint.request(client, "GET", "/ping")[0] == 200
    endpoint.wait_until_idle()
    stopped, other = (endpoint.supervisor._workers[number] for number in (0, 1))
    endpoint.stop(stopped.pid)
    for client in clients:
        client.ask("GET", "/ping")
    endpoint.advance(handed_connections.SECONDS_UNRESPONSIVE)
    endpoint.turn(3)
    assert not stopped.taken
    endpoint.advance(handed_connections.SECONDS_TO_NOTICE + 0.001)
    for client in clients:
        assert endpoint.answer(client)[0] == 200
    assert (len(stopped.taken), len(stopped.slots), len(other.slots)) == (2, 0, 4)
    endpoint.go_on(stopped.pid)
    endpoint.wait_until(lambda: not stopped.taken)
    for client in clients:
        assert endpoint.request(client, "GET", "/ping")[0] == 200
        endpoint.close(client)
    endpoint.wait_until(endpoint.nothing_is_left)


def test_a_request_in_hand_of_a_stopped_worker_stays_there(endpoint):
    client = endpoint.connect()
    assert endpoint.request(client, "POST", "/models", endpoint.load_body("a"))[0] == 200
    endpoint.shared.hold("answers", True)
    client.ask("POST", "/models/a/invoke", b"hold")
    endpoint.wait_until(lambda: endpoint.shared.has_one)
    (process,) = [process for process in endpoint.supervisor._workers.values() if process.slots]
    endpoint.stop(process.pid)
    for _ in range(3):
        endpoint.advance(handed_connections.SECONDS_UNRESPONSIVE)
        endpoint.turn(3)
    assert (len(process.taken), len(process.slots)) == (0, 1)
    endpoint.shared.hold("answers", False)
    endpoint.go_on(process.pid)
    assert endpoint.answer(client)[0] == 200
    endpoint.wait_until(lambda: not any(endpoint.supervisor._state.revoked))  # it was given back, and handed on
    assert endpoint.request(client, "GET", "/ping")[0] == 200
    endpoint.close(client)
    endpoint.wait_until(endpoint.nothing_is_left)


def test_a_request_that_is_never_answered_ends_its_worker(endpoint):
    client = endpoint.connect()
    assert endpoint.request(client, "POST", "/models", endpoint.load_body("a"))[0] == 200
    endpoint.shared.hold("answers", True)
    client.ask("POST", "/models/a/invoke", b"hold")
    endpoint.wait_until(lambda: endpoint.shared.has_one)
    before = endpoint.workers()
    endpoint.advance(endpoint.settings.seconds_to_answer + 1)
    assert endpoint.answer(client)[0] == 503
    assert len(set(endpoint.workers().values()) & set(before.values())) == 1  # the other one goes on
    endpoint.wait_until(endpoint.is_complete)


def test_without_a_responsive_worker_the_supervisor_answers_503_within_a_second(endpoint):
    for pid in endpoint.workers().values():
        endpoint.stop(pid)
    endpoint.advance(handed_connections.SECONDS_LOST)
    client = endpoint.connect()
    client.ask("GET", "/ping")
    endpoint.turn(10)
    assert len(endpoint.supervisor._waiting) == 1
    endpoint.advance(handed_connections.SECONDS_TO_WAIT_FOR_A_HEARTBEAT - 0.01)
    endpoint.turn(5)
    assert client.answer() is None
    endpoint.advance(0.01)
    assert endpoint.answer(client)[0] == 503
    second = endpoint.connect()
    second.ask("GET", "/ping")
    endpoint.turn(5)
    for pid in endpoint.workers().values():
        endpoint.go_on(pid)
    assert endpoint.answer(second) == (200, b"")  # it has waited for a worker


def test_a_new_connection_goes_to_the_worker_with_the_fewest(endpoint):
    clients = [endpoint.connect() for _ in range(6)]
    for client in clients:
        endpoint.request(client, "GET", "/ping")
    processes = endpoint.supervisor._workers.values()
    assert [len(process.slots) for process in processes] == [3, 3]
    fewest = next(iter(processes))
    for client in clients:
        endpoint.close(client)
    endpoint.wait_until(endpoint.nothing_is_left)
    assert not fewest.slots


def test_a_stop_signal_drains(endpoint):
    """What is in hand is answered; a new connection is refused; idle connections close, and the workers end."""
    idle, client = endpoint.connect(), endpoint.connect()
    assert endpoint.request(idle, "GET", "/ping")[0] == 200
    assert endpoint.request(client, "POST", "/models", endpoint.load_body("a"))[0] == 200
    endpoint.shared.hold("answers", True)
    client.ask("POST", "/models/a/invoke", b"hold")
    endpoint.wait_until(lambda: endpoint.shared.has_one)
    os.kill(os.getpid(), signal.SIGTERM)
    listener = endpoint.supervisor._listener
    endpoint.turn(2)
    assert listener not in [key.fileobj for key in endpoint.supervisor._selector.get_map().values()]
    assert not endpoint.supervisor.has_drained()
    with pytest.raises(ConnectionRefusedError):
        endpoint.connect()
    status, _ = endpoint.request(idle, "POST", "/models/a/invoke", b"late")
    assert status == 503
    endpoint.shared.hold("answers", False)
    status, body = endpoint.answer(client)
    assert (status, body.split()[::2]) == (200, [b"a", b"hold"])
    for each in (idle, client):
        endpoint.close(each)
    endpoint.wait_until(endpoint.supervisor.has_drained)
    assert endpoint.workers() == {}


def test_a_drain_has_an_end(endpoint):
    for pid in endpoint.workers().values():
        endpoint.stop(pid)
    os.kill(os.getpid(), signal.SIGINT)
    endpoint.turn(2)
    endpoint.advance(supervisor.SECONDS_TO_DRAIN)
    endpoint.turn()
    assert not endpoint.supervisor.has_drained()
    endpoint.advance(0.01)
    assert endpoint.supervisor.has_drained()
    assert len(endpoint.workers()) == 2


def test_loads_at_the_same_moment_stay_within_the_limit(endpoint):
    endpoint.shared.hold("loads", True)
    clients = {name: endpoint.connect() for name in ("a", "b", "c", "d")}
    for name, client in clients.items():
        client.ask("POST", "/models", endpoint.load_body(name))
    answers = {}

    def refused():
        for name, client in clients.items():
            if name not in answers and (answer := client.answer()) is not None:
                answers[name] = answer
        return len(answers) == 2

    endpoint.wait_until(refused)
    assert [status for status, _ in answers.values()] == [507, 507]
    endpoint.shared.hold("loads", False)
    loaded = sorted(clients.keys() - answers.keys())
    assert [endpoint.answer(clients[name])[0] for name in loaded] == [200, 200]
    assert endpoint.models() == loaded


def test_a_worker_that_dies_at_its_start_is_started_again_later_and_later(endpoint):
    """Its replacement was not ready yet: it waits half a second, then one, up to ten."""
    endpoint.request(endpoint.connect(), "POST", "/models", endpoint.load_body("a"))
    endpoint.shared.hold("loads", True)  # the replacement loads model a for as long as that
    for seconds in (0.0, 0.5, 1.0, 2.0, 4.0, 8.0, 10.0, 10.0):
        pid = endpoint.workers()[0]
        endpoint.kill(pid)
        endpoint.turn(3)
        if seconds:
            assert 0 not in endpoint.workers()
            endpoint.advance(seconds - 0.01)
            endpoint.turn(2)
            assert 0 not in endpoint.workers()
            endpoint.advance(0.01)
            endpoint.turn()
        assert endpoint.workers()[0] != pid
    endpoint.shared.hold("loads", False)
    endpoint.wait_until(endpoint.is_complete)
    endpoint.kill(endpoint.workers()[0])
    endpoint.turn()
    assert len(endpoint.workers()) == 2  # once it was ready, the next is started at once


@pytest.mark.parametrize("number", [0, 1])
def test_a_worker_that_dies_while_it_loads_a_model_is_not_waited_for(endpoint, number):
    """The client hears 200, or 503 if it was that worker's; in either case all workers have the model then."""
    endpoint.shared.hold("loads", True)
    client = endpoint.connect()
    client.ask("POST", "/models", endpoint.load_body("a"))
    endpoint.wait_until(lambda: endpoint.shared.has_one)
    endpoint.kill(endpoint.workers()[number])
    endpoint.shared.hold("loads", False)
    assert endpoint.answer(client)[0] in (200, 503)
    endpoint.close(client)
    endpoint.wait_until(endpoint.is_complete)
    endpoint.wait_until(endpoint.nothing_is_left)

    clients = [endpoint.connect() for _ in range(2)]  # one for each worker
    answers = [endpoint.request(one, "POST", "/models/a/invoke", b"x") for one in clients]
    assert [status for status, _ in answers] == [200, 200], "a worker is ready when it has what the others have"
    assert {int(body.split()[1]) for _, body in answers} == set(endpoint.workers().values())


def test_what_was_unloaded_while_a_worker_started_is_unloaded_there_too(endpoint):
    client = endpoint.connect()
    for name in ("a", "b"):
        assert endpoint.request(client, "POST", "/models", endpoint.load_body(name))[0] == 200
    endpoint.shared.hold("loads", True)
    endpoint.kill(endpoint.workers()[1])
    endpoint.wait_until(lambda: endpoint.shared.has_one)  # the next one loads what the table had
    other = endpoint.connect()
    other.ask("DELETE", "/models/a")
    endpoint.turn(3)
    endpoint.shared.hold("loads", False)
    assert endpoint.answer(other)[0] == 200
    endpoint.wait_until(endpoint.is_complete)
    for one in (other, endpoint.connect(), endpoint.connect()):
        assert endpoint.request(one, "POST", "/models/a/invoke", b"x")[0] == 404
        assert endpoint.request(one, "POST", "/models/b/invoke", b"x")[0] == 200


def test_a_connection_that_no_worker_can_be_given_waits_and_keeps_no_slot(endpoint):
    for pid in endpoint.workers().values():
        endpoint.kill(pid)
    client = endpoint.connect()
    client.ask("GET", "/ping")
    endpoint.supervisor._accept()  # before it knows that they have ended
    assert endpoint.kept() == {"waiting": 1}
    assert endpoint.answer(client) == (200, b"")


def test_connections_leave_a_worker_that_a_users_function_holds_up(endpoint):
    """Their next requests are answered by the other one; the request in hand stays."""
    clients = [endpoint.connect() for _ in range(6)]
    assert endpoint.request(clients[0], "POST", "/models", endpoint.load_body("a"))[0] == 200
    before = [endpoint.request(client, "POST", "/models/a/invoke", b"x")[1].split()[1] for client in clients]
    assert sorted(before.count(pid) for pid in set(before)) == [3, 3]
    endpoint.shared.hold("answers", True)
    clients[0].ask("POST", "/models/a/invoke", b"hold")
    processes = endpoint.supervisor._workers.values()
    endpoint.wait_until(lambda: sorted(len(process.slots) for process in processes) == [1, 5])
    after = {endpoint.request(client, "POST", "/models/a/invoke", b"y")[1].split()[1] for client in clients[1:]}
    assert after == set(before) - {before[0]}
    new = endpoint.connect()
    assert endpoint.request(new, "POST", "/models/a/invoke", b"z")[1].split()[1] in after, "although it has more"
    endpoint.shared.hold("answers", False)
    assert endpoint.answer(clients[0])[1].split()[1:] == [before[0], b"hold"]
    assert {endpoint.request(client, "GET", "/ping")[0] for client in clients} == {200}
    for client in list(endpoint.clients):
        endpoint.close(client)
    endpoint.wait_until(endpoint.nothing_is_left)
