"""Copies of an environment in processes: the same trajectories, and an end to every process."""

import os
import signal
import subprocess
import time

import gym
import numpy as np
import psutil
import pytest
from sagemaker_rl.coach.environments import AgentEnv
from sagemaker_rl.coach.recording import RenderError
from sagemaker_rl.errors import InputError
from sagemaker_rl.training.accelerated.env_processes import EnvProcesses
from sagemaker_rl.training.accelerated.vector_envs import make_vector_env


class Walk(gym.Env):
    """A walk at random whose episodes end by chance; a wall says what happens where it is reached."""

    observation_space = gym.spaces.Box(-99, 99, shape=(2,))
    action_space = gym.spaces.Discrete(3)
    at_wall = None

    def seed(self, seed=None):
        self.random = np.random.default_rng(seed)

    def reset(self):
        self.place = self.random.normal(size=2)
        return self.place.copy()

    def step(self, action):
        self.place = self.place + self.random.normal(size=2) + action - 1
        ended = self.random.random() < 0.1
        if self.at_wall and abs(self.place[0]) > 3:
            self.at_wall()
        return self.place.copy(), float(self.place[0]), ended, {"TimeLimit.truncated": ended and self.place[1] > 0}

    def render(self, mode):
        if self.at_wall:
            raise NotImplementedError
        return np.full((2, 3, 3), abs(int(self.place[0] * 10)) % 256, dtype=np.uint8)


def make_walk(at_wall=None):
    def make():
        walk = AgentEnv(Walk(), "mine:Walk")
        walk.env.at_wall = at_wall
        return walk

    return make


@pytest.fixture
def begin():
    begun = []

    def begin(processes, at_wall=None):
        begun.append(EnvProcesses(make_walk(at_wall), processes, "mine:Walk"))
        return begun[-1]

    yield begin
    for processes in begun:
        processes.close()
    assert not [child for child in psutil.Process().children() if "multiprocessing" in " ".join(child.cmdline())]


def play(batch, steps, seed=5):
    random = np.random.default_rng(seed)
    return [batch.step(random.integers(0, 3, batch.num_envs)) for _ in range(steps)]


def assert_same(one, other):
    for mine, theirs in zip(one, other, strict=True):
        for name, array in mine._asdict().items():
            expected = getattr(theirs, name)
            assert (array.dtype, array.tolist()) == (expected.dtype, expected.tolist()), name


@pytest.mark.parametrize("processes", [2, 3, 7])
def test_trajectories_are_those_of_one_process_bit_for_bit(begin, processes):
    here = make_vector_env(make_walk(), 5, 40)
    there = begin(processes).batch(5, 40)
    assert np.array_equal(here.reset(), there.reset())
    steps = play(here, 60)
    assert np.concatenate([step.dones for step in steps]).sum() > 10
    assert np.concatenate([step.truncated for step in steps]).any()
    assert_same(play(there, 60), steps)
    for batch in (here, there):
        batch.seed(7)
    assert np.array_equal(here.reset(), there.reset())
    assert_same(play(there, 3), play(here, 3))


def test_a_state_goes_on_in_another_number_of_processes(begin):
    batches = [make_vector_env(make_walk(), 5, 40), *(begin(processes).batch(5, 40) for processes in (2, 4))]
    first = batches[0]
    first.reset()
    observations = play(first, 20)[-1].observations
    state = first.state()
    expected = play(first, 20, seed=6)
    for batch in batches[1:]:
        batch.reset()
        assert batch.restore(state, observations).tolist() == [True] * 5
        assert [list(episode["actions"]) for episode in batch.state()] == [
            list(episode["actions"]) for episode in state
        ]
        assert_same(play(batch, 20, seed=6), expected)
    where = np.array([True, False, False, False, True])
    begun = [batch.begin_episodes(where, np.zeros((5, 2), dtype=np.float32)) for batch in batches]
    assert begun[0][1:4].tolist() == [[0, 0]] * 3
    assert all(np.array_equal(begun[0], other) for other in begun[1:])


def test_several_batches_are_held_and_those_that_nobody_holds_are_closed(begin):
    processes = begin(2)
    training, evaluation = processes.batch(4, 40), processes.batch(1, 50)
    training.reset()
    evaluation.reset()
    here = make_vector_env(make_walk(), 1, 50)
    here.reset()
    assert_same(play(evaluation, 10), play(here, 10))
    assert training.own_action(2) == 2
    pictures = [training.view(index) for index in range(4)]
    assert [picture.shape for picture in pictures] == [(2, 3, 3)] * 4
    assert len({picture.tobytes() for picture in pictures}) == 4
    assert [len(held) for held in processes.call("batches")] == [1, 2]
    del evaluation
    training.reset()
    assert [len(held) for held in processes.call("batches")] == [1, 1]


class Unpicklable(Exception):
    def __init__(self, one, other):
        super().__init__(f"{one} and {other}")


def raise_own():
    raise Unpicklable("one", "other")


@pytest.mark.parametrize(
    ("at_wall", "error", "sentence"),
    [
        (lambda: [][1], IndexError, "list index out of range"),
        (raise_own, RuntimeError, "Unpicklable: one and other"),
        (lambda: os._exit(3), InputError, "was ended with exit status 3, expected it to live as long as the job"),
        (lambda: os.kill(os.getpid(), signal.SIGKILL), InputError, "was ended by SIGKILL, as the system does it where"),
    ],
)
def test_what_goes_wrong_in_a_process_is_raised_here(begin, capfd, at_wall, error, sentence):
    processes = begin(2, at_wall)
    batch = processes.batch(4, 40)
    batch.reset()
    with pytest.raises(error, match=sentence):
        play(batch, 200)
    assert ("Traceback" in capfd.readouterr().out) == (error is not InputError)
    if error is InputError:
        assert not any(process.is_alive() for process in processes._vector.processes)


def test_what_an_environment_begins_does_not_keep_its_end_a_secret(begin):
    """A process that an environment has begun holds the pipe open."""

    def end():
        subprocess.Popen(["sleep", "20"], close_fds=False)
        os._exit(4)

    batch = begin(2, end).batch(4, 40)
    batch.reset()
    started = time.monotonic()
    with pytest.raises(InputError, match="ended with exit status 4"):
        play(batch, 200)
    assert time.monotonic() - started < 10


def test_an_environment_can_end_a_process_that_it_has_begun(begin):
    def simulate():
        simulator = subprocess.Popen(["sleep", "60"])
        simulator.terminate()
        assert simulator.wait(10) == -signal.SIGTERM

    batch = begin(2, simulate).batch(4, 40)
    batch.reset()
    assert len(play(batch, 30)) == 30


def test_a_picture_that_cannot_be_drawn_is_the_same_error(begin):
    batch = begin(2, lambda: None).batch(2, 40)
    batch.reset()
    with pytest.raises(RenderError, match=r"^render\(\) of mine:Walk raises NotImplementedError$"):
        batch.view(1)


def test_processes_outlive_signals_and_end_with_the_job_that_is_killed(tmp_path):
    program = f"""
import sys, time
sys.path[:0] = {[str(path) for path in __import__("sys").path]!r}
from test_env_processes import make_walk
from sagemaker_rl.training.accelerated.env_processes import EnvProcesses
processes = EnvProcesses(make_walk(), 2, "mine:Walk")
print(*(process.pid for process in processes._vector.processes), flush=True)
time.sleep(60)
"""
    job = subprocess.Popen(["python", "-c", program], stdout=subprocess.PIPE, text=True)
    workers = [psutil.Process(int(pid)) for pid in job.stdout.readline().split()]
    for worker in workers:
        worker.send_signal(signal.SIGTERM)
        worker.send_signal(signal.SIGINT)
    time.sleep(0.2)
    assert all(worker.is_running() and worker.status() != psutil.STATUS_ZOMBIE for worker in workers)
    job.kill()
    job.wait()
    _, alive = psutil.wait_procs(workers, timeout=10)
    assert not alive
