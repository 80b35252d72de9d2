"""An update that begins with a canary, against a local AWS server: its request, its alarms, going back."""

import pytest
from local_aws import assert_valid, requests_of
from serving_resources import GIVEN, names
from timeline import after

pytest_plugins = ("serving_resources", "timeline")
pytestmark = pytest.mark.usefixtures("pushed")

NAME = "rl-mountain-car"
ERRORS, LATENCY = f"{NAME}-canary-errors", f"{NAME}-canary-latency"
CANARY = ("--instance-count", "2", "--canary", "10")


@pytest.fixture
def serving(script, aws, model) -> str:
    """The configuration of an endpoint that serves."""
    done = script("deploy.py", *GIVEN, model, "--instance-count", "2")
    assert done.returncode == 0, done.stderr
    return aws.client("sagemaker").describe_endpoint(EndpointName=NAME)["EndpointConfigName"]


def put_alarm(aws, name: str, state: str = "OK") -> None:
    common = {"Namespace": "mine", "MetricName": "m", "Period": 60, "EvaluationPeriods": 1, "Threshold": 1.0}
    cloudwatch = aws.client("cloudwatch")
    cloudwatch.put_metric_alarm(AlarmName=name, Statistic="Sum", ComparisonOperator="GreaterThanThreshold", **common)
    cloudwatch.set_alarm_state(AlarmName=name, StateValue=state, StateReason="a test")


def alarms(aws) -> dict[str, dict]:
    return {alarm["AlarmName"]: alarm for alarm in aws.client("cloudwatch").describe_alarms()["MetricAlarms"]}


def test_an_update_begins_with_a_canary_whose_alarms_are_deleted_with_the_endpoint(script, aws, model, serving):
    put_alarm(aws, "mine")
    flags = (*CANARY, "--canary-minutes", "5", "--rollback-latency", "50", "--rollback-alarm", "mine")
    requests = requests_of(script("deploy.py", *GIVEN, model, *flags, "--dry-run"))
    assert list(requests) == ["CreateModel", "CreateEndpointConfig", "PutMetricAlarm", "UpdateEndpoint"]
    assert list(alarms(aws)) == ["mine"]
    assert_valid("UpdateEndpoint", requests["UpdateEndpoint"])
    assert requests["UpdateEndpoint"]["DeploymentConfig"] == {
        "BlueGreenUpdatePolicy": {
            "TrafficRoutingConfiguration": {
                "Type": "CANARY",
                "CanarySize": {"Type": "CAPACITY_PERCENT", "Value": 10},
                "WaitIntervalInSeconds": 300,
            },
            "MaximumExecutionTimeoutInSeconds": 3900,
        },
        "AutoRollbackConfiguration": {"Alarms": [{"AlarmName": name} for name in (ERRORS, LATENCY, "mine")]},
    }
    done = script("deploy.py", *GIVEN, model, *flags)
    assert done.returncode == 0, done.stderr
    made = alarms(aws)
    assert sorted(made) == sorted([ERRORS, LATENCY, "mine"])
    assert (made[ERRORS]["MetricName"], made[ERRORS]["Statistic"]) == ("Invocation5XXErrors", "Sum")
    assert (made[LATENCY]["ExtendedStatistic"], made[LATENCY]["Threshold"]) == ("p99", 50_000)  # microseconds
    dimensions = {each["Name"]: each["Value"] for each in made[ERRORS]["Dimensions"]}
    assert dimensions == {"EndpointName": NAME, "VariantName": "AllTraffic"}
    done = script("delete.py", "--yes")
    assert f"Deleted alarm {ERRORS}\nDeleted alarm {LATENCY}\n" in done.stdout, done.stderr
    assert list(alarms(aws)) == ["mine"]


def test_an_alarm_ends_the_update_and_the_endpoint_serves_as_before(script, aws, model, serving, timeline):
    put_alarm(aws, "mine")
    timeline.answers("UpdateEndpoint", after(lambda: put_alarm(aws, "mine", "ALARM")))
    done = script("deploy.py", *GIVEN, model, *CANARY, "--rollback-alarm", "mine")
    assert done.returncode == 1, done.stdout
    assert done.stderr == "Failed: The update was rolled back: mine is in the state ALARM.\n"
    assert names(aws) == ([serving], [serving])
    done = script("deploy.py", *GIVEN, model, *CANARY, "--rollback-alarm", "mine")
    sentence = "Error: Alarm mine is on, and would end the update: expected OK.\n"
    assert (done.returncode, done.stderr) == (2, sentence)


def test_mistakes_about_a_canary(script, aws, model, serving):
    others = [text for number in range(10) for text in ("--rollback-alarm", f"a-{number}")]
    for flags, sentence in (
        (("--canary", "51"), "--canary: '51' is no whole number from 1 to 50"),
        (("--canary", "10"), f"--canary divides the instances of endpoint {NAME}, which is to have 1, expected at l"),
        ((*CANARY, "--endpoint-name", "new"), "There is no endpoint 'new' in region eu-west-1: --canary is of an up"),
        ((*CANARY, "--rollback-alarm", "gone"), "--rollback-alarm is 'gone', which CloudWatch does not have in reg"),
        ((*CANARY, *others), "There are 11 alarms with those of --canary, expected at most 10."),
        (("--canary", "10", "--serverless"), "--canary does not go with --serverless."),
        ((*CANARY, "--serverless"), "--serverless does not go with --instance-count."),
        (("--canary", "10", "--local"), "--canary does not go with --local: one server of this machine has all"),
        (("--canary-minutes", "5"), "--canary-minutes is of a canary, expected with --canary."),
        (("--rollback-latency", "5"), "--rollback-latency is of a canary, expected with --canary."),
        (("--rollback-alarm", "a"), "--rollback-alarm is of a canary, expected with --canary."),
    ):
        done = script("deploy.py", *GIVEN, model, *flags)
        assert done.returncode == 2, (flags, done.stdout)
        assert sentence in done.stderr
        assert len(done.stderr.splitlines()) == 1
    assert names(aws) == ([serving], [serving])
    assert alarms(aws) == {}


def test_a_canary_divides_the_instances_that_an_endpoint_has_scaled_to(script, aws, model):
    assert script("deploy.py", *GIVEN, model, "--instance-count", "3", "--autoscale", "2:4").returncode == 0
    request = requests_of(script("deploy.py", *GIVEN, model, "--canary", "10", "--dry-run"))["UpdateEndpoint"]
    assert request["RetainAllVariantProperties"] is True
    assert "DeploymentConfig" in request
