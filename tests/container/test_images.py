"""What the images are: small, labelled, free of compilers, secrets and each other's code."""

import os
import shutil
import subprocess

import pytest
from jobs import ROOT
from launch import project
from launch.local import images

LIMITS_MB = {"training": 700, "serving": 480}


def in_container(engine, image: str, command: str) -> str:
    return engine.containers.run(image, ["-c", command], entrypoint="sh", remove=True, network_mode="none").decode()


def installed(engine, image: str, *modules: str) -> str:
    program = f"import importlib.util as u; print([m for m in {modules} if u.find_spec(m)])"
    return in_container(engine, image, f'python -c "{program}"').strip()


@pytest.mark.parametrize("kind", project.KINDS)
def test_size_over_the_base_image(built, kind, capsys):
    with capsys.disabled():
        print(f"\n{kind} image: {built[kind].size_over_base / 1e6:.0f} MB over {images.BASE_IMAGE}")
    assert 100e6 < built[kind].size_over_base <= LIMITS_MB[kind] * 1e6


@pytest.mark.parametrize("kind", project.KINDS)
def test_labels_tags_and_entry_point(engine, built, kind):
    image = engine.images.get(built[kind].name)
    revision = image.labels["org.opencontainers.image.revision"]
    assert revision == project.git_revision()
    assert f"mountain-car-{kind}:{revision}" in image.tags
    entry_point = image.attrs["Config"]["Entrypoint"]
    assert entry_point[0] == "python", "exec form, or signals do not arrive"
    assert image.attrs["Config"]["Cmd"] == [{"training": "train", "serving": "serve"}[kind]]
    environment = dict(variable.split("=", 1) for variable in image.attrs["Config"]["Env"])
    assert environment["GIT_REVISION"] == revision


@pytest.mark.parametrize("kind", project.KINDS)
def test_the_constraints_of_pip_are_what_is_installed(engine, built, kind):
    program = (
        "import os; from importlib.metadata import version; "
        "lines = open(os.environ['PIP_CONSTRAINT']).read().split(); "
        "print(len(lines), [line for line in lines if version(line.partition('==')[0]) != line.partition('==')[2]])"
    )
    count, _, others = in_container(engine, built[kind].name, f'python -c "{program}"').partition(" ")
    assert int(count) > 10
    assert others.strip() == "[]"


@pytest.mark.parametrize("kind", project.KINDS)
def test_no_compiler_no_cache_no_certificates_of_ours(engine, built, kind):
    found = in_container(
        engine,
        built[kind].name,
        "which gcc cc make; find /var/lib/apt/lists /root/.cache /build -type f 2>/dev/null; "
        "find / -xdev -name ca-bundle.pem",
    )
    assert found.split() == []


@pytest.mark.parametrize("kind", project.KINDS)
def test_no_secret_in_any_layer(engine, built, kind):
    history = " ".join(layer["CreatedBy"] for layer in engine.images.get(built[kind].name).history())
    for secret in ("AWS_SECRET", "PASSWORD", "TOKEN", "_KEY="):
        assert secret not in history.upper()


def test_the_serving_image_has_no_training_code(engine, built):
    assert installed(engine, built["serving"].name, "rl_coach", "gym", "sagemaker_training") == "[]"
    code = in_container(engine, built["serving"].name, "ls /opt/mountain-car /opt/mountain-car/sagemaker_rl")
    assert "train" not in code
    assert "coach_launcher" not in code


def test_the_training_image_has_no_web_server(engine, built):
    assert installed(engine, built["training"].name, "uvicorn", "starlette", "sagemaker_inference") == "[]"
    assert "deploy" not in in_container(engine, built["training"].name, "find /opt/mountain-car")


def test_the_training_image_bakes_nothing_into_opt_ml(engine, built):
    assert in_container(engine, built["training"].name, "ls -A /opt/ml 2>/dev/null || true").strip() == ""


@pytest.mark.parametrize("kind", project.KINDS)
def test_a_plain_docker_build_works_without_our_script(built, kind, tmp_path):
    """With the checkout, and the company's certificates if there are any, as its context (layers are in the cache)."""
    for folder in ("container_src", "docker"):
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / ".dockerignore", tmp_path)
    if ca_bundle := images.find_ca_bundle(None):
        shutil.copy(ca_bundle, tmp_path / "docker/ca-bundle.pem")
    command = ["docker", "build", "--quiet", "-f", f"docker/{kind}/Dockerfile", "."]
    done = subprocess.run(
        command, cwd=tmp_path, capture_output=True, text=True, env={**os.environ, "DOCKER_BUILDKIT": "0"}
    )
    assert done.returncode == 0, done.stderr
