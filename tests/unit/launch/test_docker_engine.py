"""The engine that runs containers, with a small fake of Docker's API."""

import sys

import demo
import pytest
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


def test_images_for_another_processor_are_refused(fake_engine):
    answers, _ = fake_engine
    answers["GET", "/json"] = (200, {"Id": "c0ffee", "Os": "linux", "Architecture": "arm64"})
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
