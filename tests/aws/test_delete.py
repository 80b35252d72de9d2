"""delete.py against a local AWS server: it asks, and takes nothing of an endpoint whose name begins alike."""

import pytest
from local_aws import requests_of
from serving_resources import GIVEN

ONE, TWO, THREE = "2025-01-01-00-00-00-000000", "2026-11-01-10-00-00-000000", "2026-11-02-10-00-00"
OTHERS = ("car-" + ONE, "cars-2-" + ONE, "my-cars-" + ONE, "cars-theirs", "cars", f"cars-{ONE}-old")
"""Names that begin, end or are nearly as those of the endpoint ``cars``."""


class Resources:
    """Models, configurations and endpoints of the account."""

    def __init__(self, aws) -> None:
        self._sagemaker = aws.client("sagemaker")

    def model(self, *names: str) -> None:
        for name in names:
            self._sagemaker.create_model(ModelName=name, ExecutionRoleArn=GIVEN[3], PrimaryContainer={"Image": "i"})

    def config(self, name: str, *models: str) -> None:
        instances = {"InstanceType": "ml.c5.large", "InitialInstanceCount": 1}
        variants = [
            {"VariantName": f"v-{number}", "ModelName": each, **instances} for number, each in enumerate(models)
        ]
        self._sagemaker.create_endpoint_config(EndpointConfigName=name, ProductionVariants=variants)

    def endpoint(self, name: str, config: str) -> None:
        self._sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=config)

    @property
    def names(self) -> set[str]:
        listed = {
            "model": [each["ModelName"] for each in self._sagemaker.list_models()["Models"]],
            "endpoint configuration": [
                each["EndpointConfigName"] for each in self._sagemaker.list_endpoint_configs()["EndpointConfigs"]
            ],
            "endpoint": [each["EndpointName"] for each in self._sagemaker.list_endpoints()["Endpoints"]],
        }
        return {f"{kind} {name}" for kind, names in listed.items() for name in names}


@pytest.fixture
def resources(aws) -> Resources:
    """There are others' of like names, which no command for ``cars`` may touch."""
    made = Resources(aws)
    made.model(*OTHERS)
    for name in OTHERS:
        made.config(name, name)
    made.endpoint("cars-2", "cars-2-" + ONE)
    made.others = made.names
    return made


def deleted(script, *arguments: str, **options) -> list[str]:
    """Run delete.py; return what it says that it has deleted, in order."""
    done = script("delete.py", "--endpoint-name", "cars", *arguments, **options)
    assert done.returncode == 0, done.stderr
    return [line.removeprefix("Deleted ") for line in done.stdout.splitlines() if line.startswith("Deleted ")]


def test_all_of_an_endpoint_goes_and_nothing_of_another(script, resources):
    """Of an endpoint that serves by a configuration with several models, some of them somebody else's."""
    resources.model(f"cars-{ONE}", f"cars-{TWO}", f"cars-{THREE}")
    resources.config("by-hand", f"cars-{TWO}", "cars-theirs")
    resources.config(f"cars-{THREE}", f"cars-{THREE}")
    resources.endpoint("cars", "by-hand")
    assert deleted(script, "--yes") == [
        "endpoint cars",
        "endpoint configuration by-hand",
        f"endpoint configuration cars-{THREE}",
        f"model cars-{ONE}",
        f"model cars-{TWO}",
        f"model cars-{THREE}",
    ]
    assert resources.names == resources.others


def test_what_is_left_of_an_endpoint_is_found(script, aws, resources):
    """After a deletion that was broken off, or somebody has deleted a part by hand."""
    resources.model(f"cars-{ONE}", f"cars-{TWO}")
    assert deleted(script, "--yes") == [f"model cars-{ONE}", f"model cars-{TWO}"]
    assert deleted(script, "--yes") == []
    resources.model(f"cars-{TWO}")
    resources.config(f"cars-{ONE}", f"cars-{TWO}")
    aws.client("sagemaker").delete_model(ModelName=f"cars-{TWO}")
    assert deleted(script, "--yes") == [f"endpoint configuration cars-{ONE}"]
    resources.config("by-hand", "cars-theirs")
    resources.endpoint("cars", "by-hand")
    assert deleted(script, "--yes") == ["endpoint cars", "endpoint configuration by-hand"]
    assert resources.names == resources.others


def test_it_asks(script, resources):
    for answer, is_yes in (("n", False), ("", False), ("yeah", False), ("y", True), (" YES ", True)):
        if f"model cars-{ONE}" not in resources.names:
            resources.model(f"cars-{ONE}")
        done = script("delete.py", "--endpoint-name", "cars", input=f"{answer}\n")
        assert (done.returncode, done.stderr) == (0, "")
        first, second, rest = done.stdout.split("\n", 2)
        assert (first, second) == ("Of cars in region eu-west-1 there is:", f"  model cars-{ONE}")
        end = f"Deleted model cars-{ONE}" if is_yes else "Nothing was deleted."
        assert rest == f"Delete all of it? [y/N] {end}\n"
        assert (resources.names == resources.others) == is_yes


def test_the_requests_of_a_deletion(script, resources):
    resources.model(f"cars-{ONE}")
    assert requests_of(script("delete.py", "--endpoint-name", "cars", "--dry-run")) == {
        "DeleteModel": {"ModelName": f"cars-{ONE}"}
    }
    assert script("delete.py", "--endpoint-name", "cars").returncode == 2  # nobody can be asked
    assert resources.names - resources.others == {f"model cars-{ONE}"}
