"""List training jobs, transform jobs and endpoints, the newest first.

Examples:
    python scripts/list.py --local
    python scripts/list.py --name-contains rl-mountain-car
"""

from collections.abc import Sequence

from launch.cli import errors, options

KINDS = {"TrainingJob": "training job", "TransformJob": "transform job", "Endpoint": "endpoint"}
MOST = 100
"""Of each kind; the API gives no more at once."""


def main(command_line: Sequence[str] | None = None) -> None:
    parser = options.parser(__doc__)
    parser.add_argument("--name-contains", default="rl-mountain-car", help="(%(default)s); '' for all")
    arguments = parser.parse_args(command_line)
    clients = options.clients(arguments)
    part = {"NameContains": arguments.name_contains} if arguments.name_contains else {}
    newest = {**part, "SortBy": "CreationTime", "SortOrder": "Descending", "MaxResults": MOST}
    if arguments.dry_run:
        options.print_requests([("ListTrainingJobs", newest), ("ListTransformJobs", newest), ("ListEndpoints", newest)])
        return
    sagemaker = clients.sagemaker
    pages = {
        "TrainingJob": sagemaker.list_training_jobs(**newest),
        "TransformJob": sagemaker.list_transform_jobs(**newest),
        "Endpoint": sagemaker.list_endpoints(**newest),
    }
    found = [
        (kind, each) for kind, page in pages.items() for each in page.get(f"{kind}Summaries", page.get("Endpoints"))
    ]
    for kind, each in found:
        name, status = each[f"{kind}Name"], each[f"{kind}Status"]
        print(f"{KINDS[kind]:<15}{name:<64}{status:<12}{each['CreationTime']:%Y-%m-%d %H:%M}")
    for kind, page in pages.items():
        if page.get("NextToken"):
            print(f"There are more {KINDS[kind]}s, older than these {MOST}: --name-contains finds them.")
    if not found:
        named = f" with {arguments.name_contains} in its name" if arguments.name_contains else ""
        print(f"There is no job or endpoint{named}{clients.where}.")


if __name__ == "__main__":
    errors.run(main)
