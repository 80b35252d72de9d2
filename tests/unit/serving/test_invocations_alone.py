"""Requests that wait for a model, without a network: who shares a forward pass, in which thread, and what each gets."""

import asyncio
import json
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from sagemaker_rl.errors import RequestError
from sagemaker_rl.policy.artifact import Policy
from sagemaker_rl.serving.answers import Answers
from sagemaker_rl.serving.http_requests import Request
from sagemaker_rl.serving.invocations import Invocations
from sagemaker_rl.serving.servable import ROWS_PER_PASS, Servable
from sagemaker_rl.serving.settings import Settings

BOX = {"type": "box", "shape": [2], "low": [-9, -9], "high": [9, 9]}
DESCRIPTION = {
    "observation_space": BOX,
    "action_space": BOX,
    "preset": "a-preset",
    "heads": ["value", "mean"],
    "action_head": "mean",
}


PREDICTION = {"value": [-1.0], "mean": [2.0, 8.0]}
"""For the observation (1, 2)."""


class Counted:
    """Keeps what is counted."""

    def __init__(self):
        self.batches = []

    def add_answer(self, path, status, seconds):
        pass

    def add_batch(self, observations):
        self.batches.append(observations)


class Connection:
    """Keeps the answer."""

    def __init__(self, accepted_before_drain=False):
        self.accepted_before_drain = accepted_before_drain
        self.answer = None

    def respond(self, request, status, body, media_type, headers, close):
        assert self.answer is None
        self.answer = (status, json.loads(body) if "json" in media_type else body, media_type, close)


class World:
    """A worker's parts around the invocations, and a model that notes in which threads it computes how many rows."""

    def __init__(self, thread, **environment):
        self.counters = Counted()
        log = SimpleNamespace(add=lambda *arguments: None)
        self.answers = Answers(self.counters, log)
        settings = Settings.from_environment(environment)
        self.invocations = Invocations(settings, self.answers, self.counters, thread)
        self.passes = []
        self.before_pass = lambda rows: None
        self.model = Servable(Path(), Policy(DESCRIPTION, None), "NumPy", self.forward)
        self.model.quick_rows = ROWS_PER_PASS
        self.passes.clear()

    def forward(self, observations):
        self.passes.append((threading.current_thread() is threading.main_thread(), len(observations)))
        self.before_pass(len(observations))
        with np.errstate(over="ignore"):
            return [observations[:, :1] - observations[:, 1:], observations * np.float32([2, 4])]

    def ask(self, body, connection=None, model=None, **headers):
        request = Request(connection or Connection())
        request.path, request.body = "/invocations", body
        request.headers = {name.replace("_", "-").encode(): value for name, value in headers.items()}
        self.answers.in_hand.add(request)
        self.invocations.invoke(model or self.model, request)
        return request

    async def settle(self, *requests):
        async def answered():
            while any(request.connection.answer is None for request in requests):
                await asyncio.sleep(0)

        await asyncio.wait_for(answered(), 60)


def in_world(use, **environment):
    """Run a coroutine function of a World in an event loop."""

    async def run():
        with ThreadPoolExecutor(1) as thread:
            world = World(thread, **environment)
            await use(world)
            assert not world.answers.in_hand
            return world

    return asyncio.run(run())


def body_of(*rows):
    return json.dumps(rows).encode()


def heads_of(*rows):
    return [[[a - b] for a, b in rows], [[2 * a, 4 * b] for a, b in rows]]


def test_requests_that_arrive_together_share_a_forward_pass_and_each_gets_its_own_rows():
    async def use(world):
        rows = [[(1, 2)], [(3, 5), (7, 1), (0, 9)], [(4, 4), (6, 5)]]
        requests = [world.ask(body_of(*each)) for each in rows]
        actions = world.ask(body_of((3, 1)), accept=b"text/csv", x_amzn_sagemaker_custom_attributes=b"output=actions")
        assert not world.passes
        await world.settle(*requests, actions)
        assert [request.connection.answer[:3] for request in requests] == [
            (200, heads_of(*each), "application/json") for each in rows
        ]
        assert actions.connection.answer == (200, b"6.0,4.0", "text/csv", False)
        assert (world.passes, world.counters.batches) == ([(True, 7)], [7])
        later = world.ask(body_of((8, 1)))
        await world.settle(later)
        assert later.connection.answer[1] == heads_of((8, 1))

    in_world(use)


def test_each_model_has_its_own_batch():
    async def use(world):
        other = World(world.invocations._threads)
        mine, others = world.ask(body_of((1, 2))), world.ask(body_of((3, 4), (5, 6)), model=other.model)
        await world.settle(mine, others)
        assert (world.passes, other.passes) == ([(True, 1)], [(True, 2)])
        assert others.connection.answer[1] == heads_of((3, 4), (5, 6))

    in_world(use)


@pytest.mark.parametrize(
    ("size", "is_plain", "on_the_loop"),
    [(8 * 1024, False, True), (8 * 1024 + 1, False, False), (64 * 1024, True, True), (64 * 1024 + 1, True, False)],
)
def test_a_body_that_takes_long_to_read_is_read_in_the_thread(size, is_plain, on_the_loop):
    """Plain is a body of nothing but numbers, which takes less time."""

    async def use(world):
        body = body_of((1, 2)) if is_plain else b'{"more": 1, "instances": [[1, 2]]}'
        request = world.ask(body.ljust(size))
        await world.settle(request)
        assert request.connection.answer[1] == (heads_of((1, 2)) if is_plain else {"predictions": [PREDICTION]})
        assert (world.passes, world.counters.batches) == ([(on_the_loop, 1)], [1])

    in_world(use)


@pytest.mark.parametrize(("rows", "hops"), [(2048, 1), (2049, 4)])
def test_the_thread_is_entered_once_unless_there_are_many_rows(rows, hops):
    async def use(world):
        entered = []
        submit = world.invocations._threads.submit
        world.invocations._threads.submit = lambda *work: entered.append(work) or submit(*work)
        request = world.ask(body_of(*[(1, 2)] * rows).ljust(64 * 1024 + 1))
        await world.settle(request)
        assert request.connection.answer[1] == heads_of(*[(1, 2)] * rows)
        assert len(entered) == hops

    in_world(use)


def test_the_mistake_in_a_large_body_is_the_clients():
    async def use(world):
        request = world.ask(b"[[1, 2], [3]]".ljust(64 * 1024 + 1))
        await world.settle(request)
        assert request.connection.answer[0] == 400

    in_world(use)


def test_a_large_body_is_answered_in_pieces_in_its_order():
    rows = [(number, -2 * number) for number in range(5_000)]

    async def use(world):
        request = world.ask(json.dumps({"instances": rows}).encode())
        await world.settle(request)
        expected = [{"value": [3 * number], "mean": [2 * number, -8 * number]} for number in range(5_000)]
        assert request.connection.answer[1] == {"predictions": expected}
        assert world.passes == [(False, 2048), (False, 2048), (False, 904)]
        assert world.counters.batches == [5_000]

    in_world(use)


@pytest.mark.parametrize(
    ("rows", "passes"),
    [
        ([20], [(True, 20)]),
        ([21], [(False, 21)]),
        ([20, 1], [(True, 20), (True, 1)]),
        ([10, 10, 10, 10], [(True, 20), (True, 20)]),
        ([7, 7, 7], [(True, 14), (True, 7)]),
        ([5, 21, 5], [(True, 5), (False, 26)]),
    ],
)
def test_a_pass_on_the_loop_has_no_more_rows_than_are_quick(rows, passes):
    async def use(world):
        world.model.quick_rows = 20
        requests = [world.ask(body_of(*[(number, 2)] * count)) for number, count in enumerate(rows)]
        await world.settle(*requests)
        assert world.passes == passes
        assert sum(world.counters.batches) == sum(rows)
        for number, (count, request) in enumerate(zip(rows, requests, strict=True)):
            assert request.connection.answer[1] == heads_of(*[(number, 2)] * count)
        later = world.ask(body_of((8, 1)))
        await world.settle(later)
        assert later.connection.answer[1] == heads_of((8, 1))

    in_world(use)


def test_while_a_slow_model_computes_the_next_batch_gathers():
    async def use(world):
        world.model.quick_rows = 0
        computes, go_on = threading.Event(), threading.Event()

        def wait(rows):
            computes.set()
            assert go_on.wait(60)

        world.before_pass = wait
        first = world.ask(body_of((1, 2)))
        while not computes.is_set():
            await asyncio.sleep(0)
        others = [world.ask(body_of((number, 0))) for number in (3, 4)]
        go_on.set()
        await world.settle(first, *others)
        assert world.passes == [(False, 1), (False, 2)]
        assert [request.connection.answer[1] for request in others] == [heads_of((3, 0)), heads_of((4, 0))]
        again = world.ask(body_of((5, 0)))
        await world.settle(again)
        assert world.counters.batches == [1, 2, 1]

    in_world(use)


@pytest.mark.parametrize("quick_rows", [2, 0])
def test_a_fault_of_the_model_is_the_answer_of_all_that_it_computed(quick_rows, capfd):
    async def use(world):
        world.model.quick_rows = quick_rows
        world.before_pass = lambda rows: 1 / 0
        requests = [world.ask(body_of((1, 2))), world.ask(body_of((3, 4)))]
        await world.settle(*requests)
        assert [request.connection.answer[0] for request in requests] == [500, 500]
        world.before_pass = lambda rows: None
        good = world.ask(body_of((1, 2)))
        await world.settle(good)
        assert good.connection.answer[0] == 200

    in_world(use)


def test_an_answer_that_is_not_finite_is_the_mistake_of_one_client_alone():
    async def use(world):
        requests = [world.ask(body_of(row)) for row in ((1, 2), (3e38, 3e38), (3, 4))]
        await world.settle(*requests)
        assert [request.connection.answer[0] for request in requests] == [200, 400, 200]
        assert requests[2].connection.answer[1] == heads_of((3, 4))

    in_world(use)


@pytest.mark.parametrize(("waiting", "status"), [(2, 200), (3, 503)])
def test_a_worker_has_no_more_requests_in_hand_than_its_queue_holds(waiting, status):
    async def use(world):
        others = [object() for _ in range(waiting - 1)]
        world.answers.in_hand |= set(others)
        request = world.ask(body_of((1, 2)))
        await world.settle(request)
        assert request.connection.answer[0] == status
        if status == 503:
            assert request.connection.answer[1]["detail"] == "2 requests are waiting already."
        world.answers.in_hand -= set(others)

    in_world(use, SAGEMAKER_RL_MAX_QUEUE="2")


def test_a_server_that_is_about_to_end_answers_what_it_had_accepted():
    async def use(world):
        world.invocations.draining = True
        before, after = world.ask(body_of((1, 2)), Connection(True)), world.ask(body_of((1, 2)), Connection(False))
        await world.settle(before, after)
        assert (before.connection.answer[0], before.connection.answer[3]) == (200, False)
        assert (after.connection.answer[0], after.connection.answer[3]) == (503, True)
        assert after.connection.answer[1]["detail"] == "The server is about to end."

    in_world(use)


def test_a_body_is_not_encoded():
    async def use(world):
        await world.settle(world.ask(body_of((1, 2)), content_encoding=b"identity"))
        with pytest.raises(RequestError, match=r"^Content-Encoding is 'gzip', expected none\.$") as refused:
            world.ask(body_of((1, 2)), content_encoding=b"gzip")
        assert refused.value.status == 415
        world.answers.in_hand.clear()

    in_world(use)


@pytest.mark.parametrize(("status", "answered"), [(200, 200), (399, 500), (400, 400), (499, 499), (500, 500)])
def test_a_users_own_model_answers_with_its_own_status(status, answered, capfd):
    class Own:
        def transform(self, body, headers):
            assert (body, headers) == (b"anything", {b"accept": b"x/y"})
            return SimpleNamespace(status=status, body=b"its own", content_type="x/y", detail="its reason")

    async def use(world):
        request = world.ask(b"anything", model=Own(), accept=b"x/y")
        await world.settle(request)
        given, body, media_type, _ = request.connection.answer
        assert given == answered
        if answered == 200:
            assert (body, media_type) == (b"its own", "x/y")
        elif answered < 500:
            assert body["detail"] == "its reason"

    in_world(use)
    if answered == 500:
        assert "RuntimeError: its reason" in capfd.readouterr().out
