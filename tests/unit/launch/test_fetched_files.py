"""What a job leaves: which of its files are fetched, whether all are there, and which checkpoint is a job's."""

import argparse
import gzip
import io
import json
import tarfile
import zlib
from types import SimpleNamespace

import pytest
from launch.aws.storage import Storage
from launch.cli.errors import JobFailed, UsageError
from launch.local.clients import LocalClients
from launch.local.ml_tree import check_archive, unpack
from launch.sagemaker import checkpoints, report, results

CLIENTS = LocalClients("eu-west-1")


def packed(*members: tuple[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as tar:
        for name, content in members:
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return stream.getvalue()


FILES = {
    "intermediate/a.csv": b"a",
    "model.tar.gz": packed(("policy.json", b"{}")),
    "output.tar.gz": packed(("checkpoint/one", b"1")),
}
FETCHED = {
    "intermediate/a.csv": ("output/intermediate/", "output/intermediate/a.csv"),
    "model.tar.gz": ("model.tar.gz", "model.tar.gz"),
    "output.tar.gz": ("output/data/", "output/data/checkpoint/one"),
}


@pytest.mark.parametrize("left", [(), *((name,) for name in FILES), tuple(FILES)], ids=str)
def test_what_there_is_of_a_job_is_fetched(tmp_path, left):
    """Of this job: what lies beside its files, or is called nearly as they are, is not."""
    for name in ("intermediate-2/b.csv", "model.tar.gz.old", "output.tar.gz-2"):
        (tmp_path / "home" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "home" / name).write_text("not of the job")
    for name in left:
        (tmp_path / "home" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "home" / name).write_bytes(FILES[name])
    folder = tmp_path / "runs/mine"
    fetched = results.fetch(Storage(CLIENTS), f"file://{tmp_path}/home", folder)
    assert fetched == [FETCHED[name][0] for name in left]
    there = sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())
    assert there == sorted(FETCHED[name][1] for name in left)


def test_rewards_are_read_by_episode(tmp_path):
    header = "Episode #,Training Reward,Other,Evaluation Reward\n"
    (tmp_path / results.CSV_FILE).write_text(header + "1,-5.5,7,\n2.0,90.25,7,\n2,,7,95\n3,0,7,-1e2\n")
    rewards = results.read_rewards(tmp_path)
    assert rewards.training == [(1, -5.5), (2, 90.25), (3, 0.0)]
    assert rewards.evaluation == [(2, 95.0), (3, -100.0)]
    with pytest.raises(JobFailed, match=rf"^The job left no {results.CSV_FILE} in {tmp_path}/gone\.$"):
        results.read_rewards(tmp_path / "gone")
    with pytest.raises(JobFailed, match=rf"^The job left no GIF in {tmp_path}/gifs\.$"):
        results.latest_gif(tmp_path)


@pytest.mark.parametrize(
    ("content", "is_demos", "expected"),
    [
        ('{"TrainingJobStatus": "Completed"}', False, True),
        ('{"TrainingJobStatus": "Failed"}', False, True),
        ('{"TrainingJobStatus": "Stopped"}', False, True),
        ('{"TrainingJobStatus": "Stopping"}', True, False),
        ('{"TrainingJobStatus": "InProgress"}', True, False),
        ("{}", True, False),
        ("[]", True, False),
        ('"Completed"', True, False),
        ("{", True, False),
        (None, True, True),
        (None, False, False),
    ],
)
def test_when_all_of_a_job_is_there(tmp_path, content, is_demos, expected):
    if content is not None:
        (tmp_path / "description.json").write_text(content)
    if is_demos:
        (tmp_path / "job.log").touch()
    assert report.has_ended(tmp_path) == expected


@pytest.mark.parametrize(
    ("printed", "reason"),
    [("noise\nError: It is bad.\n", "It is bad."), ("It is odd.", "It is odd."), ("", "exit status 3")],
)
def test_a_report_that_cannot_be_written_ends_with_the_reason(tmp_path, monkeypatch, printed, reason):
    program = tmp_path / "program.py"
    program.write_text(f"import os, sys\nsys.stderr.write({printed!r})\nprint(os.environ['PYTHONPATH'])\nsys.exit(3)\n")
    monkeypatch.setattr(report, "PROGRAM", program)
    with pytest.raises(JobFailed) as caught:
        report.write([tmp_path / "one", tmp_path / "two"], tmp_path / "report.html")
    assert str(caught.value) == f"The report {tmp_path}/report.html cannot be written: {reason}"


def test_a_report_is_written_by_the_images_own_program(tmp_path, monkeypatch):
    program = tmp_path / "program.py"
    program.write_text(
        "import os, sys\nopen(sys.argv[-1], 'w').write(repr((sys.argv[1:], os.environ['PYTHONPATH'])))\n"
    )
    monkeypatch.setattr(report, "PROGRAM", program)
    output = tmp_path / "report.html"
    report.write([tmp_path / "one", tmp_path / "two"], output)
    asked = [f"{tmp_path}/one", f"{tmp_path}/two", "--output", str(output)]
    assert output.read_text() == repr((asked, str(tmp_path)))


# --- Archives --------------------------------------------------------------------------------------------------------
def of_type(name: str, kind: bytes) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as tar:
        member = tarfile.TarInfo(name)
        member.type, member.linkname = kind, "/etc/passwd"
        tar.addfile(member)
    return stream.getvalue()


def followed_by_garbage(archive: bytes) -> bytes:
    """Return an archive whose compressed data go on after the end of the tar, and are none."""
    compressor = zlib.compressobj(wbits=31)
    return compressor.compress(gzip.decompress(archive)) + compressor.flush(zlib.Z_SYNC_FLUSH) + b"\xff" * 20


WHOLE = packed(("a", b"1"), ("deep/b", bytes(range(256)) * 100))
DAMAGED = "X cannot be unpacked: it is damaged, or no tar.gz ("
BAD_ARCHIVES = {
    "absolute": (packed(("/etc/x", b"1")), "X holds '/etc/x', expected only plain files below its own folder."),
    "dots": (packed(("a", b"1"), ("deep/../../x", b"1")), "X holds 'deep/../../x', expected only plain files"),
    "a symbolic link": (of_type("a", tarfile.SYMTYPE), "X holds 'a'"),
    "a link": (of_type("a", tarfile.LNKTYPE), "X holds 'a'"),
    "a pipe": (of_type("a", tarfile.FIFOTYPE), "X holds 'a'"),
    "a device": (of_type("a", tarfile.CHRTYPE), "X holds 'a'"),
    "cut off": (WHOLE[:-4], DAMAGED),
    "another checksum": (WHOLE[:-8] + bytes(4) + WHOLE[-4:], f"{DAMAGED}CRC check failed"),
    "zeros": (WHOLE[:50] + bytes(10) + WHOLE[60:], DAMAGED),
    "garbage": (followed_by_garbage(WHOLE), DAMAGED),
    "no archive": (b"no archive", DAMAGED),
    "nothing": (b"", DAMAGED),
}


@pytest.mark.parametrize("kind", BAD_ARCHIVES)
def test_an_archive_that_is_damaged_or_leads_elsewhere_is_refused(tmp_path, kind):
    content, sentence = BAD_ARCHIVES[kind]
    (tmp_path / "x").write_bytes(content)
    with pytest.raises(UsageError) as caught:
        unpack(tmp_path / "x", tmp_path / "to", "X")
    assert str(caught.value).startswith(sentence)
    assert not (tmp_path / "to").exists()
    with pytest.raises(UsageError, match=str(tmp_path / "x")):
        check_archive(tmp_path / "x")


def test_a_whole_archive_is_unpacked(tmp_path):
    (tmp_path / "x").write_bytes(WHOLE)
    unpack(tmp_path / "x", tmp_path / "to")
    assert (tmp_path / "to/a").read_bytes() == b"1"
    assert len((tmp_path / "to/deep/b").read_bytes()) == 25600
    (tmp_path / "y").write_bytes(of_type("folder", tarfile.DIRTYPE))
    unpack(tmp_path / "y", tmp_path / "to")
    assert (tmp_path / "to/folder").is_dir()


# --- Checkpoints -----------------------------------------------------------------------------------------------------
def found(text: str, clients=CLIENTS, **flags) -> checkpoints.Checkpoint:
    given = {"checkpoint": text, "local": True, "bucket": None, "prefix": "", "dry_run": False, "kms_key": None}
    with checkpoints.found(argparse.Namespace(**{**given, **flags}), clients, "judged") as checkpoint:
        assert all(any(folder.iterdir()) for folder in checkpoint.uploads.values())
        return checkpoint


@pytest.fixture
def home(monkeypatch, tmp_path):
    monkeypatch.setenv("RL_RUNS", str(tmp_path / "runs"))
    return tmp_path / "runs/.local/output"


@pytest.mark.parametrize("name", [".coach_checkpoint", "7.coach_checkpoint", "coach_checkpoint", "checkpoint.json"])
def test_a_folder_is_a_checkpoint_by_coachs_file(home, tmp_path, name):
    (tmp_path / "c").mkdir()
    (tmp_path / "c" / name).touch()
    if name.endswith(".coach_checkpoint"):
        for text in (f"{tmp_path}/c", f"file://{tmp_path}/c"):
            assert found(text) == (f"file://{tmp_path}/c", None, {}, {})
    else:
        with pytest.raises(UsageError, match=r"expected a folder with Coach's \.coach_checkpoint in it\.$"):
            found(f"{tmp_path}/c")
    with pytest.raises(UsageError, match=rf"^There is no folder {tmp_path}/gone, nor can a training job have"):
        found(f"{tmp_path}/gone")


@pytest.mark.parametrize(
    ("content", "preset"),
    [('{"preset": "preset-x"}', "preset-x"), ("{}", None), ("[]", None), ("{", None), (None, None)],
)
def test_a_checkpoint_names_its_preset(home, tmp_path, content, preset):
    (tmp_path / ".coach_checkpoint").touch()
    if content is not None:
        (tmp_path / "checkpoint.json").write_text(content)
    assert found(str(tmp_path)).preset == preset


@pytest.mark.parametrize("status", ["Completed", "Stopped", "Failed", "InProgress", "Stopping"])
@pytest.mark.parametrize("left", ["checkpoint/.coach_checkpoint", "other/.coach_checkpoint", None])
def test_the_checkpoint_of_a_job_that_has_ended(home, tmp_path, status, left):
    """It is a file in the job's output, and put where no other job's is."""
    (tmp_path / "trained/output").mkdir(parents=True)
    if left:
        archive = packed((left, b"x"), ("checkpoint/checkpoint.json", json.dumps({"preset": "p"}).encode()))
        archive = archive if left.startswith("checkpoint") else packed((left, b"x"))
        (tmp_path / "trained/output/output.tar.gz").write_bytes(archive)
    description = {"TrainingJobStatus": status, "OutputDataConfig": {"S3OutputPath": f"file://{tmp_path}"}}
    clients = LocalClients("eu-west-1")
    clients.__dict__["sagemaker"] = SimpleNamespace(describe_training_job=lambda **names: description)
    is_there = left == "checkpoint/.coach_checkpoint" and status not in ("InProgress", "Stopping")
    if not is_there:
        sentence = f"^Training job trained is {status} and has no checkpoint, expected one that has.$"
        with pytest.raises(UsageError, match=sentence):
            found("trained", clients)
        assert not home.exists()
        return
    address = f"file://{home}/trained/checkpoint"
    checkpoint = found("trained", clients)
    assert checkpoint[:3] == (address, "p", description)
    assert not checkpoint.uploads[address].exists(), "nothing temporary stays"
    assert not home.exists(), "nothing is uploaded until the job is created"


def test_a_folder_that_a_job_has_synchronized_is_a_checkpoint(home, tmp_path):
    for name, preset in (("000009_Step-1", "older"), ("000010_Step-2", "newer")):
        (tmp_path / "synced" / name).mkdir(parents=True)
        (tmp_path / "synced" / name / "checkpoint.json").write_text(json.dumps({"preset": preset}))
    assert found(str(tmp_path / "synced")).preset == "newer"
