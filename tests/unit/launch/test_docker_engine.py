"""The engine that runs containers, with a small fake of Docker's API."""

import sys

import demo
import pytest
from launch import project
from launch.cli import errors
from launch.local import attached
from stand_ins import PLATFORM, REQUEST


def test_missing_images_are_built_before_anything_is_started(fake_engine, tmp_path, monkeypatch, capsys):
    answers, requests = fake_engine
    answers["GET", "/images/debian:bookworm-slim/json"] = (200, {"Id": "base", "Size": 1, **PLATFORM})
    answers["POST", "/build"] = (200, [{"stream": "Step 1/2 : FROM debian"}, {"error": "no space left on device"}])
    monkeypatch.setattr(sys, "argv", ["demo.py", "--engine", "docker", "--runs", str(tmp_path / "runs")])
    with pytest.raises(errors.JobFailed, match=r"^The training image cannot be built: no space left on device"):
        demo.main()
    assert "Building mountain-car-training:latest, once" in capsys.readouterr().out
    assert requests[-1] == ("POST", "/v1.43/build")
    assert not (tmp_path / "runs").exists()


def test_images_of_older_files_are_built_anew(fake_engine, monkeypatch, capsys):
    answers, requests = fake_engine
    labels = {"org.opencontainers.image.title": "mountain-car-training", "org.opencontainers.image.revision": "c0ffee"}
    image = {"Id": "c0ffee", "Size": 1, **PLATFORM, "Created": "2026-11-27T00:00:00Z", "Config": {"Labels": labels}}
    answers["GET", "/json"] = (200, image)
    answers["POST", "/build"] = (200, [{"error": "no space left on device"}])
    asked = []
    monkeypatch.setattr(project, "changed_since", lambda *given: asked.append(given) or ["container_src/x.py", "y"])
    with pytest.raises(errors.JobFailed, match="no space left on device"):
        attached.make_engine("docker")
    out = capsys.readouterr().out
    assert "Building mountain-car-training:latest, as container_src/x.py is not as it was\n" in out
    assert [given[:2] for given in asked] == [("c0ffee", "training")]
    monkeypatch.setattr(project, "changed_since", lambda *given: [])
    builds = [request for request in requests if request == ("POST", "/v1.43/build")]
    attached.make_engine("docker")
    assert [request for request in requests if request == ("POST", "/v1.43/build")] == builds
    labels.clear()  # somebody else's image of that name
    monkeypatch.setattr(project, "changed_since", lambda *given: ["z"])
    attached.make_engine("docker")


def test_images_for_another_processor_are_refused(fake_engine):
    answers, _ = fake_engine
    answers["GET", "/json"] = (200, {"Id": "c0ffee", "Config": {}, "Os": "linux", "Architecture": "arm64"})
    sentence = "is for linux/arm64, expected linux/amd64: build it with `make images`"
    with pytest.raises(errors.UsageError, match=sentence):
        attached.make_engine("docker")


def test_a_container_that_cannot_be_started_is_removed(fake_engine, tmp_path):
    answers, requests = fake_engine
    answers["GET", "/json"] = (
        200,
        {"Id": "c0ffee", "Config": {}, "Name": "/x", **PLATFORM},
    )  # of images and containers
    answers["POST", "/containers/create"] = (201, {"Id": "c0ffee"})
    answers["POST", "/containers/c0ffee/start"] = (500, {"message": "mounts denied"})
    answers["DELETE", "/containers/c0ffee"] = (204, None)
    engine = attached.make_engine("docker")
    with pytest.raises(errors.JobFailed, match="mounts denied"):
        attached.run_training_job(engine, REQUEST, tmp_path / "run")
    assert requests[-1] == ("DELETE", "/v1.43/containers/c0ffee")
    assert not list(tmp_path.rglob(".ml"))
