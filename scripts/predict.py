"""Ask an endpoint: observations from the command line, a file or standard input; or drive a whole car episode by it.

An observation is the car's position and velocity, as JSON or separated by commas; a line each in a file.

Examples:
    python scripts/predict.py --local '[0.5, -0.5]' '[-0.5, 0.5]'
    python scripts/predict.py --actions -0.5,0.5
    python scripts/predict.py --file observations.jsonl
    echo '[[0.5, -0.5], [-0.5, 0.5]]' | python scripts/predict.py --endpoint-name rl-mountain-car
    python scripts/predict.py --local --episode --gif episode.gif
"""

import argparse
import json
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import launch  # noqa: F401 - first of all, for Ctrl-C while the others are imported
from botocore.exceptions import ClientError
from launch.aws import clients as aws
from launch.cli import errors, options
from launch.cli.command_line import at_least, check_target
from launch.cli.errors import JobFailed, UsageError
from launch.sagemaker import endpoints

NEGATIVE_FIRST = re.compile(r"-[\d.][^,]*,")
GIF = Path("episode.gif")


def main(command_line: Sequence[str] | None = None) -> None:
    parser = options.parser(__doc__)
    parser.add_argument("observations", nargs="*", help="as JSON, '[0.5, -0.5]', or 0.5,-0.5")
    parser.add_argument("--endpoint-name", type=options.name, default=endpoints.DEFAULT_ENDPOINT, help="(%(default)s)")
    parser.add_argument("--file", type=Path, help="observations, a line each; - for standard input")
    parser.add_argument("--actions", action="store_true", help="print what the agent would do, not the network's heads")
    parser.add_argument("--episode", action="store_true", help="drive a car until it is at the flag")
    parser.add_argument("--seed", type=at_least(0), help="of the episode's start state (1)")
    parser.add_argument("--gif", type=Path, help=f"of the episode ({GIF})")
    # What begins with a space is no flag to argparse, and the same number.
    given = sys.argv[1:] if command_line is None else command_line
    given = [f" {text}" if NEGATIVE_FIRST.match(text) else text for text in given]
    arguments = parser.parse_intermixed_args(given)
    _check(arguments)
    clients = options.clients(arguments)
    observations = [] if arguments.episode else read_observations(arguments)
    if arguments.dry_run:
        options.print_requests([("InvokeEndpoint", request(arguments, observations or [0.0, 0.0]))])
        return
    if arguments.episode:
        check_target("--gif", arguments.gif or GIF)
    endpoints.require(clients, arguments.endpoint_name)
    if arguments.episode:
        drive(clients, arguments)
    else:
        print(json.dumps(ask(clients, request(arguments, observations))))


def _check(arguments: argparse.Namespace) -> None:
    """Check that what is given goes together.

    Raises:
        UsageError: It does not.
    """
    if arguments.episode and (arguments.observations or arguments.file):
        raise UsageError("--episode goes with no observations: the car's own are asked about.")
    if not arguments.episode and (arguments.gif or arguments.seed is not None):
        raise UsageError(f"--{'gif' if arguments.gif else 'seed'} is of an episode, expected with --episode.")


def read_observations(arguments: argparse.Namespace) -> list[Any]:
    """Return one observation or a batch of them.

    Raises:
        UsageError: One is neither JSON nor numbers separated by commas, or there is none.
    """
    texts = arguments.observations
    if arguments.file and str(arguments.file) != "-":
        texts = [*texts, *_lines(arguments.file.read_bytes(), f"--file {arguments.file}")]
    elif not texts:
        texts = _lines(sys.stdin.buffer.read(), "Standard input")
    found: list[Any] = []
    for text in filter(str.strip, texts):
        try:
            value = json.loads(text) if text.lstrip().startswith("[") else [float(each) for each in text.split(",")]
        except ValueError:
            raise UsageError(f"The observation is {text[:80]!r}, expected numbers as in [0.5, -0.5].") from None
        found += value if isinstance(value[0] if value else 0, list) else [value]
    if not found:
        raise UsageError("There is no observation, expected some on the command line, in --file or on standard input.")
    return found if len(found) > 1 else list(found[0])


def _lines(content: bytes, named: str) -> list[str]:
    try:
        return content.decode("utf-8-sig").splitlines()  # spreadsheets put a mark before the first line
    except UnicodeDecodeError:
        raise UsageError(f"{named} is no text in UTF-8, expected an observation in each line.") from None


def request(arguments: argparse.Namespace, observations: list[Any]) -> dict[str, Any]:
    """Return the InvokeEndpoint request; a car is driven by actions.

    https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_runtime_InvokeEndpoint.html
    """
    made = {
        "EndpointName": arguments.endpoint_name,
        "ContentType": "application/json",
        "Accept": "application/json",
        "Body": json.dumps(observations),
    }
    return {**made, "CustomAttributes": "output=actions"} if arguments.actions or arguments.episode else made


def ask(clients: aws.Clients, asked: dict[str, Any]) -> Any:
    """Return what the endpoint answers.

    Raises:
        UsageError: It answers that the request is wrong.
        JobFailed: It answers with a fault.
    """
    try:
        answer = clients.runtime.invoke_endpoint(**asked)
    except ClientError as error:
        if aws.code_of(error) != "ModelError":
            raise
        status, text = error.response.get("OriginalStatusCode", 500), error.response.get("OriginalMessage", "")
        sentence = f"The endpoint answered {status}: {_detail(text)}"
        raise (UsageError if status < 500 else JobFailed)(sentence) from None
    body = answer["Body"].read()
    try:
        return json.loads(body)
    except ValueError:
        raise JobFailed(f"The endpoint answered {body[:100]!r}, expected JSON.") from None


def _detail(text: str) -> str:
    try:
        return str(json.loads(text)["detail"])
    except (ValueError, KeyError, TypeError):
        return text


def drive(clients: aws.Clients, arguments: argparse.Namespace) -> None:
    """Drive a car through the endpoint, print what became of it, and write its GIF.

    Raises:
        JobFailed: The car did not reach the flag.
    """
    from launch.sagemaker import episode  # gym takes longer to import than the endpoint takes to answer

    def act(observation: list[float]) -> Any:
        return ask(clients, request(arguments, observation))[0]

    continuous = isinstance(act([0.0, 0.0]), list)
    film = episode.Film()
    driven = episode.drive_by(act, continuous, 1 if arguments.seed is None else arguments.seed, film.shoot)
    film.save(arguments.gif or GIF)
    print(f"Return {driven.episode_return:.2f} after {driven.steps} steps; {arguments.gif or GIF} shows the episode")
    if not driven.reached_flag:
        raise JobFailed(f"The car did not reach the flag within {driven.steps} steps.")


if __name__ == "__main__":
    errors.run(main)
