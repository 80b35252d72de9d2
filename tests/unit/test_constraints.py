"""The images' constraints for pip: made by the Dockerfile's own command from the lock file beside it."""

import re
import subprocess

import pytest
from jobs import ROOT


def constraints(kind: str) -> list[str]:
    """Run the command by which a Dockerfile makes the file of constraints, and return its lines."""
    dockerfile = (ROOT / f"docker/{kind}/Dockerfile").read_text(encoding="utf-8")
    found = re.search(r"(sed -n '[^']+') /build/requirements.txt > (\S+)", dockerfile)
    assert found
    assert f"PIP_CONSTRAINT={found[2]}" in dockerfile
    command = f"{found[1]} {ROOT}/docker/{kind}/requirements.txt"
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=True)
    return done.stdout.splitlines()


@pytest.mark.parametrize("kind", ["training", "serving"])
def test_every_package_of_an_image_is_in_its_constraints(kind):
    lock = (ROOT / f"docker/{kind}/requirements.txt").read_text(encoding="utf-8")
    locked = re.findall(r"^([A-Za-z0-9][^ ;\\]*)", lock, re.MULTILINE)
    assert constraints(kind) == locked
    assert all(re.fullmatch(r"[a-z0-9._-]+==[a-z0-9.]+", line) for line in constraints(kind))
    assert {"numpy==1.23.5", "mxnet==1.9.1"} <= set(constraints(kind))


def test_what_users_bring_is_not_in_them():
    names = {line.partition("==")[0] for line in constraints("training")}
    assert not names & {"scipy", "matplotlib", "scikit-image", "setuptools", "wheel"}
