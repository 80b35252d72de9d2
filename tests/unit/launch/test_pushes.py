"""push_images.py and build_images.py: what is built, pulled and pushed, in which order and by which tag."""

import sys
from types import SimpleNamespace
from typing import Any

import build_images
import push_images
import pytest
from docker.errors import ImageNotFound
from launch import project
from launch.aws import image_uris, registry
from launch.cli.errors import UsageError
from launch.local import images
from launch.sagemaker import session
from stand_ins import PLATFORM

IDENTITY = "0123456789abcdef"


class Registry:
    """A registry with some tags, by kind and tag; ``done`` has what is asked of it and of the engine, in order."""

    def __init__(self, *tags: str) -> None:
        self.tags = set(tags)
        self.done: list[str] = []

    def repository(self, kind: str) -> str:
        return f"host/mountain-car-{kind}"

    def ecr_repository(self, kind: str) -> str:
        return f"ecr/mountain-car-{kind}"

    def digest(self, kind: str, tag: str) -> str | None:
        return f"sha256:{kind}-{tag}" if f"{kind}:{tag}" in self.tags else None

    def pull(self, kind: str, tag: str) -> str | None:
        self.done.append(f"pull {kind}:{tag}")
        return f"host/mountain-car-{kind}:{tag}" if f"{kind}:{tag}" in self.tags else None

    def push(self, image: str, kind: str, tag: str) -> str:
        self.done.append(f"push {image} as {kind}:{tag}")
        return f"sha256:new-{kind}"


@pytest.fixture
def target(monkeypatch, tmp_path) -> Registry:
    """An empty registry, and an engine that builds whatever it is asked to."""
    made = Registry()

    def build(engine, kind, base_image, ca_bundle, cache_from=()) -> images.BuiltImage:
        made.done.append(f"build {kind} from {base_image} with {ca_bundle} and {list(cache_from)}")
        return images.BuiltImage(f"mountain-car-{kind}:latest", 123_456_789 if kind == "training" else 1_000_000)

    def build_stage(engine, kind, base_image, ca_bundle, cache_from) -> str:
        made.done.append(f"stage {kind} from {base_image} with {ca_bundle} and {cache_from}")
        return f"mountain-car-{kind}:build-stage"

    monkeypatch.setattr(images, "build", build)
    monkeypatch.setattr(images, "build_stage", build_stage)
    monkeypatch.setattr(images, "find_ca_bundle", lambda flag: flag)
    monkeypatch.setattr(images, "connect", lambda: engine())
    monkeypatch.setattr(session, "check_keys", lambda arguments, clients: None)
    monkeypatch.setattr(registry, "Registry", lambda engine, clients, address: made)
    monkeypatch.setattr(registry, "repository_requests", lambda clients, tags, key: [("CreateRepository", {"k": key})])
    monkeypatch.setattr(
        registry, "create_repositories", lambda clients, missing: made.done.append(f"create {missing[0][1]['k']}")
    )
    monkeypatch.setenv("RL_RUNS", str(tmp_path))
    return made


def engine(*images_there: str) -> Any:
    """Return an engine that has an image of each name, or of any name if none is given."""

    def get(name: str) -> Any:
        if images_there and name not in images_there:
            raise ImageNotFound("no")
        return SimpleNamespace(id=f"sha256:{IDENTITY}", attrs=PLATFORM)

    return SimpleNamespace(images=SimpleNamespace(get=get, list=lambda name: [1] if name in images_there else []))


def flags(**given: Any) -> Any:
    return SimpleNamespace(**{"only": None, "layer_cache": False, "base_image": "base:1", "ca_bundle": "ca", **given})


BUILT = "build serving from base:1 with ca and []"


@pytest.mark.parametrize(
    ("revision", "there", "only", "digest", "done"),
    [
        ("abc", ["serving:abc"], None, "sha256:serving-abc", []),
        ("abc", ["training:abc"], None, "sha256:new-serving", [BUILT, "push mountain-car-serving:abc as serving:abc"]),
        ("abc", [], "push", "sha256:new-serving", ["push mountain-car-serving:abc as serving:abc"]),
        (
            "abc-dirty",
            ["serving:abc-dirty"],  # of other changes
            None,
            "sha256:new-serving",
            [BUILT, f"push mountain-car-serving:abc-dirty as serving:abc-dirty-{IDENTITY[:12]}"],
        ),
        (
            "abc-dirty",
            [f"serving:abc-dirty-{IDENTITY[:12]}"],
            None,
            f"sha256:serving-abc-dirty-{IDENTITY[:12]}",
            [BUILT],
        ),
        (
            "unknown",
            ["serving:unknown"],
            "push",
            "sha256:new-serving",
            [f"push mountain-car-serving:unknown as serving:unknown-{IDENTITY[:12]}"],
        ),
    ],
)
def test_an_image_is_built_and_pushed_unless_it_is_there(target, monkeypatch, revision, there, only, digest, done):
    monkeypatch.setattr(project, "git_revision", lambda: revision)
    target.tags = set(there)
    assert push_images.push(engine(), target, "serving", flags(only=only)) == digest
    assert target.done == done


def test_an_image_that_was_not_built(target, monkeypatch):
    monkeypatch.setattr(project, "git_revision", lambda: "abc")
    sentence = r"^There is no image mountain-car-serving:abc on the engine: build it, or leave out --only push\.$"
    with pytest.raises(UsageError, match=sentence):
        push_images.push(engine("mountain-car-training:abc"), target, "serving", flags(only="push"))


@pytest.mark.parametrize(
    ("there", "pulled"),
    [
        ([], []),
        (["training:layer-cache"], ["training:layer-cache"]),
        (
            ["training:layer-cache", "training:layer-cache-build-stage"],
            ["training:layer-cache-build-stage", "training:layer-cache"],
        ),
    ],
)
def test_layers_are_taken_from_the_registry(target, there, pulled):
    target.tags = {*there, "serving:layer-cache"}
    push_images.build(engine(), target, "training", flags(layer_cache=True))
    layers = [f"host/mountain-car-{name}" for name in pulled]
    with_stage = ["mountain-car-training:build-stage", *layers] if layers else []
    assert target.done == [
        "pull training:layer-cache-build-stage",
        "pull training:layer-cache",
        f"stage training from base:1 with ca and {layers}",
        f"build training from base:1 with ca and {with_stage}",
    ]


def run(monkeypatch, main: Any, *arguments: str) -> None:
    monkeypatch.setattr(sys, "argv", ["script", *arguments])
    main()


def test_both_images_are_pushed_and_written_down(target, monkeypatch, capsys):
    monkeypatch.setattr(project, "git_revision", lambda: "abc")
    built = [f"build {kind} from debian:bookworm-slim with None and []" for kind in project.KINDS]
    run(monkeypatch, push_images.main, "--region", "eu-west-1", "--kms-key", "k")
    assert target.done == [
        "create k",
        built[0],
        "push mountain-car-training:abc as training:abc",
        built[1],
        "push mountain-car-serving:abc as serving:abc",
    ]
    uris = {kind: f"ecr/mountain-car-{kind}@sha256:new-{kind}" for kind in project.KINDS}  # whatever it is pushed by
    assert {kind: image_uris.read(kind, "eu-west-1") for kind in project.KINDS} == uris
    assert capsys.readouterr().out.splitlines()[-2:] == [f"{kind}: {uri}" for kind, uri in uris.items()]
    target.done.clear()
    run(monkeypatch, push_images.main, "--region", "eu-west-1", "--only", "build")
    assert target.done == built


def test_layers_that_were_built_are_left_in_the_registry(target, monkeypatch):
    monkeypatch.setattr(project, "git_revision", lambda: "abc")
    there = ("mountain-car-training:abc", "mountain-car-serving:abc", "mountain-car-serving:latest")
    monkeypatch.setattr(images, "connect", lambda: engine(*there))
    target.tags = {"training:abc", "serving:abc"}
    run(monkeypatch, push_images.main, "--region", "eu-west-1", "--layer-cache")
    assert target.done == ["create None", "push mountain-car-serving:latest as serving:layer-cache"]


def test_images_are_built_one_or_both(target, monkeypatch, capsys):
    run(monkeypatch, build_images.main)
    assert target.done == [f"build {kind} from debian:bookworm-slim with None and []" for kind in project.KINDS]
    assert capsys.readouterr().out.splitlines() == [
        "mountain-car-training:latest: 123 MB over debian:bookworm-slim",
        "mountain-car-serving:latest: 1 MB over debian:bookworm-slim",
    ]
    target.done.clear()
    run(monkeypatch, build_images.main, "--only", "serving", "--base-image", "base:1", "--ca-bundle", "ca")
    assert target.done == [BUILT]
