"""The official SDKs, each in an environment of its own, in local mode on the real images; S3 is the local AWS's."""

import fcntl
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest
from documents import Page
from jobs import CONTAINER_SRC, ROOT, free_port
from launch.local import images
from moto.server import ThreadedMotoServer

import docker

PAGE = Page("docs/sdk.md")
SHORT = {
    "improve_steps": 4000,
    "training_freq_env_steps": 2000,
    "evaluation_freq_env_steps": 4000,
    "evaluation_episodes": 1,
    "training_batch_size": 500,
    "training_epochs": 1,
    "parallel_environments": 2,
}
"""Hyperparameters of a job that takes a second or two."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.container)


@dataclass
class Walk:
    """Snippets of the page that have run, as far as they went: what each heading's defined, and what they printed."""

    folder: Path
    defined: dict[str, dict[str, Any]]
    logs: dict[str, str]

    def __getitem__(self, heading: str) -> dict[str, Any]:
        """Return what the snippets under a heading defined."""
        assert heading in self.defined, list(self.logs.values())[-1][-5000:]
        return self.defined[heading]


def snippets(section: str) -> list[tuple[str, str]]:
    """Return the page's Python before its sections, and that of one section, each with the heading it stands under."""
    found = []
    for line, language, code in PAGE.blocks():
        above = "\n".join(PAGE.text.splitlines()[:line])
        sections, headings = (
            re.findall(r"^## (.*)$", above, re.MULTILINE),
            re.findall(r"^##+ (.*)$", above, re.MULTILINE),
        )
        if language == "python" and sections[-1:] in ([], [section]):
            found.append(((headings or [""])[-1], code))
    return found


@pytest.fixture(scope="session")
def with_certificates() -> dict[str, str]:
    """The calls that the page's table has for a job with a company's certificates, by ``SDK 2`` and ``SDK 3``."""
    return dict(re.findall(r"^\| (SDK \d) \| `(.*?)` \|", PAGE.text, re.MULTILINE))


@pytest.fixture(scope="session")
def python_of_sdk() -> Callable[[str], Path]:
    """Return what makes the environment of an SDK (``v2``, ``v3``), and returns its Python."""
    return _python_of_sdk


def _python_of_sdk(version: str) -> Path:
    """Return the Python of the environment of an SDK, which is made if there is none of these requirements."""
    requirements = ROOT / f"tests/sdk/requirements-{version}.txt"
    environment = ROOT / f".venv-sdk-{version}"
    stamp = environment / "requirements.txt"
    with (ROOT / f".venv-sdk-{version}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not stamp.is_file() or stamp.read_text() != requirements.read_text():
            subprocess.run([sys.executable, "-m", "venv", "--clear", "--without-pip", environment], check=True)
            install = [ROOT / "scripts/install_packages.sh", environment, "--only-binary", ":all:"]
            subprocess.run([*install, "--requirement", requirements], check=True)
            shutil.copy(requirements, stamp)
    return environment / "bin/python"


@pytest.fixture(scope="session")
def compose() -> None:
    """The SDKs start containers by ``docker compose``, or by ``docker-compose``."""
    v2 = subprocess.run(["docker", "compose", "version"], capture_output=True, check=False)
    if v2.returncode and shutil.which("docker-compose") is None:
        if os.environ.get("REQUIRE_DOCKER") == "1":
            pytest.fail("REQUIRE_DOCKER is 1, but there is neither docker compose nor docker-compose")
        pytest.skip("neither docker compose nor docker-compose is installed")


@pytest.fixture(scope="session")
def walk(
    engine: docker.DockerClient,
    built: dict[str, images.BuiltImage],
    compose: None,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Callable[..., Walk]]:
    """Run the snippets of a section by the SDK of a version, in a folder that has this project's source.

    Those of a test's own may follow, each under a heading.
    """
    server = ThreadedMotoServer(ip_address="0.0.0.0", port=0, verbose=False)
    server.start()
    bridge = engine.networks.get("bridge").attrs["Options"]["com.docker.network.bridge.name"]
    host = psutil.net_if_addrs()[bridge][0].address  # of this machine, for itself and for containers

    def run(version: str, section: str, *own: tuple[str, str]) -> Walk:
        folder = tmp_path_factory.mktemp(f"sdk-{version}")
        shutil.copytree(CONTAINER_SRC, folder / "container_src", ignore=shutil.ignore_patterns("__pycache__"))
        code = folder / "snippets.json"
        code.write_text(json.dumps([*snippets(section), *own]), encoding="utf-8")
        home = folder / "home"
        (home / ".sagemaker").mkdir(parents=True)
        local = {"local": {"container_root": str(folder), "serving_port": free_port()}}
        (home / ".sagemaker/config.yaml").write_text(json.dumps(local))
        # The SDK's default bucket has the account's number in its name, which it asks of AWS itself.
        modules = {"TelemetryOptOut": True, "Session": {"DefaultS3Bucket": f"sdk-{version}"}}
        defaults = {"SchemaVersion": "1.0", "SageMaker": {"PythonSDK": {"Modules": modules}}}
        (home / "defaults.yaml").write_text(json.dumps(defaults))
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("AWS_")},
            "HOME": str(home),
            "SAGEMAKER_USER_CONFIG_OVERRIDE": str(home / "defaults.yaml"),
            "AWS_ENDPOINT_URL": f"http://{host}:{server.get_host_and_port()[1]}",
            "AWS_ACCESS_KEY_ID": "testing",
            "AWS_SECRET_ACCESS_KEY": "testing",
            "AWS_REGION": "eu-west-1",
            "AWS_DEFAULT_REGION": "eu-west-1",
            "AWS_EC2_METADATA_DISABLED": "true",
            "NO_PROXY": f"{host},127.0.0.1,localhost",
            "ROLE_ARN": "arn:aws:iam::123456789012:role/rl-mountain-car",
            "HYPERPARAMETERS": json.dumps(SHORT),
        }
        command = [_python_of_sdk(version), ROOT / "tests/sdk/run_snippets.py", code, folder / "outcome.jsonl"]
        log = folder / "log.txt"
        with log.open("w") as output:
            subprocess.run(command, cwd=folder, env=environment, stdout=output, stderr=output, timeout=900, check=False)
        defined: dict[str, dict[str, Any]] = {}
        for line in (folder / "outcome.jsonl").read_text(encoding="utf-8").splitlines():
            each = json.loads(line)
            defined.setdefault(each["heading"], {}).update(each["defined"])
        logs: dict[str, str] = {}
        for part in log.read_text(encoding="utf-8", errors="replace").split("\n=== ")[1:]:
            heading, _, text = part.partition("\n")
            logs[heading] = logs.get(heading, "") + text
        return Walk(folder, defined, logs)

    yield run
    server.stop()
