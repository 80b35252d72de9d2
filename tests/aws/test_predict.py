"""predict.py against a local AWS server."""

import httpx
import pytest
from local_aws import ACCOUNT, REGION, requests_of
from serving_resources import GIVEN

pytest_plugins = ("serving_resources",)
pytestmark = pytest.mark.usefixtures("pushed")


def answers(aws_server: str, *bodies: str) -> None:
    """Have the server answer invocations by these."""
    results = [{"Body": body, "ContentType": "application/json"} for body in bodies]
    data = {"account_id": ACCOUNT, "region": REGION, "results": results}
    httpx.post(f"{aws_server}/moto-api/static/sagemaker/endpoint-results", json=data, trust_env=False)


def test_predictions_from_arguments_a_file_and_standard_input(script, aws, model, tmp_path):
    assert script("deploy.py", *GIVEN, model).returncode == 0
    answers(aws.url, "[[1.0]]", "[[2.0]]", "[[3.0]]")
    done = script("predict.py", "[0.5, -0.5]")
    assert done.stdout == "[[1.0]]\n", done.stderr
    file = tmp_path / "observations.jsonl"
    file.write_text("[0.5, -0.5]\n-0.5,0.5\n")
    assert script("predict.py", "--file", str(file)).stdout == "[[2.0]]\n"
    assert script("predict.py", input="0.25,0").stdout == "[[3.0]]\n"


@pytest.mark.parametrize(
    ("arguments", "body"),
    [
        (("0.5,-0.5",), "[0.5, -0.5]"),
        (("-0.5,0.5",), "[-0.5, 0.5]"),
        (("-.5,0.5", "--local", "-1,-2"), "[[-0.5, 0.5], [-1.0, -2.0]]"),
        (("[0.5, -0.5]", "[1, 2]"), "[[0.5, -0.5], [1, 2]]"),
        (("[[0.5, -0.5], [1, 2]]", "3,4"), "[[0.5, -0.5], [1, 2], [3.0, 4.0]]"),
    ],
)
def test_the_request_of_a_prediction(script, arguments, body):
    request = requests_of(script("predict.py", "--dry-run", "--actions", *arguments))["InvokeEndpoint"]
    assert request["Body"] == body
    assert request["CustomAttributes"] == "output=actions"


def test_the_request_of_an_episode_asks_for_actions(script):
    request = requests_of(script("predict.py", "--dry-run", "--episode"))["InvokeEndpoint"]
    assert request["CustomAttributes"] == "output=actions"


def test_a_spreadsheets_mark_is_no_observation(script, tmp_path):
    file = tmp_path / "o.csv"
    file.write_bytes(b"\xef\xbb\xbf-0.5,0.5\r\n")
    for given in (("--file", str(file)), ()):
        done = script("predict.py", "--dry-run", *given, input="\ufeff-0.5,0.5\n")
        assert requests_of(done)["InvokeEndpoint"]["Body"] == "[-0.5, 0.5]"


def test_mistakes_of_a_prediction(script, tmp_path):
    (tmp_path / "bytes").write_bytes(b"\xff\xfe")
    for arguments, sentence in (
        (("--file", str(tmp_path / "bytes")), "bytes is no text in UTF-8, expected an observation in each line."),
        (("--episode", "--seed", "-1"), "--seed: '-1' is no whole number of at least 0"),
        (("--episode", "1,2"), "--episode goes with no observations"),
        (("--episode", "--file", "x"), "--episode goes with no observations"),
        (("--episode", "--gif", str(tmp_path)), f"--gif is {tmp_path}, which is a folder, expected a file."),
        (("--episode", "--gif", f"{tmp_path}/bytes/x.gif"), f"--gif is {tmp_path}/bytes/x.gif, expected a file in a"),
        (("--gif", "x.gif", "1,2"), "--gif is of an episode, expected with --episode."),
        (("--seed", "1", "1,2"), "--seed is of an episode, expected with --episode."),
        (("0.5,-0.5",), "There is no endpoint 'rl-mountain-car' in region eu-west-1."),
        (("a,b",), "The observation is 'a,b', expected numbers as in [0.5, -0.5]."),
        (("[0.5",), "The observation is '[0.5', expected numbers"),
        ((), "There is no observation"),
        (("--file", "no/where"), "no/where: No such file or directory."),
    ):
        done = script("predict.py", *arguments)
        assert done.returncode == 2, done.stdout
        assert sentence in done.stderr
        assert len(done.stderr.splitlines()) == 1
