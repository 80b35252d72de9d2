"""The supervisor's table of models: an operation is done when all workers have carried it out."""

import pytest
from sagemaker_rl.serving import control
from sagemaker_rl.serving.control import LOAD, UNLOAD, ModelOperation, Outcome
from sagemaker_rl.serving.multi_model_operations import UPDATE, MultiModelOperations

REQUESTING, OTHER = 11, 12


class Workers:
    """What was sent to the worker processes 11 and 12."""

    def __init__(self):
        self.pids = [REQUESTING, OTHER]
        self.orders: list[tuple[int, ModelOperation]] = []
        self.outcomes: list[tuple[int, Outcome]] = []

    def send(self, pid, message):
        if message[:1] == control.CARRY_OUT:
            self.orders.append((pid, ModelOperation.from_message(message)))
        else:
            assert message[:1] == control.OUTCOME
            self.outcomes.append((pid, Outcome.from_message(message)))
        return pid in self.pids

    def commands(self):
        return [(pid, operation.command, operation.name) for pid, operation in self.orders]


@pytest.fixture
def workers():
    return Workers()


@pytest.fixture
def operations(workers):
    return MultiModelOperations(2, workers.send, lambda: workers.pids, lambda operation: None)


@pytest.fixture
def tried(workers):
    """The operations of an endpoint that tries each model in process 99."""
    return MultiModelOperations(2, workers.send, lambda: workers.pids, lambda operation: 99)


def carry_out(operations, workers, command, name, number=7):
    """Have both workers succeed."""
    operations.start(REQUESTING, ModelOperation(number, command, name, f"/{name}"))
    for pid in (REQUESTING, OTHER):
        operations.record_outcome(pid, Outcome(workers.orders[-1][1].number, 200, ""))


def test_a_model_is_loaded_when_all_workers_have_loaded_it(operations, workers):
    operations.start(REQUESTING, ModelOperation(7, LOAD, "car", "/car"))
    assert workers.commands() == [(REQUESTING, LOAD, "car"), (OTHER, LOAD, "car")]
    number = workers.orders[0][1].number
    operations.record_outcome(OTHER, Outcome(number, 200, ""))
    assert (operations.models, workers.outcomes) == ({}, [])
    operations.record_outcome(REQUESTING, Outcome(number, 200, ""))
    assert operations.models == {"car": "/car"}
    assert workers.outcomes == [(REQUESTING, Outcome(7, 200, ""))]


def test_one_failure_unloads_it_from_all(operations, workers):
    operations.start(REQUESTING, ModelOperation(7, LOAD, "car", "/car"))
    number = workers.orders[0][1].number
    operations.record_outcome(OTHER, Outcome(number, 400, "It is broken."))
    operations.record_outcome(REQUESTING, Outcome(number, 200, ""))
    assert workers.commands()[2:] == [(REQUESTING, UNLOAD, "car"), (OTHER, UNLOAD, "car")]
    assert operations.models == {}
    assert workers.outcomes == [(REQUESTING, Outcome(7, 400, "It is broken."))]


def test_what_is_refused_at_once(operations, workers):
    def refusal(command, name):
        operations.start(OTHER, ModelOperation(3, command, name, f"/{name}"))
        pid, outcome = workers.outcomes.pop()
        assert (pid, outcome.number) == (OTHER, 3)
        return outcome.status, outcome.detail

    assert refusal(UNLOAD, "car") == (404, "Model 'car' is not loaded.")
    carry_out(operations, workers, LOAD, "car")
    assert refusal(LOAD, "car") == (409, "Model 'car' is loaded already.")
    operations.start(REQUESTING, ModelOperation(8, LOAD, "bike", "/bike"))
    assert refusal(UNLOAD, "bike") == (409, "Model 'bike' is being loaded or unloaded.")
    assert refusal(LOAD, "third") == (507, "2 models are loaded already: unload one first.")


def test_a_worker_that_ends_is_not_waited_for(operations, workers):
    operations.start(REQUESTING, ModelOperation(7, LOAD, "car", "/car"))
    operations.record_outcome(REQUESTING, Outcome(workers.orders[0][1].number, 200, ""))
    workers.pids = [REQUESTING, 13]  # the one after it was started while the model was being loaded
    operations.forget_worker(OTHER)
    assert workers.commands()[2:] == [(13, LOAD, "car")]
    assert (operations.models, workers.outcomes) == ({}, []), "who asks the new one would not find it"
    operations.record_outcome(13, Outcome(workers.orders[-1][1].number, 200, ""))
    assert operations.models == {"car": "/car"}
    assert workers.outcomes == [(REQUESTING, Outcome(7, 200, ""))]


def test_a_model_that_a_new_worker_cannot_load_is_unloaded_again(operations, workers):
    operations.start(REQUESTING, ModelOperation(7, LOAD, "car", "/car"))
    number = workers.orders[0][1].number
    operations.record_outcome(REQUESTING, Outcome(number, 200, ""))
    workers.pids = [REQUESTING, 13]
    operations.forget_worker(OTHER)
    operations.record_outcome(13, Outcome(number, 507, "It is full."))
    assert set(workers.commands()[3:]) == {(pid, UNLOAD, "car") for pid in (REQUESTING, OTHER, 13)}
    assert workers.outcomes == [(REQUESTING, Outcome(7, 507, "It is full."))]
    assert operations.models == {}


def test_a_new_worker_catches_up(operations, workers):
    carry_out(operations, workers, LOAD, "car")
    workers.orders.clear()
    assert operations.update_worker(OTHER, {"bike": "/bike"}) == 2
    assert {operation.number for _, operation in workers.orders} == {UPDATE}
    assert workers.commands() == [(OTHER, LOAD, "car"), (OTHER, UNLOAD, "bike")]


def test_an_unloaded_model_is_forgotten(operations, workers):
    carry_out(operations, workers, LOAD, "car")
    carry_out(operations, workers, UNLOAD, "car", number=9)
    assert operations.models == {}
    assert workers.outcomes[-1] == (REQUESTING, Outcome(9, 200, ""))


def test_loads_that_are_running_count_towards_the_limit(operations, workers):
    for number, name in enumerate(("car", "bike", "third")):
        operations.start(REQUESTING, ModelOperation(number, LOAD, name, f"/{name}"))
    assert [(outcome.number, outcome.status) for _, outcome in workers.outcomes] == [(2, 507)]
    assert len({operation.number for _, operation in workers.orders}) == 2
    for pid in (REQUESTING, OTHER):
        operations.record_outcome(pid, Outcome(workers.orders[0][1].number, 400, "It is broken."))
    operations.start(REQUESTING, ModelOperation(3, LOAD, "third", "/third"))
    assert workers.commands()[-2:] == [(REQUESTING, LOAD, "third"), (OTHER, LOAD, "third")]


def test_a_model_that_is_being_unloaded_makes_room(operations, workers):
    carry_out(operations, workers, LOAD, "car")
    carry_out(operations, workers, LOAD, "bike")
    operations.start(REQUESTING, ModelOperation(8, UNLOAD, "car", ""))
    assert workers.orders[-1][1].url == "/car"
    operations.start(REQUESTING, ModelOperation(9, LOAD, "third", "/third"))
    assert workers.commands()[-2:] == [(REQUESTING, LOAD, "third"), (OTHER, LOAD, "third")]


def test_the_first_failure_is_told(operations, workers):
    operations.start(REQUESTING, ModelOperation(7, LOAD, "car", "/car"))
    number = workers.orders[0][1].number
    operations.record_outcome(OTHER, Outcome(number, 507, "It is full."))
    operations.record_outcome(OTHER, Outcome(number, 200, ""))  # is not waited for any more
    operations.record_outcome(99, Outcome(number, 200, ""))  # was never told
    operations.record_outcome(REQUESTING, Outcome(number + 1, 200, ""))  # of nothing
    assert workers.outcomes == []
    operations.record_outcome(REQUESTING, Outcome(number, 400, "It is broken."))
    assert workers.outcomes == [(REQUESTING, Outcome(7, 507, "It is full."))]


def test_a_worker_that_cannot_be_told_is_not_waited_for(operations, workers):
    workers.pids = [REQUESTING]
    real_pids = [REQUESTING, OTHER]
    operations._worker_pids = lambda: real_pids
    operations.start(REQUESTING, ModelOperation(7, LOAD, "car", "/car"))
    operations.record_outcome(REQUESTING, Outcome(workers.orders[0][1].number, 200, ""))
    assert operations.models == {"car": "/car"}
    assert workers.commands()[2:] == [(OTHER, LOAD, "car")]  # once more: by now it may be there


def test_without_workers_an_operation_is_done_at_once(operations, workers):
    workers.pids = []
    operations.start(REQUESTING, ModelOperation(7, LOAD, "car", "/car"))
    assert operations.models == {"car": "/car"}
    assert operations._running == {}


def test_what_is_done_is_not_done_again(operations, workers):
    carry_out(operations, workers, LOAD, "car")
    operations.forget_worker(OTHER)
    operations.record_outcome(OTHER, Outcome(workers.orders[0][1].number, 400, "late"))
    assert operations.models == {"car": "/car"}
    assert len(workers.outcomes) == 1
    assert operations.update_worker(OTHER, {"car": "/car"}) == 0
    assert len(workers.orders) == 2


def test_a_model_is_tried_before_any_worker_loads_it(tried, workers):
    tried.start(REQUESTING, ModelOperation(7, LOAD, "car", "/car"))
    assert workers.commands() == []
    tried.record_outcome(99, Outcome(1, 200, ""))
    assert workers.commands() == [(REQUESTING, LOAD, "car"), (OTHER, LOAD, "car")]
    assert workers.outcomes == []
    for pid in (REQUESTING, OTHER):
        tried.record_outcome(pid, Outcome(1, 200, ""))
    assert tried.models == {"car": "/car"}
    assert workers.outcomes == [(REQUESTING, Outcome(7, 200, ""))]
    tried.start(OTHER, ModelOperation(8, UNLOAD, "car", ""))
    assert workers.commands()[2:] == [(REQUESTING, UNLOAD, "car"), (OTHER, UNLOAD, "car")]


def test_a_model_whose_trial_fails_is_loaded_by_no_worker(tried, workers):
    tried.start(REQUESTING, ModelOperation(7, LOAD, "car", "/car"))
    tried.start(REQUESTING, ModelOperation(8, LOAD, "car", "/car"))
    assert [(outcome.number, outcome.status) for _, outcome in workers.outcomes] == [(8, 409)]
    tried.record_outcome(99, Outcome(1, 400, "It ended its process."))
    assert (REQUESTING, Outcome(7, 400, "It ended its process.")) in workers.outcomes
    assert LOAD not in [command for _, command, _ in workers.commands()]
    assert tried.models == {}


def test_workers_that_end_one_after_the_other_while_they_load_it_end_the_operation(operations, workers):
    operations.start(REQUESTING, ModelOperation(7, LOAD, "car", "/car"))
    for new in (13, 14, 15):
        assert workers.outcomes == []
        operations.record_outcome(OTHER, Outcome(1, 200, ""))
        gone = workers.pids[0]
        workers.pids[0] = new
        operations.forget_worker(gone)
    assert workers.outcomes == [(REQUESTING, Outcome(7, 500, "3 workers ended while they did it."))]
    assert operations.models == {}
    assert workers.commands()[-1] == (15, UNLOAD, "car") or (OTHER, UNLOAD, "car") in workers.commands()
