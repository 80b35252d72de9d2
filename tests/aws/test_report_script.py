"""``report.py``: of a job in S3, of one on this machine, of folders; and ``fetch.py``'s report."""

import json
import shutil

import pytest
from jobs import PPO
from local_aws import Aws

IMAGE = "registry.example.com/x:1"


@pytest.fixture
def job(script, aws: Aws, ppo_job, tmp_path) -> str:
    """A training job whose results are in S3, as the image left them."""
    script("create_role.py")
    process = script("train.py", "--image", IMAGE, "-p", f"RLCOACH_PRESET={PPO}")
    assert process.returncode == 0, process.stderr
    name = process.stdout.partition("Created training job ")[2].split()[0]
    home = aws.client("sagemaker").describe_training_job(TrainingJobName=name)["OutputDataConfig"]["S3OutputPath"]
    bucket = home.removeprefix("s3://").partition("/")[0]
    archive = shutil.make_archive(str(tmp_path / "output"), "gztar", ppo_job.ml / "output/data")
    aws.client("s3").upload_file(archive, bucket, f"{name}/output/output.tar.gz")
    intermediate = tmp_path / "intermediate"
    shutil.copytree(ppo_job.ml / "output/intermediate", intermediate)
    job_file = intermediate / "job.json"  # the job ran as a process, in no image
    job_file.write_text(job_file.read_text().replace("none: processes on this machine", "unknown"))
    for file in intermediate.rglob("*"):
        if file.is_file():
            key = file.relative_to(intermediate)
            aws.client("s3").upload_file(str(file), bucket, f"{name}/output/intermediate/{key}")
    return name


def test_a_jobs_report_knows_what_sagemaker_knows(script, aws, job, tmp_path):
    process = script("report.py", job)
    assert process.returncode == 0, process.stderr
    report = tmp_path / "runs" / job / "report.html"
    assert process.stdout == f"Report: {report}\n"
    page = report.read_text()
    assert IMAGE in page
    assert "unseen starts its mean return is" in page
    process = script("fetch.py", job)
    assert process.returncode == 0, process.stderr
    assert "report.html" in process.stdout


def test_a_job_that_had_not_ended_is_fetched_again(script, aws, job, tmp_path):
    assert script("report.py", job).returncode == 0
    folder = tmp_path / "runs" / job
    metadata, description = folder / "output/intermediate/metadata.json", folder / "description.json"
    metadata.unlink()
    assert json.loads(description.read_text())["TrainingJobStatus"] == "Completed"
    assert script("report.py", job).returncode == 0
    assert not metadata.exists()  # nothing more comes of a job that has ended
    description.write_text('{"TrainingJobStatus": "InProgress"}')
    assert script("report.py", job).returncode == 0
    assert metadata.exists()
    assert json.loads(description.read_text())["TrainingJobStatus"] == "Completed"


def test_a_demos_run_is_no_job_to_be_fetched(script, aws, tmp_path):
    run = tmp_path / "runs" / "demo-1"
    (run / "output/intermediate").mkdir(parents=True)
    (run / "job.log").touch()
    process = script("report.py", "demo-1")
    assert (process.returncode, process.stderr) == (0, "")
    assert (run / "report.html").is_file()


def test_of_an_address_and_of_folders(script, aws, job, tmp_path):
    home = aws.client("sagemaker").describe_training_job(TrainingJobName=job)["OutputDataConfig"]["S3OutputPath"]
    compared = tmp_path / "new" / "compared.html"
    process = script("report.py", f"{home}/{job}", "--output", compared)
    assert process.returncode == 0, process.stderr
    assert "2 runs compared" not in compared.read_text()
    folder = tmp_path / "runs" / job  # where it has been fetched to
    both = script("report.py", folder, folder, "--output", compared)
    assert both.returncode == 0, both.stderr
    assert "2 runs compared" in compared.read_text()


@pytest.mark.parametrize(
    ("runs", "sentence"),
    [
        (["no-such-job"], "There is no training job 'no-such-job'"),
        (["s3://nobodys-bucket/x"], "nobodys-bucket"),
        (["not/a/folder"], "The run is 'not/a/folder', expected a job's name, its folder, or s3://bucket/prefix/JOB."),
        (["."], "The run is ., which has no output/ in it, expected the folder of a job."),
        (["job"] * 13, "There are 13 runs, expected at most 12."),
        (["--output", ".", "x"], "--output is ., which is a folder, expected a file."),
    ],
)
def test_mistakes(script, runs, sentence):
    process = script("report.py", *runs)
    assert process.returncode == 2, process.stderr
    assert sentence in process.stderr
    assert len(process.stderr.splitlines()) == 1


def test_a_dry_run_writes_nothing(script, tmp_path):
    process = script("report.py", "--dry-run", "some-job")
    assert json.loads(process.stdout) == [{"Report": {"Of": ["some-job"]}}]
