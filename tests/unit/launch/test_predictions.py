"""Predictions: what is asked of an endpoint, and what its answers are taken for."""

import argparse
import io
import json
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from botocore.exceptions import ClientError
from launch.cli.errors import JobFailed, UsageError
from launch.sagemaker import predictions


def clients(answer: bytes | ClientError) -> SimpleNamespace:
    def invoke_endpoint(**request):
        if isinstance(answer, ClientError):
            raise answer
        return {"Body": io.BytesIO(answer)}

    return SimpleNamespace(runtime=SimpleNamespace(invoke_endpoint=invoke_endpoint))


def refusal(code: str, **original) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": "m"}, **original}, "InvokeEndpoint")


@pytest.mark.parametrize(
    ("status", "text", "kind", "sentence"),
    [
        (400, '{"detail": "The body has the shape [3]"}', UsageError, "answered 400: The body has the shape [3]"),
        (499, '{"error": "x"}', UsageError, 'answered 499: {"error": "x"}'),
        (500, "[1]", JobFailed, "answered 500: [1]"),
        (503, "busy", JobFailed, "answered 503: busy"),
    ],
)
def test_an_error_of_the_endpoint_is_the_users_or_its_own(status, text, kind, sentence):
    error = refusal("ModelError", OriginalStatusCode=status, OriginalMessage=text)
    with pytest.raises(kind) as caught:
        predictions.invoke(clients(error), {})
    assert str(caught.value) == f"The endpoint {sentence}"


def test_other_answers():
    assert predictions.invoke(clients(b"[[1.5]]"), {}) == [[1.5]]
    with pytest.raises(JobFailed, match=r"^The endpoint answered b'<html>', expected JSON\.$"):
        predictions.invoke(clients(b"<html>"), {})
    with pytest.raises(ClientError):
        predictions.invoke(clients(refusal("ThrottlingException")), {})
    with pytest.raises(JobFailed, match=r"^The endpoint answered 500: $"):
        predictions.invoke(clients(refusal("ModelError")), {})


def test_the_request():
    request = predictions.request("cars", [0.5, -0.5], actions=False)
    assert request == {
        "EndpointName": "cars",
        "ContentType": "application/json",
        "Accept": "application/json",
        "Body": "[0.5, -0.5]",
    }
    assert predictions.request("cars", [1], actions=True) == {
        **request,
        "Body": "[1]",
        "CustomAttributes": "output=actions",
    }


def test_observations_from_all_places(monkeypatch, tmp_path):
    file = tmp_path / "o.csv"
    file.write_text("3,4\n\n[[5, 6], [7, 8]]\n")

    def read(*texts: str, file: Path | None = None, typed: str = "9,9") -> list:
        monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(typed.encode())))
        return predictions.read_observations(argparse.Namespace(observations=list(texts), file=file))

    assert read("1,2", file=file) == [[1.0, 2.0], [3.0, 4.0], [5, 6], [7, 8]]
    assert read("1,2") == [1.0, 2.0]
    assert read() == [9.0, 9.0]
    assert read("1,2", file=Path("-")) == [1.0, 2.0]
    assert read("[[1, 2]]") == [1, 2]
    with pytest.raises(UsageError, match=r"^There is no observation"):
        read(typed="\n \n")
    with pytest.raises(UsageError, match=r"^The observation is '\[1, '"):
        read("[1, ")


@pytest.mark.parametrize(("reached", "continuous"), [(True, True), (False, False)])
def test_an_episode_is_driven_by_the_endpoints_actions(monkeypatch, tmp_path, capsys, reached, continuous):
    from launch.sagemaker import episode

    asked = []

    def invoke_endpoint(**request):
        asked.append(request)
        _, velocity = json.loads(request["Body"])
        push = (1.0 if velocity >= 0 else -1.0) if continuous else 2 * (velocity >= 0)
        return {"Body": io.BytesIO(json.dumps([[push] if continuous else push]).encode())}

    monkeypatch.setattr(episode, "PATIENCE", 10_000 if reached else 5)
    if reached:  # to draw the whole way takes seconds
        pixels = np.zeros((4, 6, 3), dtype=np.uint8)
        monkeypatch.setattr(episode.Continuous_MountainCarEnv, "render", lambda car: pixels)
    stand_in = SimpleNamespace(runtime=SimpleNamespace(invoke_endpoint=invoke_endpoint))
    if reached:
        predictions.drive_episode(stand_in, "cars", 1, tmp_path / "x.gif")
    else:
        with pytest.raises(JobFailed, match=r"^The car did not reach the flag within 5 steps\.$"):
            predictions.drive_episode(stand_in, "cars", 1, tmp_path / "x.gif")
    assert {each["CustomAttributes"] for each in asked} == {"output=actions"}
    steps = len(asked) - 1
    assert f"after {steps} steps; {tmp_path}/x.gif shows the episode" in capsys.readouterr().out
    assert (steps == 5) == (not reached)
    assert (tmp_path / "x.gif").read_bytes().startswith(b"GIF8")
