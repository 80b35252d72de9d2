"""List training, tuning and transform jobs, endpoints, and groups of the model registry, the newest first.

Or the models of a multi-model endpoint, or the model packages of a group.

Examples:
    python scripts/list.py --local
    python scripts/list.py --name-contains rl-mountain-car
    python scripts/list.py --endpoint-name cars            # its models
    python scripts/list.py --group cars                    # its model packages, and whether they are approved
"""

import argparse
import itertools
from collections.abc import Sequence
from typing import NamedTuple

from launch.aws import paging
from launch.aws.clients import Clients
from launch.cli import dry_run, errors, options, values
from launch.cli.errors import UsageError
from launch.sagemaker import model_packages, multi_model, session

MAX_RESULTS = 100
"""Of each kind; the API gives no more at once, and may give fewer."""


class Listing(NamedTuple):
    """A kind that is listed: its List operation, method and key of the answer, and its names in API and output."""

    operation: str
    method: str
    summaries: str
    prefix: str
    noun: str


LISTINGS = (
    Listing("ListTrainingJobs", "list_training_jobs", "TrainingJobSummaries", "TrainingJob", "training job"),
    Listing(
        "ListHyperParameterTuningJobs",
        "list_hyper_parameter_tuning_jobs",
        "HyperParameterTuningJobSummaries",
        "HyperParameterTuningJob",
        "tuning job",
    ),
    Listing("ListTransformJobs", "list_transform_jobs", "TransformJobSummaries", "TransformJob", "transform job"),
    Listing("ListEndpoints", "list_endpoints", "Endpoints", "Endpoint", "endpoint"),
    Listing(
        "ListModelPackageGroups",
        "list_model_package_groups",
        "ModelPackageGroupSummaryList",
        "ModelPackageGroup",
        "package group",
    ),
)


def main(command_line: Sequence[str] | None = None) -> None:
    parser = options.parser(__doc__)
    parser.add_argument("--name-contains", default="rl-mountain-car", help="(%(default)s); '' for all")
    parser.add_argument("--endpoint-name", type=values.name, help="of a multi-model endpoint: its models")
    parser.add_argument("--group", type=values.name, help="of the model registry: its packages")
    arguments = parser.parse_args(command_line)
    if arguments.group and (options.is_local(arguments) or arguments.endpoint_name):
        other = "--endpoint-name" if arguments.endpoint_name else "--local: this machine has no model registry"
        raise UsageError(f"--group does not go with {other}.")
    clients = session.connect(arguments)
    if arguments.group:
        _list_packages(arguments, clients)
        return
    if arguments.endpoint_name:
        if arguments.dry_run:
            dry_run.print_requests([("DescribeEndpoint", {"EndpointName": arguments.endpoint_name})])
            return
        models = multi_model.list_models(clients, arguments.endpoint_name)
        for model in models:
            print(f"{model.path:<72}{model.size:>12,} bytes")
        if not models:
            print(f"Endpoint {arguments.endpoint_name}{clients.where} has no model.")
        return
    name_filter = {"NameContains": arguments.name_contains} if arguments.name_contains else {}
    query = {**name_filter, "SortBy": "CreationTime", "SortOrder": "Descending", "MaxResults": MAX_RESULTS}
    if arguments.dry_run:
        dry_run.print_requests([(listing.operation, query) for listing in LISTINGS])
        return
    listed = []
    for listing in LISTINGS:
        summaries = paging.entries(getattr(clients.sagemaker, listing.method), listing.summaries, **query)
        listed.append((listing, list(itertools.islice(summaries, MAX_RESULTS + 1))))
    for listing, found in listed:
        for summary in found[:MAX_RESULTS]:
            name, status = summary[f"{listing.prefix}Name"], summary[f"{listing.prefix}Status"]
            print(f"{listing.noun:<15}{name:<64}{status:<12}{summary['CreationTime']:%Y-%m-%d %H:%M}")
    for listing, found in listed:
        if len(found) > MAX_RESULTS:
            print(f"There are more {listing.noun}s, older than these {MAX_RESULTS}: --name-contains finds them.")
    if not any(found for _, found in listed):
        named = f" with {arguments.name_contains} in its name" if arguments.name_contains else ""
        print(f"There is no job or endpoint{named}{clients.where}.")


def _list_packages(arguments: argparse.Namespace, clients: Clients) -> None:
    """Print the newest packages of a group, with their approval."""
    if arguments.dry_run:
        dry_run.print_requests([("ListModelPackages", model_packages.query(arguments.group))])
        return
    for package in itertools.islice(model_packages.versions(clients, arguments.group), MAX_RESULTS):
        name = f"{arguments.group}:{package['ModelPackageVersion']}"
        approval, status = package.get("ModelApprovalStatus", ""), package["ModelPackageStatus"]
        print(f"{name:<64}{approval:<24}{status:<12}{package['CreationTime']:%Y-%m-%d %H:%M}")


if __name__ == "__main__":
    errors.run(main)
