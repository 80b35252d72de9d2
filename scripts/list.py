"""List training jobs and endpoints, the newest first.

Examples:
    python scripts/list.py --local
    python scripts/list.py --name-contains rl-mountain-car
"""

from launch import errors, options


def main() -> None:
    parser = options.parser(__doc__)
    parser.add_argument("--name-contains", default="rl-mountain-car", help="(%(default)s); '' for all")
    arguments = parser.parse_args()
    sagemaker = options.clients(arguments).sagemaker
    part = {"NameContains": arguments.name_contains} if arguments.name_contains else {}
    newest = {**part, "SortBy": "CreationTime", "SortOrder": "Descending"}
    if arguments.dry_run:
        options.print_requests([("ListTrainingJobs", newest), ("ListEndpoints", newest)])
        return
    for job in sagemaker.list_training_jobs(**newest)["TrainingJobSummaries"]:
        _show("training job", job["TrainingJobName"], job["TrainingJobStatus"], job["CreationTime"])
    for endpoint in sagemaker.list_endpoints(**newest)["Endpoints"]:
        _show("endpoint", endpoint["EndpointName"], endpoint["EndpointStatus"], endpoint["CreationTime"])


def _show(kind: str, name: str, status: str, created: object) -> None:
    print(f"{kind:<14}{name:<64}{status:<12}{created:%Y-%m-%d %H:%M}")


if __name__ == "__main__":
    errors.run(main)
