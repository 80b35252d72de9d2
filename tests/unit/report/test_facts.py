"""The table of what ran."""

import json

from job_folders import change_job, render_text
from sagemaker_rl.report.facts import list_facts
from sagemaker_rl.report.run import Run


def facts_of(folder):
    return ", ".join(map(" ".join, list_facts(Run.read(folder))))


def test_it_says_what_ran_and_marks_what_was_changed(folder):
    text = render_text(folder)
    for expected in ("a-preset", "the-image", "ClippedPPO", "Seed 3", "Steps per second 250", "mxnet 1.9.1"):
        assert expected in text, expected
    assert "discount 0.9 1.0 changed" in text
    assert "gae_lambda 0.997 0.997 " in text
    assert text.count("changed ") == 1 + text.count("changed from the preset")


def test_what_sagemaker_knows_is_shown(folder):
    description = {
        "TrainingJobStatus": "Completed",
        "AlgorithmSpecification": {"TrainingImage": "1.dkr.ecr/x@sha256:0"},
        "BillableTimeInSeconds": 77,
        "ResourceConfig": {"InstanceType": "ml.c5.xlarge", "InstanceCount": 2},
    }
    (folder / "description.json").write_text(json.dumps(description))
    text = facts_of(folder)
    for expected in ("1.dkr.ecr/x@sha256:0", "77 s", "2 of ml.c5.xlarge"):
        assert expected in text


def test_an_image_that_did_not_run_is_not_shown(folder):
    description = {"AlgorithmSpecification": {"TrainingImage": "an-image-of-docker"}}
    (folder / "description.json").write_text(json.dumps(description))
    assert "an-image-of-docker" in facts_of(folder)
    change_job(folder, image="none: processes on this machine")
    text = facts_of(folder)
    assert "an-image-of-docker" not in text
    assert "none: processes on this machine" in text


def test_an_evaluation_says_how_long_it_took(folder):
    (folder / "output/data/evaluation.json").write_text('{"mean_return": 1, "episodes": 3, "seconds": 12.34}')
    assert "Duration of evaluation 12.3 s" in facts_of(folder)
