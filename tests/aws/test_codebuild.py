"""buildspec.yml, run as CodeBuild runs it."""

import json
import shlex
import subprocess

import pytest
import yaml
from jobs import ROOT
from launch import project
from launch.local import images
from local_aws import ACCOUNT, REGION
from registry import LOGIN

ECR = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com"

pytest_plugins = ("registry",)


def run_buildspec(checkout, **variables: str) -> tuple[int, str]:
    """Run the phases in order in one shell, as CodeBuild does; return 0 and the log, or the first failure's status.

    https://docs.aws.amazon.com/codebuild/latest/userguide/view-build-details-phases.html
    """
    spec = yaml.safe_load((checkout.folder / "buildspec.yml").read_text())
    assert spec["version"] == 0.2
    lines = ["status=0 failed=0"]
    for name, phase in spec["phases"].items():
        lines += [f'status=$failed; [ {name} = post_build ] && [ "$in_build" = 1 ] && status=0']
        for command in phase["commands"]:
            lines += ["if [ $status = 0 ]; then", f"echo {shlex.quote('$ ' + command)}", command, "status=$?; fi"]
        in_build = "in_build=1;" if name == "build" and phase.get("on-failure") != "ABORT" else ""
        lines += [f"if [ $failed = 0 ] && [ $status != 0 ]; then failed=$status; {in_build} fi"]
    kept = {key: value for key, value in checkout.environment.items() if key != "RL_RUNS"}
    done = subprocess.run(
        [spec["env"]["shell"], "-c", "\n".join([*lines, "exit $failed"])],
        cwd=checkout.folder,
        env={**spec["env"]["variables"], **kept, **variables},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=900,
    )
    return done.returncode, done.stdout


@pytest.fixture
def sources(checkout):
    """The checkout with the environment that runs this test, which make finds to be up to date."""
    (checkout.folder / ".venv").symlink_to(ROOT / ".venv")
    (checkout.folder / ".git/info/exclude").write_text(".venv\n")  # .gitignore has the folder, and this is a link
    question = subprocess.run(["make", "--question", ".venv/tested"], cwd=checkout.folder, timeout=60)
    assert question.returncode == 0, "the environment is older than the lock files: run `make test`"
    return checkout


@pytest.mark.container
@pytest.mark.slow
def test_the_buildspec_builds_tests_and_pushes(sources, engine, stand_in_registry, kept_tags):
    revision = sources.git("rev-parse", "HEAD")
    given = {
        "REGISTRY": f"{stand_in_registry.address}/codebuild",
        "BASE_IMAGE": images.BASE_IMAGE,
        "CODEBUILD_RESOLVED_SOURCE_VERSION": revision,
        "CONTAINER_TESTS": "tests/container/test_images.py -k labels",
    }
    failing = {**given, "CONTAINER_TESTS": "tests/container/test_images.py -k no_such_test"}
    status, log = run_buildspec(sources, **failing)
    assert status != 0
    assert "2 passed" not in log
    assert "--only push" not in log, "what failed its tests is not pushed"

    status, log = run_buildspec(sources, **given)
    assert status == 0, log
    assert "2 passed" in log
    artifact = json.loads((sources.folder / "runs/images.json").read_text())
    assert artifact.keys() == {REGION}
    assert artifact[REGION].keys() == set(project.KINDS)
    for kind, uri in artifact[REGION].items():
        name = f"codebuild/mountain-car-{kind}"
        assert stand_in_registry.tags(name) == {revision[:12], "layer-cache", "layer-cache-build-stage"}
        pushed = engine.images.get_registry_data(
            uri.replace(ECR, f"{stand_in_registry.address}/codebuild"),
            auth_config=dict(zip(("username", "password"), LOGIN, strict=True)),
        )
        assert uri.endswith(pushed.id)

    # Another build has the layers that this one left, and what it builds of them is tested and pushed already.
    status, log = run_buildspec(sources, **given)
    assert status == 0, log
    assert "to take layers from" not in log
    assert f"mountain-car-serving:{revision[:12]} is pushed already" in log
    assert json.loads((sources.folder / "runs/images.json").read_text()) == artifact


def test_the_buildspec_builds_no_other_revision(sources):
    status, log = run_buildspec(sources, BASE_IMAGE=images.BASE_IMAGE, CODEBUILD_RESOLVED_SOURCE_VERSION="0" * 40)
    assert status == 1
    assert log.splitlines()[-1].startswith('$ test "$(git rev-parse HEAD)"')
