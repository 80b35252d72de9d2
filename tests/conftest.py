"""Jobs and endpoints that many tests look at, each run once."""

import os
import shutil
from pathlib import Path
from typing import Any

import pytest
from jobs import SHORT_DQN, SHORT_PPO, STOCK_DQN, STOCK_PPO, Job, one_process_at_a_time, run_once
from launch import project
from launch.cli import errors
from launch.local import images
from without_mxnet import NEED_MXNET, OBSTACLE
from xdist.scheduler import LoadScopeScheduling

import docker

MOVING_TAGS = ("tests/aws/test_push_images.py", "tests/aws/test_codebuild.py")
EACH_ALONE = ("tests/docs/test_commands.py", "tests/process/test_agents_learn.py")
LONG_FILES = (
    *MOVING_TAGS,
    "tests/process/test_training_job.py",
    "tests/process/",
    "tests/browser/",
    "tests/unit/training/",
    "tests/sdk/",
    "tests/container/",
    "tests/docs/test_commands.py",
    "tests/serving/",
    "tests/aws/test_local_",
    "tests/aws/test_notebook.py",
    "tests/aws/test_two_hosts.py",
    "tests/aws/test_walk_through.py",
)
"""How the paths of files begin that take long: one that began last would have all others wait for it."""


class SharedJobs(LoadScopeScheduling):
    """Has one process run a file's tests, as they share jobs.

    The files that move the tags of images share a process, too; tests that take long and share nothing may each have
    one of their own.
    """

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        if file in MOVING_TAGS:
            return "images"
        return nodeid if file in EACH_ALONE else file

    def _reschedule(self, node: Any) -> None:
        """Give a process its next file when one test is left to it, and not two: another may be free before it is."""
        if not self.workqueue or self._pending_of(self.assigned_work[node]) < 2:
            super()._reschedule(node)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--server",
        metavar="URL",
        help="the endpoint that tests/serving/attacks attacks; by default one of this checkout",
    )


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave out the folders and files that cannot be imported here."""
    if not OBSTACLE:
        return None
    name = collection_path.relative_to(config.rootpath).as_posix()
    return True if name.startswith(NEED_MXNET) or f"{name}/" in NEED_MXNET else None


def pytest_terminal_summary(terminalreporter: Any) -> None:
    if OBSTACLE:
        terminalreporter.write_line(f"Left out, as {OBSTACLE}: {', '.join(NEED_MXNET)}")


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """A part of ``make test`` may have nothing to run here."""
    if OBSTACLE and exitstatus == pytest.ExitCode.NO_TESTS_COLLECTED:
        session.exitstatus = pytest.ExitCode.OK


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Put the files that take long first; pytest itself orders by folder, whatever the command line says."""
    if OBSTACLE:
        left_out = [item for item in items if item.nodeid.startswith(NEED_MXNET)]
        items[:] = [item for item in items if item not in left_out]
        config.hook.pytest_deselected(items=left_out)

    def place(item: pytest.Item) -> int:
        return next(
            (number for number, start in enumerate(LONG_FILES) if item.nodeid.startswith(start)), len(LONG_FILES)
        )

    items.sort(key=place)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadScopeScheduling:
    return SharedJobs(config, log)


@pytest.fixture(scope="session")
def shared_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder that all processes of this run of pytest share."""
    base = tmp_path_factory.getbasetemp()
    return base.parent if "PYTEST_XDIST_WORKER" in os.environ else base


@pytest.fixture(scope="session")
def ppo_job(shared_folder: Path) -> Job:
    return run_once(shared_folder / "ppo-job", SHORT_PPO)


@pytest.fixture(scope="session")
def stock_ppo_job(shared_folder: Path) -> Job:
    return run_once(shared_folder / "stock-ppo-job", STOCK_PPO)


@pytest.fixture(scope="session")
def stock_dqn_job(shared_folder: Path) -> Job:
    return run_once(shared_folder / "stock-dqn-job", STOCK_DQN)


@pytest.fixture(scope="session")
def dqn_job(shared_folder: Path) -> Job:
    return run_once(shared_folder / "dqn-job", SHORT_DQN)


@pytest.fixture(scope="session")
def engine() -> docker.DockerClient:
    try:
        return images.connect()
    except errors.UsageError as error:
        if os.environ.get("REQUIRE_DOCKER") == "1":
            pytest.fail(f"REQUIRE_DOCKER is 1, but: {error}")
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def built(engine: docker.DockerClient, shared_folder: Path) -> dict[str, images.BuiltImage]:
    """Both images, as ``make images`` builds them.

    One process builds at a time. The next finds all layers there, and moves no tag: two at once make two images.
    """
    ca_bundle = images.find_ca_bundle(None)
    with one_process_at_a_time(shared_folder / "building-images"):
        return {kind: images.build(engine, kind, ca_bundle=ca_bundle) for kind in project.KINDS}


@pytest.fixture(scope="session")
def mpirun() -> list[str]:
    """The command that starts ranks on this machine; OpenMPI is in the training image, and here if it is installed."""
    if shutil.which("mpirun") is None:
        if os.environ.get("REQUIRE_DOCKER") == "1":
            pytest.fail("REQUIRE_DOCKER is 1, but OpenMPI's mpirun is not installed")
        pytest.skip("OpenMPI's mpirun is not installed")
    return ["mpirun", "--allow-run-as-root", "--bind-to", "none", "--oversubscribe"]
