"""What a job, an endpoint or a transform is given: the user's source, a model, a file of observations."""

import argparse
import tarfile
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError
from launch.aws.storage import StoredFile
from launch.cli.errors import UsageError
from launch.local import records
from launch.local.clients import LocalAutoscaling, LocalClients
from launch.local.ml_tree import pack
from launch.local.process_id import ProcessId
from launch.local.records import ENDPOINTS, Deployment, EndpointRecord
from launch.sagemaker import inputs, models, training_jobs, transforms


@pytest.fixture
def clients(monkeypatch, tmp_path) -> LocalClients:
    monkeypatch.setenv("RL_RUNS", str(tmp_path / "runs"))
    monkeypatch.setattr(LocalClients, "seconds_between_polls", 0.0)
    return LocalClients("eu-west-1")


def flags(**given: Any) -> argparse.Namespace:
    usual = {"local": True, "bucket": None, "prefix": "", "dry_run": False, "kms_key": None}
    return argparse.Namespace(**{**usual, **given})


def test_a_source_is_packed_and_there_before_its_job(clients, tmp_path):
    source = tmp_path / "source"
    for name in ("b.py", "a.py", "below/c.py", "below/__pycache__/c.pyc", "__pycache__/a.pyc"):
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).write_text(f"# {name}")
    target = tmp_path / "home/mine/source/sourcedir.tar.gz"
    created: list[dict[str, Any]] = []

    def create_training_job(**request: Any) -> None:
        created.append(request)
        assert target.is_file() == (request["TrainingJobName"] == "mine")

    clients.__dict__["sagemaker"] = SimpleNamespace(create_training_job=create_training_job)
    request = {
        "TrainingJobName": "mine",
        "OutputDataConfig": {"S3OutputPath": f"file://{tmp_path}/home"},
        "InputDataConfig": [inputs.channel("code", f"file://{tmp_path}/home/mine/source")],
    }
    training_jobs.create(clients, request, source)
    with tarfile.open(target) as tar:
        names = [member.name for member in tar if member.isfile()]
        assert tar.extractfile("below/c.py").read() == b"# below/c.py"
    assert names == ["a.py", "b.py", "below/c.py"]
    target.unlink()
    training_jobs.create(clients, {**request, "TrainingJobName": "another"}, None)
    assert [each["TrainingJobName"] for each in created] == ["mine", "another"]
    assert not target.exists()


def test_a_job_is_waited_for_until_it_has_ended(clients):
    for last in ("Completed", "Failed", "Stopped"):
        statuses = iter(["InProgress", "Stopping", last, "never asked for"])
        clients.__dict__["sagemaker"] = SimpleNamespace(
            describe_training_job=lambda TrainingJobName, each=statuses: {  # noqa: N803 - boto3's names
                "TrainingJobName": TrainingJobName,
                "TrainingJobStatus": next(each),
            }
        )
        described = training_jobs.wait_for_end(clients, "mine")
        assert described == {"TrainingJobName": "mine", "TrainingJobStatus": last}
        assert next(statuses) == "never asked for"


@pytest.mark.parametrize(("artifacts", "has_model"), [({"S3ModelArtifacts": "s3://b/m"}, True), ({}, False)])
def test_the_model_of_a_job(clients, artifacts, has_model):
    job = {"TrainingJobName": "mine", "TrainingJobStatus": "Stopped", "ModelArtifacts": artifacts}
    clients.__dict__["sagemaker"] = SimpleNamespace(describe_training_job=lambda **names: job)
    if has_model:
        assert models.find_archive(flags(model="mine"), clients, "new") == "s3://b/m"
    else:
        with pytest.raises(
            UsageError, match=r"^Training job mine is Stopped and has no model, expected one that has\.$"
        ):
            models.find_archive(flags(model="mine"), clients, "new")
    missing = ClientError({"Error": {"Code": "ResourceNotFound"}}, "DescribeTrainingJob")

    def describe(**names: str) -> None:
        raise missing

    clients.__dict__["sagemaker"] = SimpleNamespace(
        describe_training_job=describe, describe_hyper_parameter_tuning_job=describe
    )
    with pytest.raises(UsageError, match=r"^There is no training or tuning job 'mine' on this machine\.$"):
        models.find_archive(flags(model="mine"), clients, "new")


class Storage:
    """Notes what is asked of S3."""

    def __init__(self) -> None:
        self.done: list[tuple[str, ...]] = []

    def __call__(self, clients: LocalClients) -> "Storage":
        return self

    def ensure_bucket(self, bucket: str) -> None:
        self.done.append(("bucket", bucket))

    def upload(self, file: Any, target: str, key: str | None) -> None:
        self.done.append(("upload", file.name, target, str(key)))

    def find(self, uri: str) -> list[StoredFile]:
        return [] if uri.endswith("gone") else [StoredFile("", 1)]


@pytest.mark.parametrize("place", ["s3", "here"])
@pytest.mark.parametrize("dry_run", [False, True])
def test_a_file_is_uploaded_where_that_is_needed(clients, monkeypatch, tmp_path, place, dry_run):
    file = tmp_path / "x.tar.gz"
    file.touch()
    given = flags(bucket="b" if place == "s3" else None, prefix="p", dry_run=dry_run, kms_key="mine")
    for module, name, target in ((models, "model.tar.gz", ""), (transforms, "x.tar.gz", "input/")):
        storage = Storage()
        monkeypatch.setattr(module, "Storage", storage)
        for address in (f"s3://c/{name}", "s3://c/gone"):
            given.model = given.input = address
            if address.endswith("gone"):
                with pytest.raises(UsageError, match=r"^There is nothing at s3://c/gone\.$"):
                    _place(module, given, clients)
            else:
                assert _place(module, given, clients) == address
        given.model = given.input = str(file)
        address = _place(module, given, clients)
        if place == "here":
            assert (address, storage.done) == (f"file://{file}", [])
        else:
            uploaded = [("bucket", "b"), ("upload", "x.tar.gz", address, "mine")]
            assert (address, storage.done) == (f"s3://b/p/new/{target}{name}", [] if dry_run else uploaded)


def _place(module: Any, given: argparse.Namespace, clients: LocalClients) -> str:
    """Find what the flags name, and upload it as the scripts do if it is not a dry run."""
    if module is models:
        address = models.find_archive(given, clients, "new")
        if not given.dry_run:
            models.upload_archive(given, clients, address, given.kms_key)
    else:
        address = transforms.find_input(given, clients, "new")
        if not given.dry_run:
            transforms.upload_input(given, clients, address)
    return address


def test_what_names_a_model(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "policy.json").write_text("{}")
    (tmp_path / "model").mkdir()
    (tmp_path / "model/policy.json").write_text("{}")
    pack([tmp_path / "model"], tmp_path / "job-1")
    for text in ("s3://b/x", "file:///gone", "job-1", "job-2"):  # of these one is a file
        assert models.check_name(text) == text
    for text, sentence in (
        ("model", "The model is model, which is a folder, expected a model.tar.gz or a training job's name."),
        ("policy.json", "policy.json cannot be unpacked"),
        ("a/b", "There is no file a/b."),
    ):
        with pytest.raises(UsageError) as caught:
            models.check_name(text)
        assert str(caught.value).startswith(sentence)


def test_the_page_of_an_endpoint_and_its_scaling(clients, capsys):
    assert clients.page_of("cars") is None
    record = EndpointRecord({}, "arn", records.now(), "Creating")
    records.create(ENDPOINTS, "cars", record)
    assert clients.page_of("cars") is None
    record.serving = Deployment("c", 1, records.now(), ProcessId(1, 2), url="http://127.0.0.1:9")
    records.write(ENDPOINTS, "cars", record)
    assert clients.page_of("cars") == "http://127.0.0.1:9/"
    scaling = LocalAutoscaling()
    for answer in (scaling.put_scaling_policy(x=1), scaling.deregister_scalable_target(x=1)):
        assert answer == {}
    assert capsys.readouterr().err == ""
    scaling.register_scalable_target(x=1)
    assert capsys.readouterr().err == "Local mode leaves out automatic scaling.\n"
