"""A project as people wrote them for AWS's Coach image, in the real images: trained, evaluated, served.

Its programs import ``rl_coach`` first, in an image without SciPy, and bring a package ``sagemaker_rl`` along that must
not be imported.
"""

import json
import shutil

import httpx
import numpy as np
from containers import script_mode
from jobs import ROOT, wait_until_healthy
from sagemaker_rl.policy.artifact import Policy

RESOURCES = ROOT / "tests/resources"
PROJECT = RESOURCES / "aws_style_project"


def test_the_project_trains_is_evaluated_and_served(train, run, tmp_path):
    trained, evaluated = tmp_path / "training", tmp_path / "evaluation"
    steps = {"gamma": "0.9", "steps_per_training": "400", "total_steps": "800", "seed": "1"}
    job = train(trained, script_mode(trained, PROJECT, "train-coach.py", **steps))
    assert job.status == 0, job.log
    assert "Package> sagemaker_rl=/opt/mountain-car/sagemaker_rl, In the place of=/opt/ml/code/sagemaker_rl" in job.log
    changes = dict(json.loads((trained / "output/data/checkpoint/checkpoint.json").read_text())["changes"])
    assert changes["rl.steps_between_evaluation_periods:EnvironmentSteps"] == 800  # tied to steps_per_training

    given = script_mode(evaluated, PROJECT, "evaluate-coach.py", evaluate_steps="100")
    shutil.copytree(trained / "output/data/checkpoint", evaluated / "input/data/checkpoint")
    job = train(evaluated, given)
    assert job.status == 0, job.log
    assert json.loads((evaluated / "output/data/evaluation.json").read_text())["episodes"] == 3

    handler = (RESOURCES / "onnx_handler/deploy-mxnet-coach.py", "the model holds no ONNX file")
    launcher = (PROJECT / "train-coach.py", "it defines none of model_fn")  # as RLEstimator.deploy() ships it
    heads = Policy.load(trained / "model").heads(np.array([[0.2, 0.0]], dtype=np.float32))
    for program, reason in (handler, launcher):
        model = shutil.copytree(trained / "model", tmp_path / program.stem)
        (model / "code").mkdir()
        shutil.copy(program, model / "code")
        container, url = serve(run, model, program.name)
        value, action = httpx.post(f"{url}/invocations", json=[0.2, 0.0]).json()
        assert np.allclose(value, heads[0], atol=1e-5)
        assert np.allclose(action, heads[1], atol=1e-5)
        assert f"code/{program.name} is not run: {reason}" in container.logs().decode()


def serve(run, model, program: str):
    """Start an endpoint of the model; return its container and its URL."""
    container = run(
        "serving",
        "serve",
        volumes={str(model): {"bind": "/opt/ml/model", "mode": "ro"}},
        environment={"SAGEMAKER_PROGRAM": program},
        ports={"8080/tcp": ("127.0.0.1", None)},
    )
    container.reload()
    url = f"http://127.0.0.1:{container.ports['8080/tcp'][0]['HostPort']}"
    wait_until_healthy(url, lambda: container.reload() or container.status == "running")
    return container, url
