"""The serving container with little memory: bodies that take all there is cost it no process 1."""

import pytest
from floods import body_without_its_last_byte, chunks_without_end
from memory_limits import LARGE_BODY_MEGABYTES, ask, faults_under_flood, large_request, limited


@pytest.mark.parametrize(
    ("limit", "workers", "kind"), [("256m", 2, chunks_without_end), ("512m", 8, body_without_its_last_byte)]
)
def test_bodies_that_do_not_end_cost_no_first_process(engine, built, ppo_job, limit, workers, kind):
    with limited(engine, built["serving"].name, ppo_job.ml / "model", limit, workers) as running:
        assert faults_under_flood(running, kind, 10) == []
        assert running.fault() == ""


def test_the_largest_body_is_answered(engine, built, ppo_job):
    model = ppo_job.ml / "model"
    with limited(engine, built["serving"].name, model, "1g", 2, SAGEMAKER_MAX_PAYLOAD_IN_MB="200") as running:
        answer = ask(running, large_request(LARGE_BODY_MEGABYTES))
        assert answer.status == 200, answer.body
        assert running.fault() == ""
