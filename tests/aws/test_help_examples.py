"""Every example that ``--help`` shows runs: with the project's own role and files, as far as ``--dry-run`` goes."""

import ast
import json
import re
import shlex
import shutil
import subprocess
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
from image_stack import create_stack
from jobs import ROOT
from launch import project
from launch.aws.roles import TRUST_POLICY
from launch.local import records
from launch.local.records import TRAINING_JOBS, JobRecord
from local_aws import ACCOUNT, REGION, put_images
from serving_resources import BUCKET

pytest_plugins = ("serving_resources", "timeline")

NOTEBOOKS_ROLE = "AmazonSageMaker-ExecutionRole-20260101T120000"
JOB = "rl-mountain-car-2026-11-23-10-00-00-000000"
SCRIPTS = sorted(path.name for path in (ROOT / "scripts").glob("*.py"))
WITHOUT_DRY_RUN = ("build_images.py", "demo.py")
"""tests/unit/launch/test_image_builds.py and tests/docs run them."""
LOOKING = ("Describe", "List", "Get", "BatchGet", "Search")
"""How the names of operations begin that change nothing."""


def examples(script: str) -> list[str]:
    """Return the commands of a script's examples."""
    text = ast.get_docstring(ast.parse((ROOT / "scripts" / script).read_text(encoding="utf-8"))) or ""
    return re.findall(r"^    (\S.*?)(?:\s+# .*)?$", text.partition("Examples:\n")[2], re.MULTILINE)


@pytest.fixture
def run(script, aws, model, tmp_path, monkeypatch) -> Callable[[str], subprocess.CompletedProcess[str]]:
    """Have what the examples speak of: a job here and on AWS, its files, an endpoint, images; return what runs one."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RL_RUNS", str(tmp_path / "runs"))
    for name in ("observations.csv", "tests", "scripts"):
        (tmp_path / name).symlink_to(ROOT / name)
    put_images(aws)
    create_stack(aws, CreateTrainingRepository="false", CreateServingRepository="false")
    images = {kind: f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/mountain-car-{kind}:1" for kind in project.KINDS}
    folder = tmp_path / "runs" / JOB
    (folder / "output/data/checkpoint").mkdir(parents=True)
    (folder / "output/data/checkpoint/0.coach_checkpoint").touch()
    shutil.copy(model, folder / "model.tar.gz")
    (tmp_path / "runs/images.json").write_text(json.dumps(images))
    with tarfile.open(folder / "output.tar.gz", "w:gz") as tar:
        tar.add(folder / "output/data", ".")
    iam, s3 = aws.client("iam"), aws.client("s3")
    iam.create_role(RoleName=NOTEBOOKS_ROLE, AssumeRolePolicyDocument=json.dumps(TRUST_POLICY))
    assert script("create_role.py").returncode == 0
    assert script("train.py", "--job-name", JOB).returncode == 0
    s3.create_bucket(Bucket="my-bucket", CreateBucketConfiguration={"LocationConstraint": REGION})
    for key in ("model.tar.gz", "checkpoint/0.coach_checkpoint", "observations.jsonl"):
        s3.put_object(Bucket="my-bucket", Key=key, Body=b"[0.5, -0.5]")
    s3.upload_file(str(folder / "output.tar.gz"), BUCKET, f"{JOB}/output/output.tar.gz")
    (tmp_path / "ranges.json").write_text(
        json.dumps({"CategoricalParameterRanges": [{"Name": "seed", "Values": ["1"]}]})
    )
    make_models(script, aws, model)
    local = f"file://{folder}"
    request = {"TrainingJobName": JOB, "OutputDataConfig": {"S3OutputPath": local}, "HyperParameters": {}}
    request["AlgorithmSpecification"] = {"TrainingImage": "mountain-car-training"}
    record = JobRecord(request, "arn", records.now(), "process", "Completed", model=f"{local}/model.tar.gz")
    record.add_transition("Completed")
    records.create(TRAINING_JOBS, JOB, record)
    (folder / JOB / "output").mkdir(parents=True)
    shutil.copy(folder / "output.tar.gz", folder / JOB / "output")

    def run(command: str) -> subprocess.CompletedProcess[str]:
        given, _, command = command.rpartition(" | ")
        text = subprocess.run(["bash", "-c", given], capture_output=True, text=True, check=True).stdout if given else ""
        python, path, *arguments = (part.replace("$JOB", JOB) for part in shlex.split(command))
        assert (python, path) == ("python", f"scripts/{Path(path).name}")
        dry = () if "--dry-run" in arguments else ("--dry-run",)
        return script(Path(path).name, *arguments, *dry, input=text)

    return run


def make_models(script, aws, model) -> None:
    """Have endpoints that are updated, packages of models, and an evaluation with its metric."""
    from moto.sagemaker.models import sagemaker_backends

    assert script("train.py", "--job-name", f"{JOB}-evaluation").returncode == 0
    metric = {"MetricName": "reward-evaluation", "Value": 99.2, "Timestamp": 0}
    sagemaker_backends[ACCOUNT][REGION].training_jobs[f"{JOB}-evaluation"].final_metric_data_list = [metric]
    for endpoint, flags in (("my-car", ()), ("cars", ("--multi-model", "--target-model", "my-car"))):
        done = script("deploy.py", model, "--endpoint-name", endpoint, *flags)
        assert done.returncode == 0, done.stderr
    sagemaker = aws.client("sagemaker")
    media_types = {"SupportedContentTypes": ["text/csv"], "SupportedResponseMIMETypes": ["text/csv"]}
    container = {"Image": f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/mountain-car-serving:1"}
    container["ModelDataUrl"] = "s3://my-bucket/model.tar.gz"
    for group in (project.BASE_NAME, "cars"):
        sagemaker.create_model_package_group(ModelPackageGroupName=group, ModelPackageGroupDescription="of examples")
        for _ in range(3):
            sagemaker.create_model_package(
                ModelPackageGroupName=group,
                ModelApprovalStatus="Approved",
                InferenceSpecification={"Containers": [container], **media_types},
            )


def files(aws) -> list[tuple[str, str]]:
    """Return all that there is in S3, by bucket and key."""
    s3 = aws.client("s3")
    names = [bucket["Name"] for bucket in s3.list_buckets()["Buckets"]]
    return [(name, each["Key"]) for name in names for each in s3.list_objects_v2(Bucket=name).get("Contents", [])]


def test_the_examples_of_every_script_run(run, aws, timeline):
    """In one account, where they only look."""
    before = files(aws)
    wrong = []
    for name in SCRIPTS:
        commands = examples(name)
        assert commands, name
        for command in commands:
            if command.startswith("printf "):
                subprocess.run(["bash", "-c", command], check=True)
            elif name not in WITHOUT_DRY_RUN:
                done = run(command)
                wrong += [f"{command}: {done.stderr}"] if done.returncode else []
    print(*wrong, sep="\n")
    assert wrong == []
    assert {"DescribeTrainingJob", "GetRole"} <= set(timeline.operations)
    assert [each for each in timeline.operations if not each.startswith(LOOKING)] == []
    assert files(aws) == before
