"""Jobs and endpoints as processes: how SageMaker starts them, and what they leave."""

import atexit
import contextlib
import fcntl
import functools
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import httpx
from prepared_process import PreparedProcess

ROOT = Path(__file__).resolve().parents[1]
CONTAINER_SRC = ROOT / "container_src"
PPO = "preset-mountain-car-continuous-clipped-ppo"
DQN = "preset-mountain-car-dqn"
CSV = "worker_0.simple_rl_graph.main_level.main_level.agent_0.csv"

SHORT_PPO = {
    "RLCOACH_PRESET": PPO,
    "seed": "7",
    "parallel_environments": "2",
    "improve_steps": "24000",
    "training_freq_env_steps": "4000",
    "evaluation_freq_env_steps": "24000",
    "evaluation_episodes": "1",
    "training_batch_size": "512",
    "training_epochs": "2",
}
"""A few training phases and one evaluation of the continuous car."""
SHORT_DEMO = [
    part
    for value in (
        "improve_steps=100000",
        "training_freq_env_steps=75000",
        "evaluation_freq_env_steps=75000",
        "evaluation_episodes=1",
        "training_learning_rate=0.004",
        "training_batch_size=256",
        "training_epochs=15",
        "discount=0.995",
    )
    for part in ("-p", value)
]
"""Of AWS's notebook, as flags of ``demo.py``: the car climbs after two trainings, which take some seconds."""
STOCK_PPO = {
    **{name: value for name, value in SHORT_PPO.items() if name != "parallel_environments"},
    "accelerate": "0",
    "improve_steps": "12000",
    "evaluation_freq_env_steps": "12000",
}
"""The same by stock Coach: one training phase."""
SHORT_DQN = {
    "RLCOACH_PRESET": DQN,
    "seed": "1",
    "parallel_environments": "4",
    "improve_steps": "40400",
    "evaluation_freq_env_steps": "40400",
    "evaluation_episodes": "1",
    "rl.agent_params.algorithm.num_consecutive_training_steps": "1",
    "training_learning_rate": "0.0001",
}
"""Four discrete cars, each for a little more than the 10,000 steps of an episode."""
STOCK_DQN = {
    "RLCOACH_PRESET": DQN,
    "seed": "1",
    "accelerate": "0",
    "improve_steps": "600",
    "evaluation_freq_env_steps": "600",
    "evaluation_episodes": "1",
}

OWN_ENVIRONMENT = """
import gym, numpy as np

class Own(gym.Env):
    observation_space = gym.spaces.Box(-1.0, 1.0, shape=(1,), dtype=np.float32)
    action_space = gym.spaces.Discrete(2)
    steps = 0

    def seed(self, seed=None):
        return [seed]

    def reset(self, **options):
        return np.zeros(1, dtype=np.float32)

    def step(self, action):
        self.steps += 1
        return np.array([np.sin(self.steps)], dtype=np.float32), REWARD, self.steps % 20 == 0, {}
"""
"""Episodes of 20 steps, and nothing to draw."""


@dataclass
class Job:
    """A job that has ended: its ``/opt/ml`` tree, exit status and what it printed."""

    ml: Path
    status: int
    log: str

    @property
    def failure(self) -> str:
        file = self.ml / "output" / "failure"
        return file.read_text(encoding="utf-8") if file.is_file() else ""

    def metadata(self) -> dict[str, Any]:
        return dict(json.loads((self.ml / "output/intermediate/metadata.json").read_text(encoding="utf-8")))


def write_own_environment(ml: Path, reward: str) -> Path:
    """Put an environment of one's own, with ``reward`` as code, and its ``preset-own`` where a job looks for them."""
    code = ml / "code"
    code.mkdir()
    preset = (ROOT / "tests/resources/custom_environment/preset-corridor.py").read_text(encoding="utf-8")
    (code / "own.py").write_text(OWN_ENVIRONMENT.replace("REWARD", reward), encoding="utf-8")
    (code / "preset-own.py").write_text(preset.replace("corridor:Corridor", "own:Own"), encoding="utf-8")
    return code


def write_inputs(
    ml: Path, hyperparameters: dict[str, str], host: str = "localhost", hosts: Sequence[str] | None = None
) -> None:
    config = ml / "input" / "config"
    config.mkdir(parents=True, exist_ok=True)
    (config / "hyperparameters.json").write_text(json.dumps(hyperparameters), encoding="utf-8")
    resources = {"current_host": host, "hosts": hosts or [host]}
    (config / "resourceconfig.json").write_text(json.dumps(resources), encoding="utf-8")
    (config / "inputdataconfig.json").write_text("{}", encoding="utf-8")


def process_environment(ml: Path) -> dict[str, str]:
    return {**os.environ, "SAGEMAKER_BASE_DIR": str(ml), "PYTHONPATH": str(CONTAINER_SRC), "PYTHONUNBUFFERED": "1"}


def start_training(ml: Path, hyperparameters: dict[str, str], **host: Any) -> subprocess.Popen[str]:
    """Start the training image's entry point as a process; ``host`` are arguments of ``write_inputs``."""
    write_inputs(ml, hyperparameters, **host)
    return subprocess.Popen(
        [sys.executable, "-m", "sagemaker_rl.training_container", "train"],
        env=process_environment(ml),
        cwd=ml,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def run_training(ml: Path, hyperparameters: dict[str, str], before: Callable[[Path], Any] = lambda ml: None) -> Job:
    before(ml)
    process = start_training(ml, hyperparameters)
    log, _ = process.communicate(timeout=600)
    return Job(ml, process.returncode, log)


@functools.cache
def prepared_process() -> PreparedProcess:
    prepared = PreparedProcess({**os.environ, "PYTHONPATH": str(CONTAINER_SRC), "PYTHONUNBUFFERED": "1"})
    atexit.register(prepared.close)
    return prepared


def run_prepared(ml: Path, hyperparameters: dict[str, str], before: Callable[[Path], Any] = lambda ml: None) -> Job:
    """Do as ``run_training`` does, in a fork of a process that has imported Coach: where starting is not the matter."""
    before(ml)
    write_inputs(ml, hyperparameters)
    return Job(ml, *prepared_process().run(ml, process_environment(ml), 600))


@contextlib.contextmanager
def one_process_at_a_time(name: Path) -> Iterator[None]:
    with name.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def run_once(
    ml: Path, hyperparameters: dict[str, str], run: Callable[[Path, dict[str, str]], Job] = run_training
) -> Job:
    """Return a job that tests only look at: the first process that needs it runs it, the others wait for it."""
    log = ml.with_suffix(".log")
    with one_process_at_a_time(ml):
        if not log.exists():
            ml.mkdir(exist_ok=True)
            job = run(ml, hyperparameters)
            assert job.status == 0, job.log
            log.write_bytes(job.log.encode())
        return Job(ml, 0, log.read_bytes().decode())


def give_checkpoint(ml: Path, job: Job) -> None:
    """Put a training job's checkpoint into the ``checkpoint`` channel of the tree ``ml``."""
    channel = ml / "input/data/checkpoint"
    channel.parent.mkdir(parents=True)
    channel.symlink_to(job.ml / "output/data/checkpoint")


def wait_until_healthy(url: str, is_alive: Callable[[], bool], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        assert is_alive(), "the server has ended"
        try:
            if httpx.get(f"{url}/ping").status_code == 200:
                return
        except httpx.TransportError:
            time.sleep(0.05)
    raise AssertionError("the server is not healthy")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def start_server(
    ml: Path, port: int, stdout: int | IO[str] = subprocess.PIPE, environment: Mapping[str, str] | None = None
) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, str(CONTAINER_SRC / "deploy-mxnet-coach.py"), "serve"],
        env={
            **process_environment(ml),
            "SAGEMAKER_BIND_TO_PORT": str(port),
            "SAGEMAKER_BIND_TO_HOST": "127.0.0.1",
            **(environment or {}),
        },
        cwd=ml,
        stdout=stdout,
        stderr=subprocess.STDOUT,
        text=True,
    )
