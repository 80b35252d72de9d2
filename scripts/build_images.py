"""Build the training and the serving image on the local Docker engine.

Examples:
    python scripts/build_images.py
    python scripts/build_images.py --only serving --base-image my-registry/debian:bookworm-slim
    python scripts/build_images.py --ca-bundle /etc/ssl/certs/company.pem
"""

from pathlib import Path

from launch import project
from launch.cli import errors
from launch.cli.options import Parser
from launch.local import images


def main() -> None:
    parser = Parser(__doc__)
    parser.add_argument("--only", choices=project.KINDS, help="build one image instead of both")
    parser.add_argument("--base-image", default=images.BASE_IMAGE, help="what the images start from (%(default)s)")
    parser.add_argument(
        "--ca-bundle",
        type=Path,
        help="certificates to trust while building, in PEM form; "
        f"default: what {', '.join(images.CA_VARIABLES)} name, the first that is set",
    )
    arguments = parser.parse_args()
    ca_bundle = images.find_ca_bundle(arguments.ca_bundle)
    client = images.connect()
    for kind in (arguments.only,) if arguments.only else project.KINDS:
        built = images.build(client, kind, arguments.base_image, ca_bundle)
        print(f"{built.name}: {built.size_over_base / 1e6:.0f} MB over {arguments.base_image}", flush=True)


if __name__ == "__main__":
    errors.run(main)
