"""The real engine, which says that it is on arm64: whether it runs the images is seen, not believed."""

import contextlib
import io
import os
import socket
import socketserver
import struct
import tarfile
import threading
from collections.abc import Iterator

import pytest
from launch.cli.errors import UsageError
from launch.local import images
from launch.local.docker_engine import DockerEngine

TINY = "mountain-car-no-emulation"


def copy(source: socket.socket, sink: socket.socket, old: bytes = b"", new: bytes = b"") -> None:
    """Copy what is sent until the connection ends, with one text in the place of another of the same length."""
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            sink.sendall(data.replace(old, new) if old else data)
        sink.shutdown(socket.SHUT_WR)


class Feigning(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        with socket.socket(socket.AF_UNIX) as engine:
            engine.connect((os.environ.get("REAL_ENGINE") or "unix:///var/run/docker.sock").removeprefix("unix://"))
            threading.Thread(target=copy, args=(self.request, engine), daemon=True).start()
            copy(engine, self.request, b'"Arch":"amd64"', b'"Arch":"arm64"')


class Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True


@pytest.fixture
def _on_arm64(engine, tmp_path, monkeypatch) -> Iterator[None]:
    """An engine that says it is on arm64 is the one that is asked."""
    monkeypatch.setenv("REAL_ENGINE", os.environ.get("DOCKER_HOST", ""))
    address = str(tmp_path / "engine.sock")
    with Server(address, Feigning) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        monkeypatch.setenv("DOCKER_HOST", f"unix://{address}")
        yield
        server.shutdown()


@pytest.mark.usefixtures("_on_arm64", "built")
def test_an_engine_that_emulates(engine):
    assert not images.is_native(images.connect())
    before = {container.id for container in engine.containers.list(all=True, filters={"name": "emulation"})}
    made = DockerEngine("mountain-car-training:latest", "mountain-car-serving:latest")
    assert made.name == "docker"
    assert {each.id for each in engine.containers.list(all=True, filters={"name": "emulation"})} <= before


@pytest.mark.usefixtures("_on_arm64")
def test_an_engine_that_does_not_emulate(engine):
    """It cannot run a program of which the header says another processor: what it answers is the kernel's."""
    program = b"\x7fELF\x02\x01\x01".ljust(16, b"\0") + struct.pack("<HHI", 2, 183, 1) + bytes(100)  # 183: aarch64
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        member = tarfile.TarInfo("usr/bin/true")
        member.size, member.mode = len(program), 0o755
        tar.addfile(member, io.BytesIO(program))
    engine.api.import_image_from_data(archive.getvalue(), repository=TINY, tag="1")
    try:
        with pytest.raises(UsageError, match=r"^This Docker engine, on arm64, runs no image for linux/amd64: have it "):
            DockerEngine(f"{TINY}:1", f"{TINY}:1")
        assert not engine.containers.list(all=True, filters={"ancestor": f"{TINY}:1"})
    finally:
        engine.images.remove(f"{TINY}:1")
