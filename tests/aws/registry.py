"""A real registry (Debian's docker-registry) in place of ECR's own, and a checkout of this project to push from."""

import contextlib
import crypt
import hashlib
import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from jobs import ROOT
from launch.local import images
from local_aws import ACCOUNT, Aws

import docker

LOGIN = ("AWS", f"{ACCOUNT}-auth-token")
"""What the local AWS server's GetAuthorizationToken answers, and the only one that the registry lets in."""


@dataclass(frozen=True)
class StandInRegistry:
    address: str

    def get(self, path: str) -> Any:
        return httpx.get(f"http://{self.address}/v2/{path}", auth=LOGIN, trust_env=False).json()

    def put_blob(self, name: str, content: bytes) -> dict[str, Any]:
        """Upload a blob by the registry's API; return its descriptor, without a media type."""
        digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
        with httpx.Client(auth=LOGIN, trust_env=False) as client:
            begun = client.post(f"http://{self.address}/v2/{name}/blobs/uploads/")
            client.put(begun.headers["Location"] + f"&digest={digest}", content=content).raise_for_status()
        return {"digest": digest, "size": len(content)}

    def put_manifest(self, name: str, tag: str, manifest: dict[str, Any]) -> dict[str, Any]:
        """Upload a manifest or an index by the registry's API; return its descriptor."""
        content = json.dumps(manifest).encode()
        url = f"http://{self.address}/v2/{name}/manifests/{tag}"
        headers = {"Content-Type": manifest["mediaType"]}
        httpx.put(url, content=content, headers=headers, auth=LOGIN, trust_env=False).raise_for_status()
        digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
        return {"mediaType": manifest["mediaType"], "digest": digest, "size": len(content)}

    def tags(self, name: str) -> set[str]:
        return set(self.get(f"{name}/tags/list").get("tags") or [])


@pytest.fixture(scope="session")
def stand_in_registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StandInRegistry]:
    with serving(tmp_path_factory.mktemp("registry")) as registry:
        yield registry


@contextlib.contextmanager
def serving(folder: Path, storage: dict[str, Any] | None = None) -> Iterator[StandInRegistry]:
    """Run a registry that keeps what it has in a folder, till the end; Docker speaks plain HTTP with the loopback.

    Args:
        folder: of its own files.
        storage: settings of https://distribution.github.io/distribution/about/configuration/#storage.
    """
    program = shutil.which("docker-registry")
    if program is None:
        message = "There is no docker-registry: apt-get install docker-registry"
        (pytest.fail if os.environ.get("REQUIRE_DOCKER") == "1" else pytest.skip)(message)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    (folder / "htpasswd").write_text(f"{LOGIN[0]}:{crypt.crypt(LOGIN[1], crypt.mksalt(crypt.METHOD_BLOWFISH))}\n")
    config = {
        "version": "0.1",
        "log": {"level": "warn"},
        "storage": {"filesystem": {"rootdirectory": str(folder / "storage")}, **(storage or {})},
        "http": {"addr": address},
        "auth": {"htpasswd": {"realm": "stand-in", "path": str(folder / "htpasswd")}},
    }
    (folder / "config.yml").write_text(yaml.safe_dump(config))
    with (folder / "registry.log").open("w") as log:
        process = subprocess.Popen([program, "serve", str(folder / "config.yml")], stdout=log, stderr=log)
    try:
        _wait_for(f"http://{address}/v2/")
        yield StandInRegistry(address)
    finally:
        process.terminate()
        process.wait(timeout=30)
        shutil.rmtree(folder / "storage", ignore_errors=True)  # gigabytes


def _wait_for(url: str) -> None:
    for _ in range(100):
        with contextlib.suppress(httpx.TransportError):
            if httpx.get(url, auth=LOGIN, trust_env=False).status_code == 200:
                return
        time.sleep(0.1)
    raise AssertionError(f"{url} does not answer")


@dataclass(frozen=True)
class Checkout:
    """A clone of this repository, with what is not committed yet, committed."""

    folder: Path
    environment: dict[str, str]

    def script(self, name: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, str(self.folder / "scripts" / name), *arguments],
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            env={**self.environment, **environment},
            cwd=self.folder,
            timeout=600,
        )

    def git(self, *arguments: str) -> str:
        identity = ["-c", "user.name=test", "-c", "user.email=test@example.com"]
        return subprocess.check_output(["git", *identity, *arguments], cwd=self.folder, text=True).strip()


@pytest.fixture
def checkout(aws: Aws, tmp_path: Path) -> Checkout:
    made = Checkout(tmp_path / "checkout", aws.environment)
    subprocess.run(["git", "clone", "--quiet", str(ROOT), str(made.folder)], check=True)
    listed = subprocess.check_output(["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, text=True)
    for name in listed.splitlines():
        if (ROOT / name).exists():
            (made.folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, made.folder / name)  # with its time: make compares it with the environment's
        else:
            (made.folder / name).unlink(missing_ok=True)
    made.git("add", "--all")
    if made.git("status", "--porcelain"):
        made.git("commit", "--quiet", "--message", "The working tree")
    return made


@pytest.fixture
def kept_tags(engine: docker.DockerClient, built: dict[str, images.BuiltImage]) -> Iterator[None]:
    """Other tests find the images that they had, and the engine keeps no name of a registry that is gone.

    What has been built keeps its new tags: without one it would be deleted, and be no layer cache for the next.
    """
    before = {tag: image.id for image in engine.images.list() for tag in image.tags}
    yield
    for image in engine.images.list():
        names = [*image.tags, *(image.attrs["RepoDigests"] or [])]
        for name in names:
            if name not in before and (name.startswith("127.0.0.1:") or image.id in before.values()):
                with contextlib.suppress(docker.errors.ImageNotFound):  # a digest goes with its last tag
                    engine.images.remove(name, noprune=True)
    for tag, image_id in before.items():
        with contextlib.suppress(docker.errors.ImageNotFound):
            name, _, version = tag.rpartition(":")
            engine.images.get(image_id).tag(name, tag=version)
