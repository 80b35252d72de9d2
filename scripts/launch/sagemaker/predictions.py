"""Predictions of an endpoint: observations as a user gives them, the request, the answer, an episode driven by it."""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from launch.aws import errors as aws_errors
from launch.aws.clients import Clients
from launch.cli.errors import JobFailed, UsageError

DEFAULT_SEED = 1


def read_observations(arguments: argparse.Namespace) -> list[Any]:
    """Return one observation, or a batch of them, from the arguments, ``--file`` or standard input.

    Raises:
        UsageError: One is neither JSON nor numbers separated by commas, or there is none.
    """
    texts = arguments.observations
    if arguments.file and str(arguments.file) != "-":
        texts = [*texts, *_lines(arguments.file.read_bytes(), f"--file {arguments.file}")]
    elif not texts:
        texts = _lines(sys.stdin.buffer.read(), "Standard input")
    observations: list[Any] = []
    for text in filter(str.strip, texts):
        value = _parse(text)
        observations += value if isinstance(value[0] if value else 0, list) else [value]
    if not observations:
        raise UsageError("There is no observation, expected some on the command line, in --file or on standard input.")
    return observations if len(observations) > 1 else list(observations[0])


def _parse(text: str) -> list[Any]:
    try:
        if text.lstrip().startswith("["):
            return list(json.loads(text))
        return [float(number) for number in text.split(",")]
    except ValueError:
        raise UsageError(f"The observation is {text[:80]!r}, expected numbers as in [0.5, -0.5].") from None


def _lines(content: bytes, source: str) -> list[str]:
    try:
        return content.decode("utf-8-sig").splitlines()  # spreadsheets put a mark before the first line
    except UnicodeDecodeError:
        raise UsageError(f"{source} is no text in UTF-8, expected an observation in each line.") from None


def request(endpoint: str, observations: list[Any], actions: bool, target_model: str | None = None) -> dict[str, Any]:
    """Return the InvokeEndpoint request.

    https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_runtime_InvokeEndpoint.html

    Args:
        endpoint: its name.
        observations: one, or a batch.
        actions: whether to ask for actions, not for the network's heads.
        target_model: the model of a multi-model endpoint.
    """
    return {
        "EndpointName": endpoint,
        "ContentType": "application/json",
        "Accept": "application/json",
        "Body": json.dumps(observations),
        **({"CustomAttributes": "output=actions"} if actions else {}),
        **({"TargetModel": target_model} if target_model else {}),
    }


def invoke(clients: Clients, request: dict[str, Any]) -> Any:
    """Return the endpoint's answer, decoded.

    Raises:
        UsageError: It answers that the request is wrong.
        JobFailed: It answers with a fault.
    """
    try:
        answer = clients.runtime.invoke_endpoint(**request)
    except ClientError as error:
        if aws_errors.code_of(error) != "ModelError":
            raise
        status, text = error.response.get("OriginalStatusCode", 500), error.response.get("OriginalMessage", "")
        sentence = f"The endpoint answered {status}: {_detail(text)}"
        raise (UsageError if status < 500 else JobFailed)(sentence) from None
    return decode(answer["Body"].read())


def decode(body: bytes) -> Any:
    """Return what an answer in JSON says.

    Raises:
        JobFailed: It is no JSON.
    """
    try:
        return json.loads(body)
    except ValueError:
        raise JobFailed(f"The endpoint answered {body[:100]!r}, expected JSON.") from None


def _detail(text: str) -> str:
    try:
        return str(json.loads(text)["detail"])
    except (ValueError, KeyError, TypeError):
        return text


def drive_episode(clients: Clients, endpoint: str, seed: int, gif: Path, target_model: str | None = None) -> None:
    """Drive a car through the endpoint, print its return and steps, and write its GIF.

    Args:
        clients: give the endpoint's client.
        endpoint: its name.
        seed: of the start state.
        gif: the file.
        target_model: the model of a multi-model endpoint.

    Raises:
        JobFailed: The car did not reach the flag.
    """
    from launch.sagemaker import episode  # imports gymnasium, which takes longer than the endpoint takes to answer

    def act(observation: list[float]) -> Any:
        return invoke(clients, request(endpoint, observation, True, target_model))[0]

    continuous = isinstance(act([0.0, 0.0]), list)
    writer = episode.EpisodeGif()
    outcome = episode.drive_with(act, continuous, seed, writer.add_frame)
    writer.save(gif)
    print(f"Return {outcome.episode_return:.2f} after {outcome.steps} steps; {gif} shows the episode")
    if not outcome.reached_flag:
        raise JobFailed(f"The car did not reach the flag within {outcome.steps} steps.")
