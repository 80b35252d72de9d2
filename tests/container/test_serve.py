"""``docker run IMAGE serve`` as SageMaker does it."""

import json
import os
import shutil
import subprocess
import time

import httpx
import numpy as np
import pytest
from jobs import ROOT, wait_until_healthy
from sagemaker_rl.policy.artifact import Policy

SAMPLES = [[0.5, -0.5], [-0.5, 0.5]]


@pytest.fixture
def endpoint(run, ppo_job):
    model = {str(ppo_job.ml / "model"): {"bind": "/opt/ml/model", "mode": "ro"}}

    def start(**options):
        container = run("serving", "serve", volumes=model, ports={"8080/tcp": ("127.0.0.1", None)}, **options)
        container.reload()
        url = f"http://127.0.0.1:{container.ports['8080/tcp'][0]['HostPort']}"
        wait_until_healthy(url, lambda: container.reload() or container.status == "running")
        return container, url

    return start


def test_it_answers_as_the_artifact_does(endpoint, ppo_job):
    _, url = endpoint()
    output = httpx.post(f"{url}/invocations", json=SAMPLES).json()
    heads = Policy.load(ppo_job.ml / "model").heads(np.array(SAMPLES, dtype=np.float32))
    assert np.allclose(output, heads, atol=1e-6)


def test_it_binds_to_the_port_that_sagemaker_names(run, ppo_job, engine):
    model = {str(ppo_job.ml / "model"): {"bind": "/opt/ml/model", "mode": "ro"}}
    container = run(
        "serving",
        "serve",
        volumes=model,
        environment={"SAGEMAKER_BIND_TO_PORT": "9191"},
        ports={"9191/tcp": ("127.0.0.1", None)},
    )
    container.reload()
    url = f"http://127.0.0.1:{container.ports['9191/tcp'][0]['HostPort']}"
    wait_until_healthy(url, lambda: True)
    label = "com.amazonaws.sagemaker.capabilities.accept-bind-to-port"
    assert container.image.labels[label] == "true"


def test_sigterm_counts_before_the_server_is_ready(run, ppo_job):
    """As process 1 it has to handle the signal itself, from the start."""
    container = run("serving", "serve", volumes={str(ppo_job.ml / "model"): {"bind": "/opt/ml/model", "mode": "ro"}})
    time.sleep(0.5)
    asked = time.monotonic()
    container.stop(timeout=30)
    assert time.monotonic() - asked < 5
    container.reload()
    assert container.attrs["State"]["ExitCode"] == 0


def test_without_a_model_it_ends_with_the_reason(run):
    container = run("serving", "serve")
    assert container.wait(timeout=20)["StatusCode"] == 1
    assert "Error: There is no policy.json in /opt/ml/model" in container.logs().decode()


def test_local_test_scripts(built, ppo_job, tmp_path):
    """The BYOC convention's scripts, on a copy of their folder."""
    folder = shutil.copytree(ROOT / "local_test", tmp_path / "local_test")
    hyperparameters = folder / "test_dir/input/config/hyperparameters.json"
    short = {**json.loads(hyperparameters.read_text()), "improve_steps": "500", "training_freq_env_steps": "500"}
    hyperparameters.write_text(json.dumps({**short, "training_batch_size": "100"}))
    subprocess.run([folder / "train_local.sh", "mountain-car-training"], check=True, capture_output=True)
    assert (folder / "test_dir/model/policy.json").is_file()
    port = "18491"
    with subprocess.Popen(
        [folder / "serve_local.sh", "mountain-car-serving"],
        env={**os.environ, "PORT": port},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as server:
        wait_until_healthy(f"http://127.0.0.1:{port}", lambda: server.poll() is None)
        answers = []
        for payload, content_type in (
            ("batch.json", "application/json"),
            ("batch.csv", "text/csv"),
            ("batch.npy", "application/x-npy"),
        ):
            command = [folder / "predict.sh", folder / "payloads" / payload, content_type]
            done = subprocess.run(command, env={**os.environ, "PORT": port}, check=True, capture_output=True)
            answers.append(json.loads(done.stdout))
        server.terminate()
        server.wait(20)
    assert np.allclose(answers[0], answers[1], atol=1e-6)
    assert np.allclose(answers[0], answers[2], atol=1e-6)
    assert np.array(answers[0]).shape == (3, 2, 1)


@pytest.mark.slow
def test_the_demo_in_the_images(built, tmp_path):
    import sys

    command = [sys.executable, str(ROOT / "scripts/demo.py"), "--engine", "docker", "--runs", str(tmp_path)]
    command += ["--seed", "1", "-p", "improve_steps=262144"]  # all of it, as processes, is a command of the README
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    summary = json.loads((tmp_path / "latest/summary.json").read_text())
    assert summary["engine"] == "docker"
    assert summary["mean_return"] >= 95
