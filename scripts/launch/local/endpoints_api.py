"""Endpoints of this machine: the methods of boto3's ``sagemaker`` client.

A new deployment is started beside the one that serves, and takes its place once it is healthy. On AWS a service does
that by itself; here ``settle`` does, and every look at an endpoint begins with it. Which parameters of a request an
endpoint honours stands in ``launch.local.honoured_parameters``.
"""

import dataclasses
import sys
from typing import Any

from launch.local import honoured_parameters, records, servers
from launch.local.errors import LocalError
from launch.local.models_api import ModelsApi
from launch.local.records import ENDPOINTS, Deployment, EndpointRecord, FailedDeployment
from launch.local.resource_api import create, delete, require, summaries


class EndpointsApi(ModelsApi):
    """The methods of boto3's client that create, update, describe, list and delete endpoints."""

    def create_endpoint(self, **request: Any) -> dict[str, Any]:
        honoured_parameters.check("CreateEndpoint", request)
        name = request["EndpointName"]
        record = EndpointRecord(request, ENDPOINTS.arn_of(name), records.now(), "Creating")
        record.next = servers.new(request["EndpointConfigName"], 1)
        create(ENDPOINTS, name, record)
        try:
            self._start(name, record, record.next)
        except BaseException:
            self.delete_endpoint(EndpointName=name)
            raise
        return {"EndpointArn": record.arn}

    def update_endpoint(self, **request: Any) -> dict[str, Any]:
        honoured_parameters.check("UpdateEndpoint", request)
        name = request["EndpointName"]
        record = settle(require(ENDPOINTS, "UpdateEndpoint", name), name)
        if record.status != "InService" or record.serving is None:
            raise LocalError("UpdateEndpoint", "ValidationException", f"{name} is {record.status}")
        before = dataclasses.replace(record)
        latest = max(deployment.version for deployment in (record.serving, record.failed) if deployment)
        record.status, record.next = "Updating", servers.new(request["EndpointConfigName"], latest + 1)
        records.write(ENDPOINTS, name, record)
        try:
            self._start(name, record, record.next)
        except BaseException:
            servers.end_others(name, before.serving)
            records.write(ENDPOINTS, name, before)
            raise
        return {"EndpointArn": record.arn}

    def _start(self, name: str, record: EndpointRecord, deployment: Deployment) -> None:
        """Start a record's next deployment, and write down what it is."""
        variant = self.describe_endpoint_config(EndpointConfigName=deployment.config)["ProductionVariants"][0]
        model = self.describe_model(ModelName=variant["ModelName"])
        deployment.variant = variant["VariantName"]
        servers.start(name, deployment, model["PrimaryContainer"], self._storage)
        records.write(ENDPOINTS, name, record)

    def describe_endpoint(self, EndpointName: str) -> dict[str, Any]:  # noqa: N803 - boto3's names
        """Settle an endpoint and return its description; one whose record is damaged is Failed, and can be deleted."""
        try:
            record = settle(require(ENDPOINTS, "DescribeEndpoint", EndpointName), EndpointName)
        except records.Damaged as damaged:
            print(damaged, file=sys.stderr)
            record = EndpointRecord({}, ENDPOINTS.arn_of(EndpointName), records.now(), "Failed", failure=str(damaged))
        return _description(EndpointName, record)

    def list_endpoints(self, NameContains: str = "", **_: Any) -> dict[str, Any]:  # noqa: N803
        keys = ("EndpointName", "EndpointArn", "CreationTime", "EndpointStatus")
        return {"Endpoints": summaries(ENDPOINTS, NameContains, self.describe_endpoint, keys)}

    def delete_endpoint(self, EndpointName: str) -> dict[str, Any]:  # noqa: N803
        try:
            record = records.read(ENDPOINTS, EndpointName)
        except records.Damaged:
            record = None
        if record:
            for deployment in (record.serving, record.next):
                if deployment:
                    servers.end(deployment)
        servers.end_others(EndpointName, None)
        return delete(ENDPOINTS, EndpointName)


def _description(name: str, record: EndpointRecord) -> dict[str, Any]:
    deployment = record.serving or record.next
    description = {
        "EndpointName": name,
        "EndpointArn": record.arn,
        "EndpointConfigName": deployment.config if deployment else record.request.get("EndpointConfigName", ""),
        "EndpointStatus": record.status,
        "CreationTime": records.time_of(record.created),
        "ProductionVariants": [{"VariantName": deployment.variant if deployment else "", "CurrentInstanceCount": 1}],
    }
    return description | ({"FailureReason": record.failure} if record.failure is not None else {})


def settle(record: EndpointRecord, name: str) -> EndpointRecord:
    """Bring an endpoint's record up to date with its deployments, and return it.

    A new deployment that is healthy takes over, and the one before it is ended; one that failed is ended.
    """
    if record.next:
        if failure := _failure_of(record.next):
            _abandon(name, record, record.next, failure)
        elif record.next.url and servers.is_healthy(record.next):
            _take_over(name, record, record.next)
        elif record.next.url and servers.age(record.next) > servers.SECONDS_TO_START:
            reason = f"The container was not healthy within {servers.SECONDS_TO_START} s."
            _abandon(name, record, record.next, reason)
    elif record.status == "InService" and record.serving and not servers.is_running(record.serving):
        record.status, record.failure = "Failed", "The container has ended."
        records.write(ENDPOINTS, name, record)
    return record


def _failure_of(deployment: Deployment) -> str | None:
    """Return why a deployment that is being started cannot become healthy any more; None if it can."""
    if deployment.url is None:
        return None if deployment.starter.is_alive else "The process that started its container was killed."
    return None if servers.is_running(deployment) else "The container ended before it was healthy."


def _take_over(name: str, record: EndpointRecord, deployment: Deployment) -> None:
    before = record.serving
    record.serving, record.next, record.status = deployment, None, "InService"
    record.failure = record.failed = None
    records.write(ENDPOINTS, name, record)
    if before:
        servers.end(before)


def _abandon(name: str, record: EndpointRecord, deployment: Deployment, reason: str) -> None:
    """End a deployment that failed; the endpoint goes on with the one that serves, if there is one."""
    record.failed = FailedDeployment(deployment.version, servers.log_lines(deployment))
    servers.end_others(name, record.serving)
    record.next, record.failure = None, reason
    record.status = "InService" if record.serving else "Failed"
    records.write(ENDPOINTS, name, record)
