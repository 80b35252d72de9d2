"""Build both images and push them to Amazon ECR, by git revision; what is pushed already is neither built nor pushed.

Repositories that are missing are created: scanned on push, encrypted, with tags that stay with their image. The images'
URIs in ECR, with digests, are printed and written to runs/images.json by region, where the other scripts find them.

Examples:
    python scripts/push_images.py
    python scripts/push_images.py --region eu-central-1 --kms-key alias/images --tag team=rl
    python scripts/push_images.py --only push                  # what `make images` has built, as it is
    python scripts/push_images.py --dry-run
"""

import argparse
from pathlib import Path

import launch  # noqa: F401 - first of all, for Ctrl-C while the others are imported
from docker.errors import ImageNotFound
from launch import project
from launch.aws import image_uris, registry
from launch.cli import dry_run, errors, options
from launch.cli.errors import UsageError
from launch.local import images
from launch.sagemaker import session

import docker


def main() -> None:
    arguments = _arguments()
    clients = session.connect(arguments)
    missing = registry.repository_requests(clients, arguments.tags, arguments.kms_key)
    if arguments.dry_run:
        dry_run.print_requests([*missing, ("GetAuthorizationToken", {})])
        return
    session.check_keys(arguments, clients)
    engine = images.connect()
    target = registry.Registry(engine, clients, arguments.registry)
    if arguments.only == "build":
        for kind in project.KINDS:
            build(engine, target, kind, arguments)
        return
    registry.create_repositories(clients, missing)
    uris = {kind: f"{target.ecr_repository(kind)}@{push(engine, target, kind, arguments)}" for kind in project.KINDS}
    image_uris.write(uris, clients.region)
    for kind, uri in uris.items():
        print(f"{kind}: {uri}", flush=True)
    if arguments.layer_cache:
        for kind in project.KINDS:
            for image, tag in cached_layers(kind).items():
                if engine.images.list(image):  # what was pushed already may never have been built here
                    target.push(image, kind, tag)


def _arguments() -> argparse.Namespace:
    parser = options.parser(__doc__, local=False, jobs=False)
    parser.add_argument("--registry", metavar="HOST[:PORT][/PATH]", help="push to a mirror or proxy in place of ECR")
    parser.add_argument("--kms-key", help="that encrypts new repositories: its ARN, id or alias; default: ECR's own")
    parser.add_argument("--only", choices=("build", "push"), help="build and push nothing, or push what is built")
    parser.add_argument(
        "--layer-cache", action="store_true", help="take unchanged layers from the registry, and leave new ones there"
    )
    parser.add_argument("--base-image", default=images.BASE_IMAGE, help="what the images start from (%(default)s)")
    parser.add_argument("--ca-bundle", type=Path, help="certificates to trust while building; see build_images.py")
    return parser.parse_args()


def cached_layers(kind: str) -> dict[str, str]:
    """Return the tags of the layer cache in the registry, by the image or build stage whose layers they keep."""
    return {
        project.image_name(kind, "build-stage"): f"{registry.LAYER_CACHE}-build-stage",
        project.image_name(kind): registry.LAYER_CACHE,
    }


def build(engine: docker.DockerClient, target: registry.Registry, kind: str, arguments: argparse.Namespace) -> None:
    """Build an image; with ``--layer-cache`` from the registry's layers, if it has any."""
    ca_bundle = images.find_ca_bundle(arguments.ca_bundle)
    if not arguments.layer_cache:
        images.build(engine, kind, arguments.base_image, ca_bundle)
        return
    pulled = [name for tag in cached_layers(kind).values() if (name := target.pull(kind, tag))]
    stage = images.build_stage(engine, kind, arguments.base_image, ca_bundle, cache_from=pulled)
    # The engine takes layers only from the images that are named: also from the stage that it has just built.
    images.build(engine, kind, arguments.base_image, ca_bundle, cache_from=[stage, *pulled] if pulled else ())


def push(engine: docker.DockerClient, target: registry.Registry, kind: str, arguments: argparse.Namespace) -> str:
    """Push an image, built if need be, unless the registry has it; return its digest.

    Its tag is the git revision; with uncommitted changes some of the image's id follows.
    """
    revision = project.git_revision()
    is_clean = not revision.endswith("-dirty") and revision != "unknown"
    if is_clean and (digest := target.digest(kind, revision)):
        print(f"{target.repository(kind)}:{revision} is pushed already", flush=True)
        return digest
    if arguments.only != "push":
        build(engine, target, kind, arguments)
    name = project.image_name(kind, revision)
    try:
        image_id = str(images.check_platform(engine.images.get(name), name).id).removeprefix("sha256:")
    except ImageNotFound:
        raise UsageError(f"There is no image {name} on the engine: build it, or leave out --only push.") from None
    tag = revision if is_clean else f"{revision}-{image_id[:12]}"
    if not is_clean and (digest := target.digest(kind, tag)):
        print(f"{target.repository(kind)}:{tag} is pushed already", flush=True)
        return digest
    print(f"Pushing {target.repository(kind)}:{tag}", flush=True)
    return target.push(name, kind, tag)


if __name__ == "__main__":
    errors.run(main)
