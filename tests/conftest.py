"""Jobs and endpoints that many tests look at, each run once."""

from collections.abc import Iterator

import pytest
from jobs import SHORT_DQN, SHORT_PPO, STOCK_DQN, STOCK_PPO, Endpoint, Job, free_port, run_training, serve


@pytest.fixture(scope="session")
def ppo_job(tmp_path_factory: pytest.TempPathFactory) -> Job:
    job = run_training(tmp_path_factory.mktemp("ppo"), SHORT_PPO)
    assert job.status == 0, job.log
    return job


@pytest.fixture(scope="session")
def stock_ppo_job(tmp_path_factory: pytest.TempPathFactory) -> Job:
    job = run_training(tmp_path_factory.mktemp("stock-ppo"), STOCK_PPO)
    assert job.status == 0, job.log
    return job


@pytest.fixture(scope="session")
def stock_dqn_job(tmp_path_factory: pytest.TempPathFactory) -> Job:
    job = run_training(tmp_path_factory.mktemp("stock-dqn"), STOCK_DQN)
    assert job.status == 0, job.log
    return job


@pytest.fixture(scope="session")
def dqn_job(tmp_path_factory: pytest.TempPathFactory) -> Job:
    job = run_training(tmp_path_factory.mktemp("dqn"), SHORT_DQN)
    assert job.status == 0, job.log
    return job


@pytest.fixture(scope="session")
def ppo_endpoint(ppo_job: Job) -> Iterator[Endpoint]:
    yield from serve(ppo_job.ml, free_port())


@pytest.fixture(scope="session")
def dqn_endpoint(dqn_job: Job) -> Iterator[Endpoint]:
    yield from serve(dqn_job.ml, free_port())
