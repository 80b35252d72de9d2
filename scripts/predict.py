"""Ask an endpoint: observations from the command line, a file or standard input; or drive a whole car episode by it.

An observation is the car's position and velocity, as JSON or separated by commas; a line each in a file.

Examples:
    python scripts/predict.py --local '[0.5, -0.5]' '[-0.5, 0.5]'
    python scripts/predict.py --actions -0.5,0.5
    python scripts/predict.py --file observations.csv
    echo '[[0.5, -0.5], [-0.5, 0.5]]' | python scripts/predict.py --endpoint-name rl-mountain-car
    python scripts/predict.py --async --file observations.csv
    python scripts/predict.py --endpoint-name cars --target-model my-car 0.5,-0.5
    python scripts/predict.py --local --episode --gif episode.gif
"""

import argparse
import json
import re
import sys
from collections.abc import Sequence
from pathlib import Path

import launch  # noqa: F401 - first of all, for Ctrl-C while the others are imported
from launch.cli import bounds, dry_run, errors, options, values
from launch.cli.errors import UsageError
from launch.sagemaker import async_inference, endpoints, multi_model, predictions, session

NEGATIVE_FIRST = re.compile(r"-[\d.][^,]*,")
"""An observation that argparse would take for a flag."""
DEFAULT_GIF = Path("episode.gif")


def main(command_line: Sequence[str] | None = None) -> None:
    arguments = _parse(sys.argv[1:] if command_line is None else command_line)
    clients = session.connect(arguments)
    endpoint, actions = arguments.endpoint_name, arguments.actions or arguments.episode
    observations = [0.0, 0.0] if arguments.episode else predictions.read_observations(arguments)
    request = predictions.request(endpoint, observations, actions, arguments.target_model)
    operation = "InvokeEndpoint"
    if arguments.asynchronous:
        operation, body = "InvokeEndpointAsync", request["Body"]
        request = async_inference.request(arguments, clients, request)
    if arguments.dry_run:
        dry_run.print_requests([(operation, request)])
        return
    gif = arguments.gif or DEFAULT_GIF
    if arguments.episode:
        values.check_target("--gif", gif)
    session.check_keys(arguments, clients)
    endpoints.require(clients, endpoint)
    if arguments.episode:
        seed = predictions.DEFAULT_SEED if arguments.seed is None else arguments.seed
        predictions.drive_episode(clients, endpoint, seed, gif, arguments.target_model)
    elif arguments.asynchronous:
        print(json.dumps(async_inference.invoke(clients, request, body, arguments.kms_key)))
    else:
        print(json.dumps(predictions.invoke(clients, request)))


def _parse(command_line: Sequence[str]) -> argparse.Namespace:
    """Return the arguments.

    Raises:
        UsageError: Some do not go together.
    """
    parser = options.parser(__doc__)
    parser.add_argument("observations", nargs="*", help="as JSON, '[0.5, -0.5]', or 0.5,-0.5")
    options.add_endpoint_name(parser)
    parser.add_argument("--target-model", type=multi_model.target, metavar="NAME", help="of a multi-model endpoint")
    parser.add_argument("--file", type=Path, help="observations, a line each; - for standard input")
    parser.add_argument("--actions", action="store_true", help="print what the agent would do, not the network's heads")
    parser.add_argument(
        "--async",
        dest="asynchronous",
        action="store_true",
        help="of an asynchronous endpoint: wait for its answer",
    )
    parser.add_argument("--kms-key", help="encrypts what --async uploads: its ARN, id or alias")
    parser.add_argument("--episode", action="store_true", help="drive a car until it is at the flag")
    seed = predictions.DEFAULT_SEED
    bounds.add_number(parser, "--seed", f"of the episode's start state ({seed})")
    parser.add_argument("--gif", type=Path, help=f"of the episode ({DEFAULT_GIF})")
    # A text that begins with a space is no flag to argparse, and the same number to float().
    texts = [f" {text}" if NEGATIVE_FIRST.match(text) else text for text in command_line]
    arguments = parser.parse_intermixed_args(texts)
    if arguments.episode and (arguments.observations or arguments.file):
        raise UsageError("--episode goes with no observations: the car's own are asked about.")
    if arguments.asynchronous and (arguments.episode or options.is_local(arguments)):
        raise UsageError(f"--async does not go with --{'episode' if arguments.episode else 'local'}.")
    if arguments.asynchronous and arguments.target_model:
        raise UsageError("--async does not go with --target-model.")
    if arguments.kms_key and not arguments.asynchronous:
        raise UsageError(f"--kms-key is {arguments.kms_key!r}, of what is uploaded, expected with --async.")
    if not arguments.episode and (arguments.gif or arguments.seed is not None):
        raise UsageError(f"--{'gif' if arguments.gif else 'seed'} is of an episode, expected with --episode.")
    return arguments


if __name__ == "__main__":
    errors.run(main)
