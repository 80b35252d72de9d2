"""fetch.py against a local AWS server, and against ones that break off or hold back."""

import io
import tarfile

import pytest
from jobs import CSV
from local_aws import ACCOUNT, REGION, log_lines
from proxy import throttling

pytest_plugins = ("proxy",)

BUCKET = f"sagemaker-{REGION}-{ACCOUNT}"
ROWS = "Episode #,Training Reward,Evaluation Reward\n1,-5.5,\n2,90.25,\n2,,95\n"


def packed(**files: bytes) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(name.replace("__", "/"))
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return stream.getvalue()


@pytest.fixture
def job(script, aws):
    """A job that has ended, and what it left in S3, beside what begins alike."""
    done = script("train.py", "--image", "x", "--role", f"arn:aws:iam::{ACCOUNT}:role/r", "--job-name", "mine")
    assert done.returncode == 0, done.stderr
    s3 = aws.client("s3")
    intermediate = "mine/output/intermediate"
    s3.put_object(Bucket=BUCKET, Key=f"{intermediate}/{CSV}", Body=ROWS.encode())
    for episode in (9, 10, 2):
        key = f"{intermediate}/gifs/2026-01-01-00-00-00_episode-{episode}_score-1.gif"
        s3.put_object(Bucket=BUCKET, Key=key, Body=b"GIF of %d" % episode)
    for key in ("mine-2/output/intermediate", "mine/output/intermediate-2", "mine/output/model.tar.gz-2", "min/output"):
        s3.put_object(Bucket=BUCKET, Key=f"{key}/{CSV}", Body=b"of another job")
    s3.put_object(Bucket=BUCKET, Key="mine/output/model.tar.gz", Body=packed(policy=b"x"))
    s3.put_object(Bucket=BUCKET, Key="mine/output/output.tar.gz", Body=packed(checkpoint__file=b"weights"))
    return s3


def test_everything_is_fetched_unpacked_and_drawn(script, job, tmp_path):
    done = script("fetch.py", "mine")
    assert done.returncode == 0, done.stderr
    folder = tmp_path / "runs/mine"
    assert (folder / "output/intermediate" / CSV).read_text() == ROWS
    assert (folder / "output/data/checkpoint/file").read_bytes() == b"weights"
    assert (folder / "model.tar.gz").is_file()
    assert (folder / "reward.png").read_bytes().startswith(b"\x89PNG")
    assert (folder / "episode.gif").read_bytes() == b"GIF of 10"  # the latest by number, not by name
    assert "2 episodes, 1 evaluation\n" in done.stdout
    assert sorted(path.name for path in folder.iterdir()) == [
        *("description.json", "episode.gif", "model.tar.gz", "output", "report.html", "reward.png")
    ]
    assert sorted(path.name for path in (folder / "output").rglob("*")) == [
        *(f"2026-01-01-00-00-00_episode-{episode}_score-1.gif" for episode in (10, 2, 9)),
        *("checkpoint", "data", "file", "gifs", "intermediate", CSV),
    ]
    job.put_object(Bucket=BUCKET, Key=f"mine/output/intermediate/{CSV}", Body=(ROWS + "3,91,\n").encode())
    assert "3 episodes" in script("fetch.py", "mine").stdout  # again: what is new


def test_a_failed_jobs_files_are_fetched_and_its_reason_said(script, aws, job, tmp_path):
    from moto.sagemaker.models import sagemaker_backends

    failed = sagemaker_backends[ACCOUNT][REGION].training_jobs["mine"]
    failed.training_job_status, failed.failure_reason = "Failed", "AlgorithmError: loss is NaN, exit code: 1"
    log_lines(aws, "mine/algo-1-1", "the last line")
    done = script("fetch.py", "mine")
    assert done.returncode == 1
    assert done.stderr.splitlines() == ["Failed: AlgorithmError: loss is NaN, exit code: 1", "the last line"]
    assert (tmp_path / "runs/mine/reward.png").is_file()


def test_a_bad_archive_is_refused(script, job, tmp_path):
    """Others are in tests/unit/launch/test_fetched_files.py."""
    for archive, sentence in (
        (packed(checkpoint__file=b"x" * 100_000)[:-50], "cannot be unpacked"),
        (packed(**{"..__outside": b"x"}), "holds '../outside', expected only plain files below its own folder"),
    ):
        job.put_object(Bucket=BUCKET, Key="mine/output/output.tar.gz", Body=archive)
        done = script("fetch.py", "mine")
        assert done.returncode == 2
        assert sentence in done.stderr
        assert not (tmp_path / "runs/mine/output/data").exists()
        assert not list(tmp_path.rglob("outside"))


@pytest.mark.parametrize(("status", "nothing"), [("Failed", "nothing\n"), ("InProgress", "nothing yet\n")])
def test_nothing_yet_is_for_a_job_that_goes_on(script, aws, job, status, nothing):
    from moto.sagemaker.models import sagemaker_backends

    sagemaker_backends[ACCOUNT][REGION].training_jobs["mine"].training_job_status = status
    for each in job.list_objects_v2(Bucket=BUCKET)["Contents"]:
        job.delete_object(Bucket=BUCKET, Key=each["Key"])
    assert script("fetch.py", "--no-wait", "mine").stdout.endswith(nothing)


def test_a_job_that_is_not_there(script):
    done = script("fetch.py", "nobody")
    assert (done.returncode, done.stderr) == (
        2,
        "Error: There is no training or tuning job 'nobody' in region eu-west-1.\n",
    )


def test_a_download_that_breaks_off_leaves_no_partial_file(script, job, between, tmp_path):
    def cut(self, answer):
        whole = self.command == "GET" and "model.tar.gz" in self.path and "list-type" not in self.path
        body = answer.content[:20] if whole else answer.content
        length = answer.headers.get("Content-Length") if self.command == "HEAD" else len(answer.content)
        self.answer(answer.status_code, answer.headers, body, length)

    url, _ = between(cut)
    done = script("fetch.py", "mine", AWS_ENDPOINT_URL_S3=url, AWS_MAX_ATTEMPTS="2")
    assert done.returncode == 1, done.stderr
    assert "Traceback" not in done.stderr
    assert len(done.stderr.splitlines()) == 1
    folder = tmp_path / "runs/mine"
    assert (folder / "output/intermediate" / CSV).is_file()  # what came before
    assert not list(folder.glob("*model*")), list(folder.rglob("*"))
    assert not list(folder.glob(".*"))


def test_throttling_without_end_is_said(script, job, between):
    url, handler = between(throttling(times=100))
    done = script("fetch.py", "mine", AWS_ENDPOINT_URL_SAGEMAKER=url, AWS_MAX_ATTEMPTS="2", AWS_RETRY_MODE="standard")
    assert done.returncode == 1
    expected = "Failed: AWS refuses DescribeTrainingJob: Rate exceeded (ThrottlingException).\n"
    assert done.stderr == expected
    assert handler.asked == 2
