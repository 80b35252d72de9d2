"""Hosts of a job as containers see them: keys, and others that do not come up."""

import re

from containers import start_train
from jobs import write_inputs


def test_a_host_that_never_comes_up_is_waited_for_with_a_limit(run, tmp_path):
    write_inputs(tmp_path, {"sagemaker_mpi_enabled": "true"}, host="algo-1", hosts=["algo-1", "algo-2"])
    environment = {"SAGEMAKER_RL_HOSTS_TIMEOUT": "17", "TRAINING_JOB_ARN": "arn:one"}
    container = start_train(run, tmp_path, environment=environment)
    assert container.wait(timeout=60)["StatusCode"] == 1
    log = container.logs().decode()
    assert re.search(r"^Hosts> Waiting for=algo-2, Seconds=1[56], At most=17$", log, re.MULTILINE), log
    failure = (tmp_path / "output/failure").read_text()
    assert failure == "Host algo-2 has not come up within 17 s (SAGEMAKER_RL_HOSTS_TIMEOUT); the job ends."
    assert "Traceback" not in log


def test_no_key_is_in_the_image_and_no_sshd_runs_in_a_job_of_one_host(run):
    find = r"find / -xdev \( -name 'ssh_host_*' -o -name 'id_*' -o -name '*.pem' -o -name job_host_key \) -type f"
    container = run("training", ["-c", f"{find} -not -path '*/site-packages/*'"], entrypoint=["sh"])
    assert container.wait(timeout=60)["StatusCode"] == 0
    assert container.logs().decode() == ""
