"""Jobs and endpoints that many tests look at, each run once."""

import fcntl
import os
import shutil
from typing import Any

import pytest
from jobs import SHORT_DQN, SHORT_PPO, STOCK_DQN, STOCK_PPO, Job, run_training
from launch import project
from launch.cli import errors
from launch.local import images
from xdist.scheduler import LoadScopeScheduling

import docker

MOVING_TAGS = ("tests/aws/test_push_images.py", "tests/aws/test_codebuild.py")


class SharedJobs(LoadScopeScheduling):
    """Has one process run a file's tests, as they share jobs.

    The files that move the tags of images share a process, too; each page of the documents may have one of its own.
    """

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        if file in MOVING_TAGS:
            return "images"
        return nodeid if file == "tests/docs/test_commands.py" else file


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--server",
        metavar="URL",
        help="the endpoint that tests/serving/attacks attacks; by default one of this checkout",
    )


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadScopeScheduling:
    return SharedJobs(config, log)


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
def engine() -> docker.DockerClient:
    try:
        return images.connect()
    except errors.UsageError as error:
        if os.environ.get("REQUIRE_DOCKER") == "1":
            pytest.fail(f"REQUIRE_DOCKER is 1, but: {error}")
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def built(engine: docker.DockerClient, tmp_path_factory: pytest.TempPathFactory) -> dict[str, images.BuiltImage]:
    """Both images, as ``make images`` builds them.

    One process builds at a time. The next finds all layers there, and moves no tag: two at once make two images.
    """
    ca_bundle = images.find_ca_bundle(None)
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    with (shared / "building-images").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        return {kind: images.build(engine, kind, ca_bundle=ca_bundle) for kind in project.KINDS}


@pytest.fixture(scope="session")
def mpirun() -> list[str]:
    """The command that starts ranks on this machine; OpenMPI is in the training image, and here if it is installed."""
    if shutil.which("mpirun") is None:
        if os.environ.get("REQUIRE_DOCKER") == "1":
            pytest.fail("REQUIRE_DOCKER is 1, but OpenMPI's mpirun is not installed")
        pytest.skip("OpenMPI's mpirun is not installed")
    return ["mpirun", "--allow-run-as-root", "--bind-to", "none", "--oversubscribe"]
