"""The table of what ran."""

import pytest
from job_folders import change_job
from sagemaker_rl.report.facts import list_facts
from sagemaker_rl.report.run import Run

DESCRIPTION = {
    "TrainingJobStatus": "Completed",
    "AlgorithmSpecification": {"TrainingImage": "1.dkr.ecr/x@sha256:0"},
    "BillableTimeInSeconds": 77,
    "ResourceConfig": {"InstanceType": "ml.c5.xlarge", "InstanceCount": 2},
}


def test_everything_that_is_known_is_said_in_order():
    job = {
        "preset": "a-preset",
        "environment": "own:Own",
        "algorithm": "ClippedPPO",
        "path": "stock Coach: accelerate is 0",
        "image": "an-image",
        "git_revision": "c0ffee",
        "seed": 3,
        "versions": {"mxnet": "of the job"},
    }
    metadata = {
        "preset": "another",
        "git_revision": "another",
        "seed": 4,
        "train_seconds": 4.25,
        "environment_steps": 12_345,
        "episodes": 40,
        "training_iterations": 5,
        "policy_steps": 6_000,
        "versions": {"mxnet": "1.9.1", "numpy": "1.23.5"},
    }
    run = Run("a-job", job=job, metadata=metadata, description=DESCRIPTION, evaluation={"seconds": 1212.34})
    assert list_facts(run) == [
        ("Job", "a-job"),
        ("Status", "Completed"),
        ("Preset", "a-preset"),
        ("Environment", "own:Own"),
        ("Algorithm", "ClippedPPO"),
        ("Path", "stock Coach: accelerate is 0"),
        ("Image", "1.dkr.ecr/x@sha256:0"),
        ("Instances", "2 of ml.c5.xlarge"),
        ("Git revision", "c0ffee"),
        ("Seed", "3"),
        ("Duration of training", "4.2 s"),
        ("Duration of evaluation", "1,212.3 s"),
        ("Billed", "77 s"),
        ("Environment steps", "12,345"),
        ("Steps per second", "2,905"),
        ("Episodes", "40"),
        ("Trainings", "5"),
        ("Policy kept is of step", "6,000"),
        ("Versions", "mxnet 1.9.1, numpy 1.23.5"),
    ]


@pytest.mark.parametrize(
    ("known", "facts"),
    [
        ({}, {}),
        ({"job": {"image": "an-image"}}, {"Image": "an-image"}),
        ({"job": {"image": "none: a process"}, "description": {"AlgorithmSpecification": {"TrainingImage": "x"}}},
         {"Image": "none: a process"}),
        ({"metadata": {"preset": "m"}, "evaluation": {"preset": "e"}}, {"Preset": "m"}),
        ({"evaluation": {"preset": "e", "seconds": "x"}}, {"Preset": "e"}),
        ({"metadata": {"git_revision": "m", "seed": 0}}, {"Git revision": "m", "Seed": "0"}),
        ({"job": {"seed": None}, "metadata": {"seed": 4}}, {"Seed": "none: random"}),
        ({"job": {"versions": {"a": "1"}}}, {"Versions": "a 1"}),
        ({"job": {"versions": "1.9"}}, {"Versions": "1.9"}),
        ({"metadata": {"environment_steps": 7}}, {"Environment steps": "7"}),
        ({"metadata": {"environment_steps": "7", "train_seconds": 2}},
         {"Environment steps": "7", "Duration of training": "2.0 s"}),
        ({"metadata": {"environment_steps": 7, "train_seconds": 0}},
         {"Environment steps": "7", "Duration of training": "0.0 s"}),
        ({"metadata": {"policy_steps": 0, "train_seconds": "2"}}, {"Policy kept is of step": "0"}),
        ({"description": {"ResourceConfig": {"InstanceType": "local"}}}, {"Instances": "1 of local"}),
        ({"description": {"ResourceConfig": {"InstanceCount": 2}, "BillableTimeInSeconds": 0}}, {}),
        ({"description": {"ResourceConfig": 3, "AlgorithmSpecification": ["x"]}}, {}),
    ],
)  # fmt: skip
def test_what_is_not_known_is_left_out(known, facts):
    run = Run("a-job", **known)
    status = "Completed" if run.evaluation else "Nothing is known of its end"
    assert dict(list_facts(run)) == {"Job": "a-job", "Status": status, **facts}


def test_an_image_that_did_not_run_is_not_shown(folder):
    change_job(folder, image="none: processes on this machine")
    facts = dict(list_facts(Run.read(folder)))
    assert facts["Image"] == "none: processes on this machine"
    assert facts["Versions"] == "mxnet 1.9.1"
