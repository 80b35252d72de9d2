"""The CreateHyperParameterTuningJob request that the flags of ``tune.py`` make.

https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_CreateHyperParameterTuningJob.html
"""

import argparse
from collections.abc import Mapping
from datetime import datetime
from functools import cache
from typing import Any

from launch.aws.clients import Clients
from launch.cli import options, parameter_ranges, values
from launch.cli.errors import UsageError
from launch.cli.parameter_ranges import CATEGORICAL, Ranges
from launch.project import BASE_NAME
from launch.sagemaker import fields, request_files, session, training_requests

STRATEGIES = ("Bayesian", "Random", "Grid", "Hyperband")
OBJECTIVE_TYPES = ("Maximize", "Minimize")
WARM_START_TYPES = ("IdenticalDataAndAlgorithm", "TransferLearning")
MAX_NAME_LENGTH = 32
"""SageMaker adds 13 characters to it for the name of each training job."""
MAX_PARENTS = 5
DEFAULT_JOBS, DEFAULT_PARALLEL_JOBS = 10, 2
RESOURCE_NAMES = ("epochs", "numepochs", "n-epochs", "n_epochs", "num_epochs")
"""Static hyperparameters from which Hyperband infers MaxResource:
https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_HyperbandStrategyConfig.html."""


def job_name(arguments: argparse.Namespace) -> str:
    """Return the tuning job's name: the one given, or a new one with the time of day, to the second.

    Raises:
        UsageError: The one given is too long.
    """
    name = str(arguments.job_name or f"{BASE_NAME}-{datetime.now():%y%m%d-%H%M%S}")
    if len(name) > MAX_NAME_LENGTH:
        raise UsageError(f"--job-name is {name!r}, expected at most {MAX_NAME_LENGTH} characters for a tuning job.")
    return name


def request(arguments: argparse.Namespace, clients: Clients, name: str) -> dict[str, Any]:
    """Return the request.

    Args:
        arguments: the flags of ``tune.py``.
        clients: give the account and the role.
        name: of the tuning job.

    Raises:
        UsageError: A flag has a value that makes no sense, or that SageMaker would refuse.
    """
    ranges = parameter_ranges.collect(arguments)
    given = values.hyperparameters(arguments.parameters, arguments.hyperparameters)
    config = _config(arguments, ranges, given)
    warm_start = _warm_start(arguments)
    flags = argparse.Namespace(**{**vars(arguments), "request": None})  # whose file is of the whole request
    training = training_requests.request(flags, clients, name, {}, {})  # from here on AWS is asked
    complete = {
        "HyperParameterTuningJobName": name,
        "HyperParameterTuningJobConfig": config,
        "TrainingJobDefinition": definition(training, parameter_ranges.names(ranges)),
        "WarmStartConfig": warm_start,
        "Tags": session.tags(arguments),
    }
    return request_files.merge_into(fields.without_empty(complete), "CreateHyperParameterTuningJob", arguments.request)


def objective(arguments: argparse.Namespace) -> dict[str, str]:
    """Return HyperParameterTuningJobObjective: the metric, and whether more or less of it is better."""
    by_name = "Minimize" if arguments.objective.startswith("loss") else "Maximize"
    return {"Type": arguments.objective_type or by_name, "MetricName": arguments.objective}


def definition(training: Mapping[str, Any], tuned: list[str]) -> dict[str, Any]:
    """Return TrainingJobDefinition: what all training jobs of a tuning job have in common.

    Args:
        training: a CreateTrainingJob request.
        tuned: names of the hyperparameters that have ranges; a value that is given for one is left out.

    Raises:
        UsageError: The request has a field that the API has for single training jobs alone.
    """
    # The jobs do not share checkpoints: each would go on from those of another. The tags are the tuning job's.
    left_out = ("TrainingJobName", "Tags", "HyperParameters", "CheckpointConfig")
    kept = {field: value for field, value in training.items() if field not in left_out}
    if unknown := sorted(kept.keys() - _known_fields()):
        raise UsageError(f"{', '.join(unknown)} cannot be given to the training jobs of a tuning job.")
    static = {name: value for name, value in training.get("HyperParameters", {}).items() if name not in tuned}
    training_requests.check_count([*static, *tuned])
    return {"StaticHyperParameters": static, **kept}


@cache
def _known_fields() -> frozenset[str]:
    import botocore.session  # takes long to import, and --help does not need it

    model = botocore.session.get_session().get_service_model("sagemaker")
    return frozenset(model.shape_for("HyperParameterTrainingJobDefinition").members)


def _config(arguments: argparse.Namespace, ranges: Ranges, given: Mapping[str, str]) -> dict[str, Any]:
    strategy = arguments.strategy or ("Random" if options.is_local(arguments) else "Bayesian")
    jobs = _grid_size(arguments, ranges) if strategy == "Grid" else arguments.max_jobs or DEFAULT_JOBS
    parallel = arguments.max_parallel_jobs or min(DEFAULT_PARALLEL_JOBS, jobs)
    if parallel > jobs:
        raise UsageError(f"--max-parallel-jobs is {parallel}, expected at most as many as there are jobs, {jobs}.")
    if strategy == "Hyperband" and arguments.early_stopping == "Auto":
        raise UsageError("--early-stopping is Auto, expected Off with Hyperband, which stops jobs by itself.")
    return {
        "Strategy": strategy,
        "StrategyConfig": {"HyperbandStrategyConfig": _hyperband(arguments, strategy, given)},
        "HyperParameterTuningJobObjective": objective(arguments),
        "ResourceLimits": {"MaxNumberOfTrainingJobs": jobs, "MaxParallelTrainingJobs": parallel},
        "ParameterRanges": ranges,
        "TrainingJobEarlyStoppingType": arguments.early_stopping,
        "RandomSeed": arguments.random_seed,
    }


def _grid_size(arguments: argparse.Namespace, ranges: Ranges) -> int:
    """Return how many jobs a grid has.

    Raises:
        UsageError: There is a range of numbers, or another number of jobs is asked for.
    """
    if numbers := parameter_ranges.names({kind: ranges[kind] for kind in ranges if kind != CATEGORICAL}):
        raise UsageError(f"--strategy is Grid and {numbers[0]} has a range of numbers, expected --choices alone.")
    size = parameter_ranges.combinations(ranges)
    if arguments.max_jobs not in (None, size):
        raise UsageError(f"--max-jobs is {arguments.max_jobs}, expected none with Grid, or its {size} combinations.")
    return size


def _hyperband(arguments: argparse.Namespace, strategy: str, given: Mapping[str, str]) -> dict[str, Any]:
    """Return HyperbandStrategyConfig; empty for another strategy."""
    least, most = arguments.min_resource, arguments.max_resource
    if strategy != "Hyperband":
        if least or most:
            raise UsageError(f"--min-resource and --max-resource are of Hyperband, and --strategy is {strategy}.")
        return {}
    if most is None and not given.keys() & set(RESOURCE_NAMES):
        raise UsageError("--strategy is Hyperband, expected with --max-resource, the evaluations of the longest job.")
    if least and most and least > most:
        raise UsageError(f"--min-resource is {least}, expected at most --max-resource {most}.")
    return {"MinResource": least, "MaxResource": most}


def _warm_start(arguments: argparse.Namespace) -> dict[str, Any]:
    parents = arguments.warm_start
    if not parents:
        if arguments.warm_start_type:
            raise UsageError(f"--warm-start-type is {arguments.warm_start_type}, expected with --warm-start.")
        return {}
    if len(parents) > MAX_PARENTS:
        raise UsageError(f"--warm-start has {len(parents)} tuning jobs, expected at most {MAX_PARENTS}.")
    return {
        "ParentHyperParameterTuningJobs": [{"HyperParameterTuningJobName": parent} for parent in parents],
        "WarmStartType": arguments.warm_start_type or WARM_START_TYPES[0],
    }
