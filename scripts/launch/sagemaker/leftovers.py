"""All that the scripts have made in an account and a region: finding it, and removing it.

What is another's is told apart by the project's tag, and by names: those of the project, and of endpoints whose models
run its serving image. A kind more is a function more in ``FINDERS``. SageMaker deletes no description of a job.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Any

from launch import project
from launch.aws import builds, logs, paging, registry, roles
from launch.aws import errors as aws_errors
from launch.aws.clients import Clients
from launch.aws.storage import join, split
from launch.cli.dry_run import Request
from launch.sagemaker import endpoint_resources

KEYS_PER_REQUEST = 1000
SERVING_IMAGE = re.compile(rf"/{project.repository_name('serving')}[:@]")


@dataclass(frozen=True)
class Leftover:
    """Something that the scripts have made.

    Attributes:
        name: what it is and what it is called.
        requests: the API requests that delete it.
        delete: sends them, and waits where that takes its time.
    """

    name: str
    requests: list[Request]
    delete: Callable[[], Any]


@dataclass(frozen=True)
class Scope:
    """Where to look.

    Attributes:
        clients: of the account and the region.
        home: ``s3://bucket/prefix``, below which jobs have left their files.
        stack: the name of CodeBuild's stack.
        endpoints: of other names than the project's, whether they exist or have only left something; those that exist
            are added once they have been looked for.
        groups: of model packages, which are added once they have been looked for: a model that ``register.py`` uploads
            has the name of its group.
    """

    clients: Clients
    home: str
    stack: str
    endpoints: list[str] = field(default_factory=list)
    groups: list[str] = field(default_factory=list)

    def is_ours(self, name: str) -> bool:
        """Tell whether a job, an endpoint or its model is of the project by its name."""
        known = (*self.endpoints, *self.groups)
        return name.startswith(project.BASE_NAME) or any(
            name == each or endpoint_resources.is_of(name, each) for each in known
        )

    @cached_property
    def tagged_jobs(self) -> dict[str, str]:
        """The training jobs with the project's tag, and the addresses below which they have left their files."""
        return {
            job["TrainingJobName"]: join(job["OutputDataConfig"]["S3OutputPath"], job["TrainingJobName"])
            for job in tagged(self.clients, "TrainingJob")
        }


def tagged(clients: Clients, kind: str) -> Iterator[dict[str, Any]]:
    """Yield the descriptions of what the scripts have made of a kind, by its tag.

    https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_Search.html

    Args:
        clients: of the account and the region.
        kind: ``TrainingJob`` and the like, as Search has it.
    """
    by_tag = {"Name": f"Tags.{project.TAG['Key']}", "Operator": "Equals", "Value": project.TAG["Value"]}
    found = paging.entries(
        clients.sagemaker.search, "Results", Resource=kind, SearchExpression={"Filters": [by_tag]}, MaxResults=100
    )
    return (entry[kind] for entry in found)


def _endpoint_names(clients: Clients) -> list[str]:
    """Return the endpoints of the project: of its name, with its tag, or with a model of ``deploy.py`` on its image."""
    listed = paging.entries(clients.sagemaker.list_endpoints, "Endpoints", NameContains=project.BASE_NAME)
    names = [entry["EndpointName"] for entry in listed if entry["EndpointName"].startswith(project.BASE_NAME)]
    names += [each["EndpointName"] for each in tagged(clients, "Endpoint") if each["EndpointName"] not in names]
    for entry in paging.entries(clients.sagemaker.list_models, "Models"):
        model = entry["ModelName"]
        if not (stamp := re.search(f"{endpoint_resources.STAMP.pattern}$", model)):
            continue
        endpoint = model[: stamp.start()]
        if endpoint not in names and (endpoint.startswith(project.BASE_NAME) or _runs_our_image(clients, model)):
            names.append(endpoint)
    return names


def _runs_our_image(clients: Clients, model: str) -> bool:
    description = aws_errors.describe_if_exists(clients.sagemaker.describe_model, ModelName=model) or {}
    return bool(SERVING_IMAGE.search(description.get("PrimaryContainer", {}).get("Image", "")))


def _of_endpoints(scope: Scope) -> Iterator[Leftover]:
    scope.endpoints.extend(name for name in _endpoint_names(scope.clients) if name not in scope.endpoints)
    for endpoint in scope.endpoints:
        for resource in endpoint_resources.find(scope.clients, endpoint):
            request = endpoint_resources.DELETE_REQUESTS[resource.kind](resource.name)
            delete = partial(endpoint_resources.delete, scope.clients, resource)
            yield Leftover(f"{resource.kind} {resource.name}", [request], delete)


def _model_packages(scope: Scope) -> Iterator[Leftover]:
    sagemaker = scope.clients.sagemaker
    groups = paging.entries(
        sagemaker.list_model_package_groups, "ModelPackageGroupSummaryList", NameContains=project.BASE_NAME
    )
    by_name = [name for group in groups if (name := group["ModelPackageGroupName"]).startswith(project.BASE_NAME)]
    by_tag = [group["ModelPackageGroupName"] for group in tagged(scope.clients, "ModelPackageGroup")]
    scope.groups.extend(dict.fromkeys([*by_name, *by_tag]))
    for name in scope.groups:
        packages = paging.entries(sagemaker.list_model_packages, "ModelPackageSummaryList", ModelPackageGroupName=name)
        requests: list[Request] = [
            ("DeleteModelPackage", {"ModelPackageName": each["ModelPackageArn"]}) for each in packages
        ]
        requests.append(("DeleteModelPackageGroup", {"ModelPackageGroupName": name}))
        yield _sending(sagemaker, f"model package group {name}, packages in it: {len(requests) - 1}", requests)


def _experiments(scope: Scope) -> Iterator[Leftover]:
    """Yield the experiments that ``--experiment`` made, whose trials go first.

    The trials' components stay, as the jobs do that they describe.
    """
    sagemaker = scope.clients.sagemaker
    for experiment in tagged(scope.clients, "Experiment"):
        name = experiment["ExperimentName"]
        requests: list[Request] = []
        for trial in paging.entries(sagemaker.list_trials, "TrialSummaries", ExperimentName=name):
            of_trial = {"TrialName": trial["TrialName"]}
            components = paging.entries(sagemaker.list_trial_components, "TrialComponentSummaries", **of_trial)
            requests += [
                ("DisassociateTrialComponent", {**of_trial, "TrialComponentName": each["TrialComponentName"]})
                for each in components
            ]
            requests.append(("DeleteTrial", of_trial))
        requests.append(("DeleteExperiment", {"ExperimentName": name}))
        yield _sending(sagemaker, f"experiment {name}", requests)


def _of_codebuild(scope: Scope) -> Iterator[Leftover]:
    stack = builds.Stack(scope.clients, scope.stack)
    if stack.exists:
        yield Leftover(f"stack {stack.name}", [("DeleteStack", {"StackName": stack.name})], stack.delete)
        if stack.artifacts:
            yield from _objects(scope.clients, stack.artifacts, "", stack.artifacts)
            yield _bucket(scope.clients, stack.artifacts)


def _repositories(scope: Scope) -> Iterator[Leftover]:
    for name in map(project.repository_name, project.KINDS):
        if registry.find_repository(scope.clients, name):
            request = {"repositoryName": name, "force": True}
            yield _sending(scope.clients.ecr, f"repository {name} with its images", [("DeleteRepository", request)])


def _logs(scope: Scope) -> Iterator[Leftover]:
    client = scope.clients.logs
    for group in _log_groups(scope, logs.ENDPOINTS):
        if scope.is_ours(group.removeprefix(f"{logs.ENDPOINTS}/").partition("/")[0]):
            yield _sending(client, f"log group {group}", [("DeleteLogGroup", {"logGroupName": group})])
    for shared in (logs.TRAINING_JOBS, logs.TRANSFORM_JOBS):  # by all jobs of the account: only streams are deleted
        if shared not in _log_groups(scope, shared):
            continue
        tagged_jobs = scope.tagged_jobs if shared == logs.TRAINING_JOBS else ()
        names = [f"{job}/" for job in tagged_jobs if not job.startswith(project.BASE_NAME)]
        requests: list[Request] = [
            ("DeleteLogStream", {"logGroupName": shared, "logStreamName": stream["logStreamName"]})
            for prefix in (project.BASE_NAME, *names)
            for stream in paging.entries(
                client.describe_log_streams, "logStreams", "nextToken", logGroupName=shared, logStreamNamePrefix=prefix
            )
        ]
        if requests:
            yield _sending(client, f"{len(requests)} log streams of {shared}", requests)


def _log_groups(scope: Scope, prefix: str) -> list[str]:
    describe = scope.clients.logs.describe_log_groups
    return [
        group["logGroupName"] for group in paging.entries(describe, "logGroups", "nextToken", logGroupNamePrefix=prefix)
    ]


def _files(scope: Scope) -> Iterator[Leftover]:
    """Yield what is below the prefix; without one only what a job or an endpoint of the project has left.

    Without a prefix there are others' files in the bucket: SageMaker's SDK has the same one by default. What jobs with
    the project's tag have left is yielded wherever it is.
    """
    _, bucket, prefix = split(scope.home)
    s3 = scope.clients.s3
    tags = {bucket: _tags_of(s3, bucket)}  # None of a bucket that is not there
    if tags[bucket] is not None and prefix:
        yield from _objects(scope.clients, bucket, f"{prefix}/", scope.home)
    elif tags[bucket] is not None:
        pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Delimiter="/")
        folders = [entry["Prefix"] for page in pages for entry in page.get("CommonPrefixes", [])]
        for folder in folders:
            if scope.is_ours(folder.rstrip("/")):
                yield from _objects(scope.clients, bucket, folder, f"s3://{bucket}/{folder}")
    for job, address in scope.tagged_jobs.items():
        is_in_home = address == join(scope.home, job) and scope.is_ours(job)
        if address.startswith(f"{scope.home}/") if prefix else is_in_home:
            continue  # its files are among those above
        _, elsewhere, key = split(address)
        if elsewhere not in tags:
            tags[elsewhere] = _tags_of(s3, elsewhere)
        if tags[elsewhere] is not None:
            yield from _objects(scope.clients, elsewhere, f"{key}/", address)
    yield from (_bucket(scope.clients, name) for name, given in tags.items() if project.TAG in (given or []))


def _tags_of(s3: Any, bucket: str) -> list[dict[str, str]] | None:
    """Return a bucket's tags; None if there is no bucket."""
    if aws_errors.describe_if_exists(s3.get_bucket_location, Bucket=bucket) is None:
        return None
    try:
        return list(s3.get_bucket_tagging(Bucket=bucket)["TagSet"])
    except s3.exceptions.ClientError as error:
        if aws_errors.code_of(error) == "NoSuchTagSet":
            return []
        raise


def _objects(clients: Clients, bucket: str, prefix: str, name: str) -> Iterator[Leftover]:
    pages = clients.s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
    keys = [entry["Key"] for page in pages for entry in page.get("Contents", [])]
    batches = [keys[begin : begin + KEYS_PER_REQUEST] for begin in range(0, len(keys), KEYS_PER_REQUEST)]
    requests: list[Request] = [
        ("DeleteObjects", {"Bucket": bucket, "Delete": {"Objects": [{"Key": key} for key in batch]}})
        for batch in batches
    ]
    if requests:
        yield _sending(clients.s3, f"{len(keys)} files below {name}", requests)


def _bucket(clients: Clients, bucket: str) -> Leftover:
    return _sending(clients.s3, f"bucket {bucket}, if it is empty then", [("DeleteBucket", {"Bucket": bucket})])


def _role(scope: Scope) -> Iterator[Leftover]:
    iam, name = scope.clients.iam, roles.project_role_name(scope.clients)
    if aws_errors.describe_if_exists(iam.get_role, RoleName=name) is None:
        return
    requests: list[Request] = [
        ("DeleteRolePolicy", {"RoleName": name, "PolicyName": policy})
        for policy in paging.entries(iam.list_role_policies, "PolicyNames", "Marker", RoleName=name)
    ]
    for policy in paging.entries(iam.list_attached_role_policies, "AttachedPolicies", "Marker", RoleName=name):
        requests.append(("DetachRolePolicy", {"RoleName": name, "PolicyArn": policy["PolicyArn"]}))
    yield _sending(iam, f"role {name}", [*requests, ("DeleteRole", {"RoleName": name})])


def _sending(client: Any, name: str, requests: list[Request]) -> Leftover:
    """Return what one client's requests delete, one after the other."""

    def delete() -> None:
        methods = {operation: method for method, operation in client.meta.method_to_api_mapping.items()}
        for operation, request in requests:
            answer = getattr(client, methods[operation])(**request)
            if errors := answer.get("Errors"):  # of DeleteObjects, which answers 200
                raise aws_errors.exceptions.ClientError({"Error": errors[0]}, operation)

    return Leftover(name, requests, delete)


FINDERS: dict[str, Callable[[Scope], Iterator[Leftover]]] = {
    "endpoints": _of_endpoints,
    "model packages": _model_packages,
    "experiments": _experiments,
    "CodeBuild's stack": _of_codebuild,
    "repositories": _repositories,
    "logs": _logs,
    "files": _files,
    "the role": _role,
}
"""What finds the leftovers of a kind, in the order in which they can be deleted."""
