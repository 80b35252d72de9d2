"""tune.py against a local AWS server, and on this machine: the request, mistakes, following, stopping, the report."""

import json
import re
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
from jobs import ROOT, SHORT_PPO
from launch.project import TAG
from launch.sagemaker import tuning_following
from local_aws import ACCOUNT, REGION, assert_valid, put_images, requests_of
from local_machine import a_machine, flags
from timeline import given, state

pytest_plugins = ("local_machine", "timeline")

IMAGE = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/mountain-car-training:1"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/given"
GIVEN = ("--image", IMAGE, "--role", ROLE)
DISCOUNT = ("--range", "discount=0.99:0.9999:reverse-log")
CUSTOM = ROOT / "tests/resources/custom_environment"
PROGRAM = """
import os, pathlib, sys, time
given = dict(zip(sys.argv[1::2], sys.argv[2::2]))
assert list(given) == ["--rate"], given
print(f"Evaluation> Evaluation reward={given['--rate']}", flush=True)
time.sleep(300)
"""
"""A user's own, which is given the tuned hyperparameter, not the name of the objective."""


def test_every_flag_sets_its_field(script, tmp_path):
    ranges = tmp_path / "ranges.json"
    minibatch = {"Name": "training_epochs", "MinValue": "2", "MaxValue": "20"}
    ranges.write_text(json.dumps({"IntegerParameterRanges": [minibatch]}))
    done = script(
        "tune.py",
        *(*GIVEN, "--dry-run", "--job-name", "t", "--bucket", "b-1", "--tag", "team=rl"),
        *("--range", "training_learning_rate=1e-5:1e-2:log", "--integer-range", "training_batch_size=64:4096"),
        *("--choices", "seed=1,2,3", "--ranges", str(ranges)),
        *("--objective", "loss-evaluation", "--strategy", "Random", "--max-jobs", "8", "--max-parallel-jobs", "3"),
        *("--early-stopping", "Auto", "--random-seed", "5"),
        *("--warm-start", "a", "b", "--warm-start-type", "TransferLearning"),
        *("-p", "seed=4", "-p", "discount=0.99", "--spot", "--max-wait", "7200", "--instance-count", "2"),
        *("--processes-per-host", "2", "--source-dir", str(CUSTOM), "--entry-point", "train-coach.py"),
    )
    (request,) = requests_of(done).values()
    assert_valid("CreateHyperParameterTuningJob", request)
    definition = request.pop("TrainingJobDefinition")
    assert request == {
        "HyperParameterTuningJobName": "t",
        "HyperParameterTuningJobConfig": {
            "Strategy": "Random",
            "HyperParameterTuningJobObjective": {"Type": "Minimize", "MetricName": "loss-evaluation"},
            "ResourceLimits": {"MaxNumberOfTrainingJobs": 8, "MaxParallelTrainingJobs": 3},
            "ParameterRanges": {
                "IntegerParameterRanges": [
                    minibatch,
                    {"Name": "training_batch_size", "MinValue": "64", "MaxValue": "4096", "ScalingType": "Auto"},
                ],
                "ContinuousParameterRanges": [
                    {
                        "Name": "training_learning_rate",
                        "MinValue": "1e-5",
                        "MaxValue": "1e-2",
                        "ScalingType": "Logarithmic",
                    }
                ],
                "CategoricalParameterRanges": [{"Name": "seed", "Values": ["1", "2", "3"]}],
            },
            "TrainingJobEarlyStoppingType": "Auto",
            "RandomSeed": 5,
        },
        "WarmStartConfig": {
            "ParentHyperParameterTuningJobs": [
                {"HyperParameterTuningJobName": "a"},
                {"HyperParameterTuningJobName": "b"},
            ],
            "WarmStartType": "TransferLearning",
        },
        "Tags": [TAG, {"Key": "team", "Value": "rl"}],
    }
    assert definition.pop("Environment").keys() == {"SAGEMAKER_RL_SSH_SECRET"}
    metrics = definition["AlgorithmSpecification"].pop("MetricDefinitions")
    assert "loss-evaluation" in [metric["Name"] for metric in metrics]
    assert definition.pop("InputDataConfig")[0]["DataSource"]["S3DataSource"]["S3Uri"] == "s3://b-1/t/source"
    assert definition == {
        "StaticHyperParameters": {  # without seed, which is tuned
            "discount": "0.99",
            "sagemaker_mpi_enabled": "true",
            "sagemaker_mpi_num_of_processes_per_host": "2",
            "sagemaker_program": "train-coach.py",
            "sagemaker_submit_directory": "/opt/ml/input/data/code/sourcedir.tar.gz",
            "sagemaker_s3_output": "s3://b-1",
        },
        "AlgorithmSpecification": {"TrainingImage": IMAGE, "TrainingInputMode": "File"},
        "RoleArn": ROLE,
        "OutputDataConfig": {"S3OutputPath": "s3://b-1"},
        "ResourceConfig": {"InstanceType": "ml.c5.xlarge", "InstanceCount": 2, "VolumeSizeInGB": 10},
        "StoppingCondition": {"MaxRuntimeInSeconds": 3600, "MaxWaitTimeInSeconds": 7200},
        "EnableManagedSpotTraining": True,  # without checkpoints, which the training jobs would share
    }


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ((), "There is nothing to tune, expected --range, --integer-range, --choices or --ranges."),
        (("--range", "discount"), "--range: 'discount' is no NAME=MIN:MAX or NAME=MIN:MAX:SCALING, SCALING auto, "),
        ((*DISCOUNT, "--warm-start", "nobody"), "--warm-start: there is no tuning job 'nobody' in region eu-west-1."),
        ((*DISCOUNT, "--warm-start", "parent"), "--warm-start: the objective of parent is {'Type': 'Maximize', 'Metr"),
        ((*DISCOUNT, "--image", IMAGE.replace(":1", ":2")), "mountain-car-training:2: push one with"),
        ((*DISCOUNT, *[part for n in range(100) for part in ("-p", f"x{n}=1")]), "There are 102 hyperparameters,"),
    ],
)
def test_a_mistake_is_one_sentence_and_nothing_is_created(script, aws, arguments, sentence):
    """More of them: tests/unit/launch/test_tuning_requests.py."""
    put_images(aws)
    if "parent" in arguments:
        done = script("tune.py", *GIVEN, *DISCOUNT, "--job-name", "parent", "--objective", "reward-testing")
        assert done.returncode == 0, done.stderr
    before = aws.client("s3").list_buckets()["Buckets"]
    done = script("tune.py", *GIVEN, *arguments)
    assert done.returncode == 2, done.stdout
    assert sentence in done.stderr
    assert len(done.stderr.splitlines()) == 1
    summaries = aws.client("sagemaker").list_hyper_parameter_tuning_jobs()["HyperParameterTuningJobSummaries"]
    assert len(summaries) == ("parent" in arguments)
    assert aws.client("s3").list_buckets()["Buckets"] == before


def training_job(number: int, status: str, value: float | None = None, **fields: object) -> dict[str, object]:
    metric = {"Type": "Maximize", "MetricName": "reward-evaluation", "Value": value}
    return {
        "TrainingJobName": f"t-00{number}",
        "TrainingJobArn": f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:training-job/t-00{number}",
        "CreationTime": 1.0,
        "TrainingJobStatus": status,
        "TunedHyperParameters": {"discount": f"0.99{number}11111111"},
        **({"FinalHyperParameterTuningJobObjectiveMetric": metric} if value is not None else {}),
        **fields,
    }


def test_a_tuning_job_is_followed_to_its_best(script, aws, timeline, monkeypatch):
    """The training jobs that SageMaker would create are there, as moto has them; of their files there are none."""
    put_images(aws)
    for number in (1, 2, 3):
        assert script("train.py", *GIVEN, "--job-name", f"t-00{number}").returncode == 0
    monkeypatch.setattr(tuning_following, "SECONDS_OF_SILENCE", 0)
    started, failed = training_job(1, "InProgress"), training_job(2, "Failed", FailureReason="AlgorithmError: x")
    first, best = training_job(1, "Completed", 12.25), training_job(3, "Completed", 98.5)
    running = state(HyperParameterTuningJobStatus="InProgress", BestTrainingJob=None)
    ended = state(HyperParameterTuningJobStatus="Completed", BestTrainingJob=best)
    timeline.answers("DescribeHyperParameterTuningJob", running, running, running, ended, ended)
    lists = ([started], [started], [first, failed], [first, failed, best])
    timeline.answers(
        "ListTrainingJobsForHyperParameterTuningJob", *[given(TrainingJobSummaries=jobs) for jobs in lists]
    )
    done = script("tune.py", *GIVEN, *DISCOUNT, "--job-name", "t", "--max-jobs", "3", "--wait")
    assert done.returncode == 0, done.stderr
    report = Path(aws.environment["RL_RUNS"]) / "t/report.html"
    assert re.sub(r"for \d+ s", "for N s", done.stdout).splitlines() == [
        "Created tuning job t",
        "t-001 InProgress: discount=0.991111",
        "InProgress for N s: 0 of 3 training jobs have ended",
        "t-001 Completed: reward-evaluation 12.25, discount=0.991111"
        " (2 of 3 training jobs have ended, the best so far 12.25 of t-001)",
        "t-002 Failed: discount=0.992111: AlgorithmError: x"
        " (2 of 3 training jobs have ended, the best so far 12.25 of t-001)",
        "t-003 Completed: reward-evaluation 98.5, discount=0.993111"
        " (3 of 3 training jobs have ended, the best so far 98.5 of t-003)",
        "Completed: 3 training jobs",
        "  reward-evaluation  status     discount  training job",
        "  98.5               Completed  0.993111  t-003",
        "  12.25              Completed  0.991111  t-001",
        "                     Failed     0.992111  t-002",
        *[f"Fetching the files of t-00{number}" for number in (3, 1, 2)],
        f"Report: {report}",
        "Best: t-003, reward-evaluation 98.5, discount=0.993111",
        "Deploy the best: python scripts/deploy.py t",
    ]
    page = report.read_text()
    assert page.index("t-003") < page.index("t-001") < page.index("t-002")

    aws.client("s3").put_object(Bucket=f"sagemaker-{REGION}-{ACCOUNT}", Key="t-003/output/model.tar.gz", Body=b"x")
    serving = ("--image", IMAGE.replace("training", "serving"), "--role", ROLE)
    requests = requests_of(script("deploy.py", *serving, "--dry-run", "t"))
    archive = requests["CreateModel"]["PrimaryContainer"]["ModelDataUrl"]
    assert archive == f"s3://sagemaker-{REGION}-{ACCOUNT}/t-003/output/model.tar.gz"

    timeline.answers("DescribeHyperParameterTuningJob", state(BestTrainingJob=None), running)
    timeline.answers("StopHyperParameterTuningJob", given())
    none = script("deploy.py", *serving, "--dry-run", "t")
    assert none.stderr == "Error: Tuning job t is Completed and has no best training job, expected one that has.\n"
    assert script("stop.py", "t").stdout == "Tuning job t is being stopped.\n"
    assert timeline.of("StopHyperParameterTuningJob") == [{"HyperParameterTuningJobName": "t"}]
    assert re.search(r"^tuning job +t +Completed", script("list.py", "--name-contains", "t").stdout, re.MULTILINE)


def test_a_grid_on_this_machine_with_one_value_that_fails(script, aws):
    """The container takes what SageMaker adds to a tuning job's hyperparameters, and reports the objective."""
    machine = a_machine("process", script, aws)
    given_to_all = flags({**SHORT_PPO, "improve_steps": "8000", "evaluation_freq_env_steps": "8000"})
    choices = ("--strategy", "Grid", "--choices", "discount=1.5,0.99")
    done = machine("tune.py", "--local", "--job-name", "t", *choices, *given_to_all, "--wait")
    assert done.returncode == 0, done.stdout + done.stderr
    rows = done.stdout.partition("Completed: 2 training jobs\n")[2].splitlines()
    header, best, failed = (row.split() for row in rows[:3])
    assert header == ["reward-evaluation", "status", "discount", "training", "job"]
    assert done.stdout.splitlines()[-2:] == [
        f"Best: {best[3]}, reward-evaluation {best[0]}, discount=0.99",
        "Deploy the best: python scripts/deploy.py --local t",
    ]
    assert best[1:3] == ["Completed", "0.99"]
    assert failed[:2] == ["Failed", "1.5"]
    assert re.fullmatch(r"t-002-[0-9a-f]{8}", best[3])
    hyperparameters = machine.record(best[3])["request"]["HyperParameters"]
    assert hyperparameters["_tuning_objective_metric"] == "reward-evaluation"
    assert "discount=1.5: AlgorithmError: Hyperparameter discount is 1.5, expected a number between" in done.stdout
    page = (machine.runs / "t/report.html").read_text()
    assert '<th scope="col">reward-evaluation</th>' in page
    assert f"<td>{float(best[0]):.2f}</td>" in page

    (request, *_) = json.loads(machine("deploy.py", "--local", "--dry-run", "t").stdout)
    assert f"/{best[3]}/output/model.tar.gz" in request["CreateModel"]["PrimaryContainer"]["ModelDataUrl"]
    assert machine("tune.py", "--local", "--job-name", "t", *choices).returncode == 2  # the name is taken
    machine.wait(lambda: machine.left_running() == [], 10)


def test_a_tuning_job_outlives_its_script_and_a_killed_training_job_and_is_stopped(script, aws, tmp_path):
    machine = a_machine("process", script, aws)
    (tmp_path / "source").mkdir()
    (tmp_path / "source/own.py").write_text(PROGRAM)
    command = [sys.executable, str(ROOT / "scripts/tune.py"), "--local", "--job-name", "t", "--range", "rate=1:2"]
    process = subprocess.Popen(
        [*command, "--source-dir", str(tmp_path / "source"), "--entry-point", "own.py", "--max-jobs", "9", "--wait"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
        env=machine.environment,
        start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )

    def running() -> list[str]:
        folder = machine.runs / ".local/training-jobs"
        names = sorted(path.name for path in folder.glob("t-*")) if folder.is_dir() else []
        return [name for name in names if "Evaluation> " in machine.log_of(name)]

    machine.wait(lambda: len(running()) == 2)  # as many as --max-parallel-jobs says by default
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Tuning job t goes on." in out
    killed = running()[0]
    runner = (machine.runs / ".local/training-jobs" / killed / "runner").read_text().partition(":")[0]
    (program,) = (each for each in psutil.Process(int(runner)).children(recursive=True) if "own.py" in each.cmdline())
    program.kill()
    machine.wait(lambda: len(running()) == 3)
    assert machine("stop.py", "--local", "t").returncode == 0
    done = machine("fetch.py", "--local", "t")
    assert "Stopped: 3 training jobs" in done.stdout, done.stderr
    assert machine.record(killed)["status"] == "Failed"
    assert [machine.record(name)["status"] for name in running() if name != killed] == ["Stopped", "Stopped"]
    assert done.stdout.splitlines()[-1].startswith("Best: t-00")  # what was stopped has an objective
    machine.wait(lambda: machine.left_running() == [], 10)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (
            ("--strategy", "Bayesian"),
            "JobConfig.Strategy is 'Bayesian', expected 'Random' or 'Grid'",
        ),
        (("--early-stopping", "Auto"), "TrainingJobEarlyStoppingType is 'Auto', expected 'Off'"),
        (("--network-isolation",), "EnableNetworkIsolation needs a Docker engine"),
    ],
)
def test_what_this_machine_cannot_do_is_refused(script, aws, arguments, sentence):
    machine = a_machine("process", script, aws)
    done = machine("tune.py", "--local", *DISCOUNT, *arguments)
    assert done.returncode == 2, done.stdout
    assert sentence in done.stderr
    assert not (machine.runs / ".local/tuning-jobs").exists()
