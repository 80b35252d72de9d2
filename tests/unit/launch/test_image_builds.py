"""Building the images, with a small fake of Docker's API."""

import subprocess

import pytest
from launch.cli import errors
from launch.local import images


def test_why_the_base_image_cannot_be_pulled_is_said(fake_engine, monkeypatch):
    answers, _ = fake_engine
    answers["POST", "/images/create"] = (500, {"message": "toomanyrequests: pull rate limit"})

    def fail(command, **options):
        raise subprocess.CalledProcessError(1, command)

    monkeypatch.setattr(subprocess, "run", fail)
    said = []
    with pytest.raises(errors.JobFailed, match=r"build_base\.sh"):
        images.ensure_base_image(images.connect(), images.BASE_IMAGE, said.append)
    assert "toomanyrequests: pull rate limit" in said[-1]
