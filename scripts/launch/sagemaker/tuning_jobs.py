"""Tuning jobs: creating one. ``tuning_following`` looks at them, and follows one to its end.

https://docs.aws.amazon.com/sagemaker/latest/dg/automatic-model-tuning-monitor.html
"""

import argparse
from typing import Any

from launch.aws import roles
from launch.aws.clients import Clients
from launch.cli import dry_run, options
from launch.cli.errors import UsageError
from launch.sagemaker import preflight, training_jobs, tuning_following
from launch.sagemaker.job_kinds import ENDED


def run(arguments: argparse.Namespace, clients: Clients, request: dict[str, Any]) -> None:
    """Print the request if it is a dry run; else create the tuning job and, with ``--wait``, follow it.

    Raises:
        UsageError: It would fail: see ``launch.sagemaker.preflight``; or a job that is to be learned from does not fit.
        JobFailed, JobStopped: It was followed, and did not complete.
    """
    if arguments.dry_run:
        dry_run.print_request(request)
        return
    preflight.check(arguments, clients, [("CreateHyperParameterTuningJob", request)])
    _check_parents(clients, request)
    name = request["HyperParameterTuningJobName"]
    training_jobs.prepare_storage(clients, request["TrainingJobDefinition"], arguments.source_dir)
    roles.call_once_assumable(clients, clients.sagemaker.create_hyper_parameter_tuning_job, request)
    print(f"Created tuning job {name}", flush=True)
    flag = " --local" if options.is_local(arguments) else ""
    if arguments.wait:
        tuning_following.follow_to_end(clients, name)
        print(f"Deploy the best: python scripts/deploy.py{flag} {name}")
    else:
        print(f"Its results: python scripts/fetch.py{flag} {name}")


def _check_parents(clients: Clients, request: dict[str, Any]) -> None:
    """Check the tuning jobs that a new one is to learn from.

    https://docs.aws.amazon.com/sagemaker/latest/dg/automatic-model-tuning-warm-start.html

    Raises:
        UsageError: One is not there, has not ended, or has another objective.
    """
    wanted = request["HyperParameterTuningJobConfig"]["HyperParameterTuningJobObjective"]
    for parent in request.get("WarmStartConfig", {}).get("ParentHyperParameterTuningJobs", []):
        name = parent["HyperParameterTuningJobName"]
        description = tuning_following.describe(clients, name)
        if description is None:
            raise UsageError(f"--warm-start: there is no tuning job {name!r}{clients.where}.")
        status = description["HyperParameterTuningJobStatus"]
        if status not in ENDED:
            raise UsageError(f"--warm-start: tuning job {name} is {status}, expected one that has ended.")
        objective = description["HyperParameterTuningJobConfig"].get("HyperParameterTuningJobObjective")
        if objective != wanted:
            raise UsageError(
                f"--warm-start: the objective of {name} is {objective}, expected the same as now, {wanted}."
            )
