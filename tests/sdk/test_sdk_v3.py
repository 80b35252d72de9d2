"""docs/sdk.md, version 3: each snippet as a user pastes it, by the real SDK on the real images; and its own script.

With a source, the SDK's script is the container's first process, in the place of the image's entry point.
"""

import json
import shutil
import subprocess
import tarfile

import pytest
from containers import HOST, wait_for_line
from jobs import CONTAINER_SRC, PPO, SHORT_PPO, write_inputs
from sagemaker_rl.policy.artifact import Policy

SCRIPT = """
from pathlib import Path
from sagemaker.train import constants, container_drivers, templates
print(json.dumps({
    "drivers": str(Path(container_drivers.__file__).parent),
    "entrypoint": constants.DEFAULT_CONTAINER_ENTRYPOINT + constants.DEFAULT_CONTAINER_ARGUMENTS,
    "name": constants.TRAIN_SCRIPT,
    "script": templates.TRAIN_SCRIPT_TEMPLATE.format(
        working_dir=f"cd {constants.SM_CODE_CONTAINER_PATH}",
        install_requirements="",
        execute_driver=templates.EXECUTE_BASIC_SCRIPT_DRIVER,
    ),
}))
"""
"""What the SDK starts a container with, in its own words."""


LIMITS = "What version 3 does not do"
CODE = """
import boto3
from sagemaker.train.configs import InputData

s3 = boto3.client("s3")
s3.create_bucket(Bucket="mine", CreateBucketConfiguration={"LocationConstraint": s3.meta.region_name})
s3.put_object(Bucket="mine", Key="certificates/company.pem", Body=b"a certificate")
Path("other").mkdir()
program = "print(open('/opt/ml/input/data/certificates/company.pem').read()); raise OSError('of its own')"
Path("other/program.py").write_text(program)
trainer.local_container_root = str(Path("runs/other").resolve())
Path(trainer.local_container_root).mkdir()
trainer.source_code = SourceCode(source_dir="other", entry_script="program.py")
try:
    trainer.WITH_CERTIFICATES
except RuntimeError as error:
    failed = str(error)
failure = Path("runs/other/artifacts/output/failure").read_text()
"""


@pytest.fixture(scope="module")
def ran(walk, with_certificates):
    call = with_certificates["SDK 3"].replace("BUCKET", "mine")
    return walk("v3", "Version 3", (LIMITS, CODE.replace("WITH_CERTIFICATES", call)))


def test_the_image_trains_without_and_with_a_source(ran, tmp_path):
    for heading, folder in (("Version 3", "sdk"), ("With a source", "sdk-source")):
        assert ran[heading] is not None
        artifacts = ran.folder / "runs" / folder / "compressed_artifacts"
        for name in ("model", "output"):
            with tarfile.open(artifacts / f"{name}.tar.gz") as archive:
                archive.extractall(tmp_path / folder / name, filter="data")
        assert Policy.load(tmp_path / folder / "model").description["preset"] == PPO
        assert (tmp_path / folder / "output/data/report.html").is_file()
    assert ran.logs["With a source"].count("Report> Saved in=") == 1


def test_a_program_that_is_no_launcher_gets_the_sdks_own_failure_file(ran):
    values, log = ran[LIMITS], ran.logs[LIMITS]
    assert "a certificate" in log
    assert "OSError: of its own" in log
    assert "program.py" in values["failure"]
    assert "CalledProcessError" in values["failure"]
    assert "of its own" not in values["failure"] + values["failed"]


@pytest.fixture(scope="module")
def sdks_script(python_of_sdk):
    done = subprocess.run([python_of_sdk("v3"), "-c", "import json\n" + SCRIPT], capture_output=True, check=True)
    return json.loads(done.stdout)


@pytest.fixture
def start_with_source(sdks_script, engine, built, tmp_path):
    """Start a container as the SDK does for a job with this project's entry point as its source."""
    started = []

    def start(**hyperparameters):
        write_inputs(tmp_path, hyperparameters, host=HOST)
        config = tmp_path / "input/config/resourceconfig.json"
        names = {"network_interface_name": "eth0", "current_instance_type": "local"}
        config.write_text(json.dumps({**json.loads(config.read_text()), **names}))
        drivers, code = tmp_path / "input/data/sm_drivers", tmp_path / "input/data/code"
        shutil.copytree(sdks_script["drivers"], drivers)
        (drivers / sdks_script["name"]).write_text(sdks_script["script"])
        (drivers / "sourcecode.json").write_text(json.dumps({"entry_script": "train-coach.py"}))
        code.mkdir()
        shutil.copy(CONTAINER_SRC / "train-coach.py", code)
        (tmp_path / "output/data").mkdir(parents=True)
        container = engine.containers.run(
            built["training"].name,
            entrypoint=sdks_script["entrypoint"],
            volumes={str(tmp_path): {"bind": "/opt/ml", "mode": "rw"}},
            environment={"TRAINING_JOB_NAME": "stopped"},
            network_mode="none",
            detach=True,
        )
        started.append(container)
        return container

    yield start
    for container in started:
        container.remove(force=True)


def test_a_request_to_stop_reaches_the_launcher_below_the_sdks_script(start_with_source, tmp_path):
    container = start_with_source(**{**SHORT_PPO, "improve_steps": "10000000"})
    wait_for_line(container, "Training>")
    container.stop(timeout=60)
    container.reload()
    log = container.logs().decode()
    assert container.attrs["State"]["ExitCode"] == 0, log
    assert "Stopped by SIGTERM after" in log
    Policy.load(tmp_path / "model")
    assert (tmp_path / "output/data/checkpoint/.coach_checkpoint").is_file()
    assert (tmp_path / "output/data/report.html").is_file()


def test_a_mistake_below_the_sdks_script_ends_in_the_failure_file_and_in_a_report(start_with_source, tmp_path):
    container = start_with_source(**{**SHORT_PPO, "discount": "1.5"})
    assert container.wait(timeout=120)["StatusCode"] == 1
    reason = "Hyperparameter discount is 1.5, expected a number between 0 and 1."
    assert (tmp_path / "output/failure").read_text() == reason
    assert reason in (tmp_path / "output/data/report.html").read_text()
