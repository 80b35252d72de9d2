"""What the scripts write is old or new and whole, whatever happens while they write it."""

import io
import json
import shutil
import tarfile

import pytest
import report as report_script
from faulty_writes import check
from launch.aws import image_uris
from launch.aws.clients import Clients
from launch.aws.storage import Storage
from launch.cli.errors import UsageError
from launch.local import jobs_api, labels, records
from launch.local.clients import LocalClients
from launch.local.ml_tree import pack, unpack
from launch.local.process_id import ProcessId
from launch.local.records import MODELS, TRAINING_JOBS, Resource
from launch.sagemaker import demo, report, results
from PIL import Image

pytest_plugins = ("faulty_writes",)


@pytest.fixture(autouse=True)
def runs(disk, monkeypatch):
    monkeypatch.setenv("RL_RUNS", str(disk))
    return disk


def model(place: str) -> Resource:
    return Resource({"ModelName": "model", "Place": place}, "arn", "2026-11-26T10:00:00+00:00")


def pushed() -> str | None:
    try:
        return image_uris.read("training", "r")
    except UsageError:
        return None


@pytest.mark.parametrize("before", [{}, {"training": "old", "serving": "one"}])
def test_the_uris_of_images(before):
    if before:
        image_uris.write(before, "r")
    check(image_uris.images_file().parent, lambda: image_uris.write({"training": "new", "serving": "too"}, "r"), pushed)
    assert image_uris.images_file().stat().st_mode & 0o777 == 0o644


def test_a_record_appears_with_its_folder(runs):
    def create() -> None:
        if records.read(MODELS, "model") is None:
            assert records.create(MODELS, "model", model("new"))

    (runs / ".local/models").mkdir(parents=True)
    check(runs, create, lambda: (records.read(MODELS, "model"), list(records.names(MODELS))))
    assert not records.create(MODELS, "model", model("another"))
    assert records.read(MODELS, "model") == model("new")
    assert [path.name for path in (runs / ".local/models").iterdir()] == ["model"]


def test_the_next_state_of_a_record(runs):
    records.create(MODELS, "model", model("old"))
    check(runs, lambda: records.write(MODELS, "model", model("new")), lambda: records.read(MODELS, "model"))


def test_a_record_goes_with_its_folder(runs):
    records.create(MODELS, "model", model("old"))
    records.create(MODELS, "models", model("another"))
    (records.folder_of(MODELS, "model") / "log").touch()
    check(
        runs, lambda: records.remove(MODELS, "model"), lambda: (records.read(MODELS, "model"), *records.names(MODELS))
    )
    assert not records.remove(MODELS, "model")
    assert [path.name for path in (runs / ".local/models").iterdir()] == ["models"]


def test_the_runner_of_a_job(runs):
    records.folder_of(TRAINING_JOBS, "job").mkdir(parents=True)
    check(
        runs,
        lambda: jobs_api._write_runner(TRAINING_JOBS, "job", ProcessId(12, 345)),
        lambda: jobs_api._read_runner(TRAINING_JOBS, "job"),
    )


@pytest.mark.parametrize("old", [None, "old and longer than the new one"])
@pytest.mark.parametrize("copy", ["upload", "download"])
def test_a_copy_of_a_file(runs, tmp_path, old, copy):
    source, target = tmp_path / "source", runs / "target"
    (source / "below").mkdir(parents=True)
    (source / "below/file").write_text("new")
    if old:
        (target / "below").mkdir(parents=True)
        (target / "below/file").write_text(old)
    storage = Storage(Clients())
    copies = {
        "upload": lambda: storage.upload(source, f"file://{target}"),
        "download": lambda: storage.download(f"file://{source}", target),
    }
    file = target / "below/file"
    check(runs, copies[copy], lambda: file.read_text() if file.exists() else None)
    assert file.stat().st_mode & 0o777 == 0o644


def packed(**files: str) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content.encode()))
    return stream.getvalue()


def test_an_archive(runs, tmp_path):
    (tmp_path / "first").mkdir()
    (tmp_path / "second").mkdir()
    (tmp_path / "first/a").write_text("of the first")
    (tmp_path / "second/a").write_text("of the second")
    (tmp_path / "second/b").write_text("of the second alone")
    archive = runs / "model.tar.gz"
    archive.write_bytes(packed(a="old"))

    def content() -> dict[str, str]:
        folder = tmp_path / "unpacked"
        shutil.rmtree(folder, ignore_errors=True)
        unpack(archive, folder)
        return {path.name: path.read_text() for path in folder.iterdir()}

    check(runs, lambda: pack([tmp_path / "first", tmp_path / "gone", tmp_path / "second"], archive), content)
    assert content() == {"a": "of the first", "b": "of the second alone"}


def test_the_fetched_output_of_a_job(runs, tmp_path):
    """A kill while the old folder makes room for the new one leaves none, and the next fetch gets it."""
    home = tmp_path / "home"
    home.mkdir()
    (home / "output.tar.gz").write_bytes(packed(new="1", other="2"))
    data = runs / "job/output/data"
    data.mkdir(parents=True)
    (data / "old").write_text("0")

    def content() -> dict[str, str] | None:
        found = {path.name: path.read_text() for path in data.iterdir()} if data.is_dir() else {}
        return found if "old" not in found else None

    def some() -> dict[str, str] | None:
        return content() or None

    check(runs, lambda: results.fetch(Storage(Clients()), f"file://{home}", runs / "job"), some)
    assert content() == {"new": "1", "other": "2"}
    assert [path.name for path in (runs / "job").iterdir()] == ["output"]


def test_the_description_of_a_job(runs):
    (runs / "job").mkdir()
    report.write_description({"TrainingJobStatus": "InProgress"}, runs / "job")
    job = {"TrainingJobStatus": "Completed", "ResponseMetadata": {}}
    file = runs / "job" / report.DESCRIPTION_FILE
    check(runs, lambda: report.write_description(job, runs / "job"), lambda: json.loads(file.read_text()))
    assert report.has_ended(runs / "job")


def test_the_link_to_the_latest_run(runs):
    (runs / "first").mkdir()
    (runs / "second").mkdir()
    demo.link_latest(runs / "first")
    check(runs, lambda: demo.link_latest(runs / "second"), lambda: (runs / "latest").resolve().name)


def test_the_gif_of_an_episode(runs):
    from launch.sagemaker.episode import EpisodeGif

    gif = EpisodeGif()
    gif._frames = [Image.new("RGB", (30, 20), color) for color in ("red", "blue", "green")]
    file = runs / "episode.gif"
    gif._frames[0].save(file)

    def frames() -> int:
        with Image.open(file) as image:
            image.seek(image.n_frames - 1)
            image.load()
            return image.n_frames

    check(runs, lambda: gif.save(file), frames)
    assert frames() == 3


def test_a_fetch_that_was_killed_is_taken_up_again(runs, tmp_path, monkeypatch):
    """What ``report.py`` takes for a job's files is all of them."""
    monkeypatch.setattr(labels, "remove_leftovers", lambda: None)  # it asks Docker
    home = tmp_path / "home"
    (home / "job/output/intermediate/gifs").mkdir(parents=True)
    for name in ("metadata.json", "gifs/episode-1.csv"):
        (home / "job/output/intermediate" / name).write_text(name)
    (home / "job/output/output.tar.gz").write_bytes(packed(trial="1"))
    job = records.JobRecord(
        {"OutputDataConfig": {"S3OutputPath": f"file://{home}"}}, "arn", records.now(), "process", "Completed"
    )
    job.add_transition("Completed")
    records.create(TRAINING_JOBS, "job", job)

    def files() -> list[str] | None:
        folder = runs / "job"
        if not (folder / "output").is_dir() or not report.has_ended(folder):
            return None
        return sorted(str(path.relative_to(folder)) for path in folder.rglob("[!.]*") if path.is_file())

    check(runs, lambda: report_script.fetch("job", LocalClients()), files)
    there = ["description.json", "output/data/trial", "output/intermediate/gifs/episode-1.csv"]
    assert files() == [*there, "output/intermediate/metadata.json"]
