"""Build, test and push both images in AWS CodeBuild, from a revision that is on the source repository.

A CloudFormation stack (infrastructure/images.yml) holds all that is needed: it is created, or brought up to date. The
build's log is shown as it runs; the images' URIs are printed and written to runs/images.json. Ctrl-C ends the showing,
not the build. For a private repository on GitHub or Bitbucket, run `aws codebuild import-source-credentials` once.

Examples:
    python scripts/build_in_codebuild.py
    python scripts/build_in_codebuild.py --revision v1.2 --source https://github.com/OWNER/NAME
    python scripts/build_in_codebuild.py --stack-name team --source https://github.com/OWNER/NAME --tag team=rl
    python scripts/build_in_codebuild.py --dry-run
"""

import argparse
import re
import tempfile
from pathlib import Path

from launch.aws import builds, image_uris
from launch.cli import dry_run, errors, options
from launch.cli.errors import UsageError
from launch.sagemaker import session

STACK_NAME = re.compile(r"[a-zA-Z][a-zA-Z0-9-]{0,127}")


def main() -> None:
    parser = options.parser(__doc__, local=False, jobs=False)
    parser.add_argument(
        "--stack-name", type=stack_name, default=builds.DEFAULT_STACK, help="of the CloudFormation stack (%(default)s)"
    )
    parser.add_argument("--source", help="repository to clone; default: the stack's, else the remote origin")
    parser.add_argument("--revision", default="HEAD", help="commit, branch or tag to build (%(default)s)")
    parser.add_argument("--kms-key", help="that encrypts new repositories: its ARN, id or alias; default: ECR's own")
    arguments = parser.parse_args()
    clients = session.connect(arguments)
    stack = builds.Stack(clients, arguments.stack_name)
    address = arguments.source or (None if stack.source else builds.origin())
    if not address and not stack.source:
        raise UsageError("There is no source to build: give --source, as the checkout has no remote origin.")
    source = builds.source_parameters(address) if address else {}
    revision = builds.full_revision(arguments.revision, source.get("SourceLocation") or str(stack.source))
    operation, request = stack.request(source, arguments.kms_key, arguments.tags)
    start = {"projectName": stack.project, "sourceVersion": revision}
    if arguments.dry_run:
        dry_run.print_requests([(operation, request), ("StartBuild", start)])
        return
    session.check_keys(arguments, clients)
    stack.apply(operation, request)
    build_id = clients.codebuild.start_build(**start)["build"]["id"]
    print(f"Build {build_id} of {revision}", flush=True)
    build = builds.Build(clients, build_id).follow()
    with tempfile.TemporaryDirectory() as folder:
        uris = builds.images_of(clients, build, Path(folder))
    image_uris.write(uris, clients.region)
    for kind, uri in uris.items():
        print(f"{kind}: {uri}", flush=True)


def stack_name(text: str) -> str:
    """Check a stack's name; for ``type=`` of a flag."""
    if not STACK_NAME.fullmatch(text):
        raise argparse.ArgumentTypeError(f"{text!r} is no name of 1 to 128 letters, digits and hyphens")
    return text


if __name__ == "__main__":
    errors.run(main)
