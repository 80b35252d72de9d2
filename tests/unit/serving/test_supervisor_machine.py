"""A supervisor whose workers die, hang and come back, whatever clients do: nothing is lost, nothing is left."""

import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from sagemaker_rl.serving import handed_connections
from tiny_endpoint import TinyEndpoint

LIMIT = 3
NAMES = st.sampled_from(["a", "b", "c", "d", "e"])
WORKERS = st.integers(0, 1)


class Workers(RuleBasedStateMachine):
    """The models that have to be there are known at any time, unless the worker that was asked to change them died."""

    def __init__(self):
        super().__init__()
        self.patch = pytest.MonkeyPatch()
        self.folder = tempfile.TemporaryDirectory()
        self.endpoint = TinyEndpoint(Path(self.folder.name), self.patch, SAGEMAKER_RL_MAX_MODELS=str(LIMIT))
        self.loaded: set[str] = set()
        self.waiting = {}  # clients that have asked and are not answered, with the statuses that they may get

    @initialize(clients=st.integers(1, 3))
    def start(self, clients):
        self.endpoint.start()
        for _ in range(clients):
            self.connect()

    def teardown(self):
        try:
            self.finish()
        finally:
            self.endpoint.end()
            self.patch.undo()
            self.folder.cleanup()

    @property
    def free_clients(self):
        return [client for client in self.endpoint.clients if client not in self.waiting]

    def client(self):
        return self.free_clients[0] if self.free_clients else self.endpoint.connect()

    # --- Clients -----------------------------------------------------------------------------------------------------
    @precondition(lambda self: len(self.endpoint.clients) < 6)
    @rule()
    def connect(self):
        self.endpoint.connect()
        self.endpoint.turn()

    @precondition(lambda self: self.free_clients)
    @rule()
    def leave(self):
        self.endpoint.close(self.free_clients[-1])

    @rule(name=NAMES)
    def ask(self, name):
        """Any connection without a request is answered, by whichever worker has it, or gets it."""
        client = self.client()
        client.ask("POST", f"/models/{name}/invoke", b"now")
        self.expect(client, {200} if name in self.loaded else {404})

    @precondition(lambda self: self.loaded)
    @rule(name=NAMES)
    def ask_for_long(self, name):
        client = self.client()
        self.endpoint.shared.hold("answers", True)
        client.ask("POST", f"/models/{min(self.loaded)}/invoke", b"hold")
        self.waiting[client] = {200, 503}
        self.endpoint.turn(3)

    @rule()
    def answer_those(self):
        self.endpoint.shared.hold("answers", False)
        if not self.endpoint.stopped:
            self.settle()

    def expect(self, client, statuses):
        """Wait for an answer, if no worker is stopped or busy that may have the connection."""
        if self.endpoint.stopped or self.waiting:
            self.waiting[client] = statuses | {503}
            self.endpoint.turn(3)
        else:
            status, body = self.endpoint.answer(client)
            assert status in statuses, body

    # --- Models ------------------------------------------------------------------------------------------------------
    def is_quiet(self):
        return not self.endpoint.stopped and not self.waiting

    @precondition(is_quiet)
    @rule(names=st.lists(NAMES, min_size=1, max_size=5, unique=True), killed=st.one_of(st.none(), WORKERS))
    def load_at_once(self, names, killed):
        """As many are loaded as there is room for; a worker may die meanwhile."""
        self.endpoint.shared.hold("loads", True)
        clients = {name: self.endpoint.connect() for name in names}
        for name, client in clients.items():
            client.ask("POST", "/models", self.endpoint.load_body(name))
        new = [name for name in names if name not in self.loaded]
        room = min(LIMIT - len(self.loaded), len(new))
        answers = {}

        def answered(count):
            for name, client in clients.items():
                if name not in answers and (answer := client.answer()) is not None:
                    answers[name] = answer[0]
            return len(answers) == count

        self.endpoint.wait_until(lambda: answered(len(names) - room))
        assert sorted(answers.values()) == [409] * (len(names) - len(new)) + [507] * (len(new) - room)
        if killed is not None:
            self.endpoint.kill(self.endpoint.workers()[killed])
            self.endpoint.turn(2)
        self.endpoint.shared.hold("loads", False)
        self.endpoint.wait_until(lambda: answered(len(names)))
        # What the killed worker was asked for goes on at the others, though its clients have a 503.
        self.endpoint.wait_until(lambda: self.endpoint.is_complete() and "operations" not in self.endpoint.kept())
        for client in clients.values():
            self.endpoint.close(client)
        certain = {name for name in new if answers[name] == 200}
        assert killed is not None or len(certain) == room
        table = set(self.endpoint.models())
        assert self.loaded | certain <= table <= self.loaded | {name for name in new if answers[name] != 507}
        if killed is None and room == len(new):
            self.loaded = table
            return
        for name in table - self.loaded:  # which of them are loaded is chance, that the next steps do not depend on
            assert self.endpoint.request(self.client(), "DELETE", f"/models/{name}")[0] == 200

    @precondition(is_quiet)
    @rule()
    def load_a_bad_one(self):
        client = self.client()
        status, body = self.endpoint.request(client, "POST", "/models", self.endpoint.load_body("bad"))
        assert status == (507 if len(self.loaded) >= LIMIT else 400), body

    @precondition(is_quiet)
    @rule(name=NAMES)
    def unload(self, name):
        status, _ = self.endpoint.request(self.client(), "DELETE", f"/models/{name}")
        assert status == (200 if name in self.loaded else 404)
        self.loaded.discard(name)

    # --- Workers -----------------------------------------------------------------------------------------------------
    @rule(number=WORKERS)
    def kill(self, number):
        pid = self.endpoint.workers()[number]
        if self.is_quiet():
            self.endpoint.wait_until_idle()
        self.endpoint.kill(pid)
        self.endpoint.wait_until(lambda: self.endpoint.workers().get(number, pid) != pid)
        self.endpoint.wait_until(self.endpoint.is_complete)

    @rule(number=WORKERS)
    def stop(self, number):
        if (pid := self.endpoint.workers()[number]) not in self.endpoint.stopped:
            self.endpoint.stop(pid)

    @precondition(lambda self: self.endpoint.stopped)
    @rule()
    def go_on(self):
        self.endpoint.go_on(min(self.endpoint.stopped))

    @rule(seconds=st.sampled_from([0.5, handed_connections.SECONDS_UNRESPONSIVE, 61.0]))
    def wait(self, seconds):
        """A worker that has stood still for longer than a request may take is replaced."""
        stuck = set(self.endpoint.stopped)
        held = self.waiting and seconds > self.endpoint.settings.seconds_to_answer
        self.endpoint.advance(seconds)
        if seconds > self.endpoint.settings.seconds_to_answer:
            self.endpoint.wait_until(lambda: not stuck & set(self.endpoint.workers().values()))
            self.endpoint.stopped.clear()
            if held:  # the workers that had a request for so long end, and answer 503 thereby
                self.settle()
            self.endpoint.wait_until(self.endpoint.is_complete)

    def settle(self):
        for client, statuses in list(self.waiting.items()):
            status, body = self.endpoint.answer(client)
            assert status in statuses, body
            del self.waiting[client]
            self.endpoint.close(client)

    @invariant()
    def there_are_as_many_workers_as_there_should_be(self):
        if self.endpoint.workers():
            assert sorted(self.endpoint.workers()) == [0, 1]
            assert len(self.endpoint.supervisor._operations.models) <= LIMIT

    def finish(self):
        """Every request gets its answer, each worker has each model, and nothing is left."""
        endpoint = self.endpoint
        endpoint.shared.hold("answers", False)
        for pid in list(endpoint.stopped):
            endpoint.go_on(pid)
        self.settle()
        endpoint.wait_until(endpoint.is_complete)
        for client in list(endpoint.clients):
            endpoint.close(client)
        endpoint.wait_until(endpoint.nothing_is_left)
        assert set(endpoint.models()) == self.loaded
        for name in sorted(self.loaded):
            clients = [endpoint.connect() for _ in range(4)]  # two for each worker
            answers = [endpoint.request(client, "POST", f"/models/{name}/invoke", b"x") for client in clients]
            assert [(status, body.split()[::2]) for status, body in answers] == [(200, [name.encode(), b"x"])] * 4
            assert {int(body.split()[1]) for _, body in answers} == set(endpoint.workers().values())
            for client in clients:
                endpoint.close(client)
        endpoint.wait_until(endpoint.nothing_is_left)


TestWorkers = Workers.TestCase
TestWorkers.settings = settings(
    max_examples=20,
    stateful_step_count=20,
    deadline=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.generate],  # shrinking takes minutes: add Phase.shrink to look for the cause of a failure
)
