"""Floods, kills, stopped workers, and all of it at once: what becomes of the requests of others."""

import contextlib
import json
import os
import signal
import socket
import time

import httpx
import mixed_load
import pytest
from attack import pings_during
from exchanges import RIGHT, Exchange, address_of, ping_seconds
from floods import KINDS, flood, requests_whose_client_leaves
from kills import kill_each_second, lost, terminate, until
from load import BODY
from raw_requests import post

CLIENTS = 8


@pytest.mark.parametrize("kind", range(len(KINDS)), ids=[kind.__name__ for kind in KINDS])
def test_a_flood_holds_nobody_up(url, kind):
    outcome = pings_during(url, kind, 0.5)
    assert outcome.kind == RIGHT, outcome.reason


def test_all_floods_at_once(url):
    with contextlib.ExitStack() as stack:
        floods = [stack.enter_context(flood(url, kind, 10)) for kind in KINDS]
        until(lambda: all(done.sent for done in floods), 20)
        for _ in range(20):
            with Exchange(url) as exchange:
                exchange.send(post())
                assert exchange.read_answer().status == 200


def test_of_a_kill_each_second_only_what_was_in_hand_is_refused(own_server, start, ppo_model):
    with start(ppo_model, SAGEMAKER_MODEL_SERVER_WORKERS="2") as server:
        load, replaced = kill_each_second(server.url, server.pid, 3, CLIENTS)
        assert set(load.failed) <= {503}, load.failed
        assert set(load.refusals) <= {"The worker that had this request has ended."}
        assert load.failed.get(503, 0) <= len(replaced) * CLIENTS
        assert not load.wrong
        assert max(replaced) < 2


def test_sigterm_under_load_loses_nothing(own_server, start, ppo_model):
    with start(ppo_model) as server:
        load = terminate(server.url, server.pid, CLIENTS)
        assert server.wait() == 0
        assert not lost(load), load.statuses
        assert set(load.failed) <= {503, "ConnectError"}, load.failed
        assert not load.wrong


def test_a_stopped_worker_is_avoided_and_replaced(own_server, start, ppo_model):
    settings = {"SAGEMAKER_MODEL_SERVER_WORKERS": "2", "SAGEMAKER_MODEL_SERVER_TIMEOUT_SECONDS": "3"}
    with start(ppo_model, **settings) as server:
        stopped = server.workers()[0]
        pings = []
        os.kill(stopped, signal.SIGSTOP)
        stopped_at = time.monotonic()
        while time.monotonic() < stopped_at + 2:
            asked_at = time.monotonic()
            pings.append(ping_seconds(server.url, 5))
            with Exchange(server.url) as exchange:
                exchange.send(post())
                assert exchange.read_answer().status == 200
            seconds = time.monotonic() - asked_at
            assert seconds < 0.5 or asked_at < stopped_at + 0.3, (
                f"{seconds} s, asked {asked_at - stopped_at} s after it"
            )
        assert max(pings) < 1
        until(lambda: stopped not in server.workers() and len(server.workers()) == 2, 10)
        lines = [json.loads(line) for line in server.log().splitlines() if line.startswith("{")]
        errors = [line["message"] for line in lines if line["level"] == "error"]
        assert len(errors) == 1, errors
        assert "has stopped for" in errors[0]


def test_everything_at_once(own_server, start, ppo_model):
    settings = {"SAGEMAKER_MODEL_SERVER_WORKERS": "2", "SAGEMAKER_MODEL_SERVER_TIMEOUT_SECONDS": "2"}
    with start(ppo_model, **settings) as server:
        report = mixed_load.run(server.url, server.pid, 10)
        assert report.failures() == [], report.table() + "".join(f"\n{failure}" for failure in report.failures())
        assert report.kills >= 2
        assert report.stops >= 1
        assert report.floods > 100
        assert report.outcomes[RIGHT] > 100
        assert report.growth(1) is None  # of the first minute nothing is said
