"""SageMaker on this machine: clients with the methods, requests and answers of boto3's.

Training and transform jobs are run by a process of their own (``launch.local.jobs``), endpoints by a container or a
process; all outlive the script that started them, and later commands find them. Where a Docker engine answers, the
images run; where none does, the same entry points run as processes.
"""

import contextlib
import io
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any

import httpx
from docker.errors import APIError, NotFound

from launch import project
from launch.aws import clients as aws
from launch.aws.storage import Storage
from launch.cli.errors import UsageError
from launch.local import engines, images
from launch.local import records as local_records
from launch.local import requests as local_requests
from launch.local.ml_tree import unpack
from launch.local.records import ENDPOINT_CONFIGS, ENDPOINTS, MODELS, TRAINING_JOBS, TRANSFORM_JOBS
from launch.local.requests import LocalError

ACCOUNT, REGION = "000000000000", "local"
LOG_GROUPS = {"TrainingJobs": TRAINING_JOBS, "TransformJobs": TRANSFORM_JOBS, "Endpoints": ENDPOINTS}
SECONDS_TO_START = 60
SECONDS_TO_INVOKE = 60
LABEL_RUNS, LABEL_OWNER, LABEL_ENDPOINT = (f"rl-mountain-car.{what}" for what in ("runs", "owner", "endpoint"))


class LocalClients(aws.Clients):
    """Local mode's clients; S3's is AWS's, for jobs that read or write there."""

    seconds_between_looks = 0.3
    seconds_that_logs_lag = 0.0
    where = " on this machine"

    @cached_property
    def sagemaker(self) -> Any:
        remove_leftovers()
        return LocalSageMaker(Storage(self))

    @cached_property
    def runtime(self) -> Any:
        return LocalRuntime()

    @cached_property
    def logs(self) -> Any:
        return LocalLogs()

    @cached_property
    def autoscaling(self) -> Any:
        return LocalAutoscaling()

    def page_of(self, endpoint: str) -> str:
        """Return the address of an endpoint's page, to play with in a browser."""
        return str((local_records.read(ENDPOINTS, endpoint) or {})["serving"]["url"]) + "/"

    @property
    def default_home(self) -> str:
        """Where jobs leave their files that do not say where."""
        return f"file://{local_records.runs_folder() / '.local' / 'output'}"

    @property
    def default_role(self) -> str | None:
        """What stands in a request for the role, which nothing needs here."""
        return f"arn:aws:iam::{ACCOUNT}:role/local"


def engine_for(image: str) -> str:
    """Return ``docker`` or ``process``: where an image's entry point can run; RL_LOCAL_ENGINE decides otherwise.

    Raises:
        UsageError: No engine has the image, and it is none of ours.
    """
    wanted = os.environ.get("RL_LOCAL_ENGINE", "")
    if wanted not in ("", "docker", "process"):
        raise UsageError(f"RL_LOCAL_ENGINE is {wanted!r}, expected docker or process.")
    own = image in [project.image_name(kind) for kind in project.KINDS]
    if wanted == "process":
        return "process"
    try:
        client = images.connect()
    except UsageError:
        if wanted == "docker" or not own:
            raise
        print(f"No Docker engine answers: instead of {image}, its entry point runs as a process", file=sys.stderr)
        return "process"
    if not client.images.list(image):
        how = "build it with `make images`" if own else f"docker pull {image}"
        raise UsageError(f"Image {image} is not on this Docker engine: {how}.")
    return "docker"


class LocalSageMaker:
    """The methods of boto3's ``sagemaker`` client that the scripts use."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage

    # --- Jobs --------------------------------------------------------------------------------------------------------
    def create_training_job(self, **request: Any) -> dict[str, Any]:
        local_requests.check("CreateTrainingJob", request)
        name, hosts = request["TrainingJobName"], request["ResourceConfig"].get("InstanceCount", 1)
        image = request["AlgorithmSpecification"]["TrainingImage"]
        engine = engine_for(image)
        if engine == "process" and (hosts > 1 or request.get("EnableNetworkIsolation")):
            what = "EnableNetworkIsolation" if hosts == 1 else f"InstanceCount {hosts}"
            raise LocalError("CreateTrainingJob", "ValidationException", f"{what} needs a Docker engine")
        for channel in request.get("InputDataConfig", []):
            self._require(channel["DataSource"]["S3DataSource"]["S3Uri"])
        return {"TrainingJobArn": self._start_job(TRAINING_JOBS, "training-job", name, request, engine)}

    def create_transform_job(self, **request: Any) -> dict[str, Any]:
        local_requests.check("CreateTransformJob", request)
        model = local_records.read(MODELS, request["ModelName"])
        if model is None:
            raise _not_found("CreateTransformJob", request["ModelName"])
        engine = engine_for(model["request"]["PrimaryContainer"]["Image"])
        self._require(request["TransformInput"]["DataSource"]["S3DataSource"]["S3Uri"])
        request["_Model"] = model["request"]
        arn = self._start_job(TRANSFORM_JOBS, "transform-job", request["TransformJobName"], request, engine)
        return {"TransformJobArn": arn}

    def _require(self, uri: str) -> None:
        if not self._storage.find(uri):
            raise UsageError(f"There is nothing at {uri}.")

    def _start_job(self, kind: str, noun: str, name: str, request: dict[str, Any], engine: str) -> str:
        arn = f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:{noun}/{name}"
        record = {
            "request": request,
            "engine": engine,
            "arn": arn,
            "status": "InProgress",
            "created": local_records.now(),
            "transitions": [{"Status": "Starting", "StartTime": local_records.now(), "StatusMessage": "Starting"}],
        }
        if not local_records.create(kind, name, record):
            raise LocalError("Create" + noun.title().replace("-", ""), "ResourceInUse", f"{name} exists already")
        # blocked until it is ready to be stopped: see LocalJob
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
        try:
            with (local_records.folder_of(kind, name) / "runner.log").open("w") as log:
                runner = subprocess.Popen(
                    [sys.executable, "-m", "launch.local.jobs", kind, name],
                    cwd=project.ROOT / "scripts",
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,  # it outlives this script, and Ctrl-C is not for it
                )
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        mark = local_records.process_mark(runner.pid)
        (local_records.folder_of(kind, name) / "runner").write_text(mark, encoding="ascii")
        return arn

    def describe_training_job(self, TrainingJobName: str) -> dict[str, Any]:  # noqa: N803 - boto3's names
        record = self._job(TRAINING_JOBS, "DescribeTrainingJob", TrainingJobName)
        done = {
            **record["request"],
            "TrainingJobArn": record["arn"],
            "TrainingJobStatus": record["status"],
            "SecondaryStatus": record["transitions"][-1]["Status"],
            "SecondaryStatusTransitions": [
                {**each, "StartTime": _time(each["StartTime"])} for each in record["transitions"]
            ],
            "CreationTime": _time(record["created"]),
            "FinalMetricDataList": [
                {**each, "Timestamp": _time(each["Timestamp"])} for each in record.get("metrics", [])
            ],
        }
        if "model" in record:
            done["ModelArtifacts"] = {"S3ModelArtifacts": record["model"]}
        if "failure" in record:
            done["FailureReason"] = record["failure"]
        if "seconds" in record:
            done["TrainingTimeInSeconds"] = record["seconds"]
        return done

    def describe_transform_job(self, TransformJobName: str) -> dict[str, Any]:  # noqa: N803
        record = self._job(TRANSFORM_JOBS, "DescribeTransformJob", TransformJobName)
        done = {key: value for key, value in record["request"].items() if key != "_Model"}
        done |= {
            "TransformJobArn": record["arn"],
            "TransformJobStatus": record["status"],
            "CreationTime": _time(record["created"]),
        }
        if "failure" in record:
            done["FailureReason"] = record["failure"]
        return done

    def stop_training_job(self, TrainingJobName: str) -> dict[str, Any]:  # noqa: N803
        self._stop(TRAINING_JOBS, "StopTrainingJob", TrainingJobName)
        return {}

    def stop_transform_job(self, TransformJobName: str) -> dict[str, Any]:  # noqa: N803
        self._stop(TRANSFORM_JOBS, "StopTransformJob", TransformJobName)
        return {}

    def _stop(self, kind: str, operation: str, name: str) -> None:
        record = self._job(kind, operation, name)
        if record["status"] != "InProgress":
            raise LocalError(operation, "ValidationException", f"{name} is {record['status']}, expected InProgress")
        mark = _runner_of(kind, name)
        os.kill(int(mark.partition(":")[0]), signal.SIGTERM)

    def _job(self, kind: str, operation: str, name: str) -> dict[str, Any]:
        record = local_records.read(kind, name)
        if record is None:
            raise _not_found(operation, name)
        # first whether it is there, then what it wrote last: it may end in between
        alive = local_records.is_alive(_runner_of(kind, name))
        record = local_records.read(kind, name) or record
        if record["status"] in ("InProgress", "Stopping") and not alive and _is_old(record["created"]):
            record["status"] = "Failed"
            record["failure"] = "InternalServerError: the process that ran this job was killed"
            record["transitions"].append(
                {"Status": "Failed", "StartTime": local_records.now(), "StatusMessage": record["failure"]}
            )
            local_records.write(kind, name, record)
        return record

    def list_training_jobs(self, NameContains: str = "", **_: Any) -> dict[str, Any]:  # noqa: N803
        keys = ("TrainingJobName", "TrainingJobArn", "CreationTime", "TrainingJobStatus")
        return {"TrainingJobSummaries": _newest_first(TRAINING_JOBS, NameContains, self.describe_training_job, keys)}

    def list_transform_jobs(self, NameContains: str = "", **_: Any) -> dict[str, Any]:  # noqa: N803
        keys = ("TransformJobName", "TransformJobArn", "CreationTime", "TransformJobStatus")
        return {"TransformJobSummaries": _newest_first(TRANSFORM_JOBS, NameContains, self.describe_transform_job, keys)}

    # --- Models and endpoint configurations --------------------------------------------------------------------------
    def create_model(self, **request: Any) -> dict[str, Any]:
        local_requests.check("CreateModel", request)
        self._require(request["PrimaryContainer"]["ModelDataUrl"])
        return {"ModelArn": _create("CreateModel", MODELS, "model", request["ModelName"], request)}

    def describe_model(self, ModelName: str) -> dict[str, Any]:  # noqa: N803
        return _described("DescribeModel", MODELS, ModelName)

    def delete_model(self, ModelName: str) -> dict[str, Any]:  # noqa: N803
        return _delete("DeleteModel", MODELS, ModelName)

    def create_endpoint_config(self, **request: Any) -> dict[str, Any]:
        local_requests.check("CreateEndpointConfig", request)
        if len(request["ProductionVariants"]) != 1:
            raise LocalError(
                "CreateEndpointConfig", "ValidationException", "ProductionVariants are several, expected 1"
            )
        self.describe_model(ModelName=request["ProductionVariants"][0]["ModelName"])
        name = request["EndpointConfigName"]
        return {
            "EndpointConfigArn": _create("CreateEndpointConfig", ENDPOINT_CONFIGS, "endpoint-config", name, request)
        }

    def describe_endpoint_config(self, EndpointConfigName: str) -> dict[str, Any]:  # noqa: N803
        return _described("DescribeEndpointConfig", ENDPOINT_CONFIGS, EndpointConfigName)

    def delete_endpoint_config(self, EndpointConfigName: str) -> dict[str, Any]:  # noqa: N803
        return _delete("DeleteEndpointConfig", ENDPOINT_CONFIGS, EndpointConfigName)

    def list_models(self, NameContains: str = "", **_: Any) -> dict[str, Any]:  # noqa: N803
        return {"Models": [{"ModelName": name} for name in local_records.names(MODELS) if NameContains in name]}

    def list_endpoint_configs(self, NameContains: str = "", **_: Any) -> dict[str, Any]:  # noqa: N803
        names = [name for name in local_records.names(ENDPOINT_CONFIGS) if NameContains in name]
        return {"EndpointConfigs": [{"EndpointConfigName": name} for name in names]}

    # --- Endpoints ---------------------------------------------------------------------------------------------------
    def create_endpoint(self, **request: Any) -> dict[str, Any]:
        local_requests.check("CreateEndpoint", request)
        name = request["EndpointName"]
        arn = f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:endpoint/{name}"
        record = {
            "request": request,
            "arn": arn,
            "created": local_records.now(),
            "status": "Creating",
            "next": _being_started(request["EndpointConfigName"], 1),
        }
        if not local_records.create(ENDPOINTS, name, record):
            raise LocalError("CreateEndpoint", "ResourceInUse", f"{name} exists already")
        try:
            self._serve(name, record)
        except BaseException:
            self.delete_endpoint(EndpointName=name)
            raise
        return {"EndpointArn": arn}

    def update_endpoint(self, **request: Any) -> dict[str, Any]:
        """Start what is new beside what serves; ``describe_endpoint`` puts it in its place once it is healthy."""
        local_requests.check("UpdateEndpoint", request)
        name = request["EndpointName"]
        described = self.describe_endpoint(EndpointName=name)
        if described["EndpointStatus"] != "InService":
            raise LocalError("UpdateEndpoint", "ValidationException", f"{name} is {described['EndpointStatus']}")
        record = local_records.read(ENDPOINTS, name) or {}
        before = dict(record)
        latest = max(each["version"] for each in (record["serving"], record.get("failed", record["serving"])))
        record |= {"status": "Updating", "next": _being_started(request["EndpointConfigName"], latest + 1)}
        local_records.write(ENDPOINTS, name, record)
        try:
            self._serve(name, record)
        except BaseException:
            _end_others(name, before["serving"])
            local_records.write(ENDPOINTS, name, before)
            raise
        return {"EndpointArn": record["arn"]}

    def _serve(self, name: str, record: dict[str, Any]) -> None:
        """Start what comes next, and write down what it is."""
        started = record["next"]
        variant = self.describe_endpoint_config(EndpointConfigName=started["config"])["ProductionVariants"][0]
        container = self.describe_model(ModelName=variant["ModelName"])["PrimaryContainer"]
        folder = local_records.folder_of(ENDPOINTS, name) / str(started["version"])
        shutil.rmtree(folder, ignore_errors=True)  # what an update left that could not be started
        ml = folder / "ml"
        archive = folder / "model.tar.gz"
        self._storage.download(container["ModelDataUrl"], archive)
        unpack(archive, ml / "model", container["ModelDataUrl"])
        archive.unlink()
        environment = {"SAGEMAKER_RL_PAGE": "1", **container.get("Environment", {})}
        started["variant"] = variant["VariantName"]
        if engine_for(container["Image"]) == "docker":
            image = container["Image"]
            engine = engines.DockerEngine(
                image, image, {LABEL_RUNS: str(local_records.runs_folder()), LABEL_ENDPOINT: name}
            )
            running, url = engine.serve(ml, f"{name}-{started['version']}", environment)
            started |= {"container": running.container.name, "url": url}
        else:
            command, settings, url = engines.ProcessEngine.server(environment)
            with (folder / "log").open("w", encoding="utf-8") as log:
                process = engines.start_process(command, ml, settings, log)
            started |= {"process": local_records.process_mark(process.pid), "url": url, "log": str(folder / "log")}
        local_records.write(ENDPOINTS, name, record)

    def describe_endpoint(self, EndpointName: str) -> dict[str, Any]:  # noqa: N803
        arn = f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:endpoint/{EndpointName}"
        try:
            record = local_records.read(ENDPOINTS, EndpointName)
        except local_records.Damaged as damaged:  # it can be seen, and deleted
            print(damaged, file=sys.stderr)
            record = {"arn": arn, "created": local_records.now(), "status": "Failed", "failure": str(damaged)}
        if record is None:
            raise _not_found("DescribeEndpoint", EndpointName)
        if "next" in record:
            self._settle(EndpointName, record)
        elif record["status"] == "InService" and not _is_running(record["serving"]):
            record |= {"status": "Failed", "failure": "The container has ended."}
            local_records.write(ENDPOINTS, EndpointName, record)
        serving = record.get("serving") or record.get("next") or {}
        described = {
            "EndpointName": EndpointName,
            "EndpointArn": record["arn"],
            "EndpointConfigName": serving.get("config", record.get("request", {}).get("EndpointConfigName", "")),
            "EndpointStatus": record["status"],
            "CreationTime": _time(record["created"]),
            "ProductionVariants": [{"VariantName": serving.get("variant", ""), "CurrentInstanceCount": 1}],
            "LocalUrl": serving.get("url", ""),
        }
        if "failure" in record:
            described["FailureReason"] = record["failure"]
        return described

    def _settle(self, name: str, record: dict[str, Any]) -> None:
        """Look whether what was started is healthy; if so let it serve, and end what served before."""
        started = record["next"]
        if "url" not in started:
            if local_records.is_alive(started["starter"]):
                return
            failure = "The process that started its container was killed."
        elif not _is_running(started):
            failure = "The container ended before it was healthy."
        elif _is_healthy(started["url"]):
            before = record.get("serving")
            del record["next"]
            record |= {"serving": started, "status": "InService"}
            record.pop("failure", None)
            record.pop("failed", None)
            local_records.write(ENDPOINTS, name, record)
            if before:
                _end(before)
            return
        elif time.time() - _time(started["started"]).timestamp() > SECONDS_TO_START:
            failure = f"The container was not healthy within {SECONDS_TO_START} s."
        else:
            return
        record["failed"] = {"version": started["version"], "lines": _log_lines(started) if "url" in started else []}
        _end_others(name, record.get("serving"))
        del record["next"]
        # an update that fails leaves what served before
        record |= {"failure": failure, "status": "InService" if "serving" in record else "Failed"}
        local_records.write(ENDPOINTS, name, record)

    def list_endpoints(self, NameContains: str = "", **_: Any) -> dict[str, Any]:  # noqa: N803
        keys = ("EndpointName", "EndpointArn", "CreationTime", "EndpointStatus")
        return {"Endpoints": _newest_first(ENDPOINTS, NameContains, self.describe_endpoint, keys)}

    def delete_endpoint(self, EndpointName: str) -> dict[str, Any]:  # noqa: N803
        try:
            record = local_records.read(ENDPOINTS, EndpointName) or {}
        except local_records.Damaged:
            record = {}
        for started in (record.get("serving", {}), record.get("next", {})):
            if "url" in started:
                _end(started)
        _end_others(EndpointName, None)
        return _delete("DeleteEndpoint", ENDPOINTS, EndpointName)


class LocalRuntime:
    """The method of boto3's ``sagemaker-runtime`` client."""

    def __init__(self) -> None:
        self._client = httpx.Client(trust_env=False, timeout=SECONDS_TO_INVOKE)  # a proxy is not for this machine
        self._urls: dict[str, str] = {}

    def invoke_endpoint(
        self,
        EndpointName: str,  # noqa: N803
        Body: bytes | str,  # noqa: N803
        ContentType: str = "",  # noqa: N803
        Accept: str = "",  # noqa: N803
        CustomAttributes: str = "",  # noqa: N803
    ) -> dict[str, Any]:
        record = local_records.read(ENDPOINTS, EndpointName)
        if record is None or "serving" not in record:
            raise LocalError(
                "InvokeEndpoint", "ValidationError", f"Endpoint {EndpointName} of account local not found."
            )
        headers = {
            "Content-Type": ContentType,
            "Accept": Accept,
            "X-Amzn-SageMaker-Custom-Attributes": CustomAttributes,
        }
        try:
            answer = self._client.post(
                f"{record['serving']['url']}/invocations",
                content=Body.encode() if isinstance(Body, str) else Body,
                headers={name: value for name, value in headers.items() if value},
            )
        except httpx.TransportError as error:
            raise LocalError(
                "InvokeEndpoint", "ServiceUnavailable", f"The container does not answer: {error}"
            ) from None
        if answer.status_code >= 400:
            kind = "client" if answer.status_code < 500 else "server"
            message = (
                f'Received {kind} error ({answer.status_code}) from primary with message "{answer.text}". '
                f"See the log of endpoint {EndpointName}."
            )
            refused = LocalError("InvokeEndpoint", "ModelError", message)
            refused.response.update(OriginalStatusCode=answer.status_code, OriginalMessage=answer.text)
            raise refused
        return {
            "Body": io.BytesIO(answer.content),
            "ContentType": answer.headers.get("Content-Type", ""),
            "InvokedProductionVariant": record["serving"]["variant"],
            "CustomAttributes": answer.headers.get("X-Amzn-SageMaker-Custom-Attributes", ""),
        }


class LocalLogs:
    """The methods of boto3's ``logs`` client that the scripts use, on the logs of this machine."""

    def describe_log_streams(self, logGroupName: str, logStreamNamePrefix: str = "", **_: Any) -> dict[str, Any]:  # noqa: N803
        kind = LOG_GROUPS.get(logGroupName.removeprefix("/aws/sagemaker/").partition("/")[0], "")
        name = logGroupName.rpartition("/")[2] if kind == ENDPOINTS else logStreamNamePrefix.partition("/")[0]
        if kind == ENDPOINTS:
            streams = [f"AllTraffic/version-{version}" for version in _logs_of(name)]
        else:
            streams = [f"{name}/{file.stem}" for file in sorted(local_records.folder_of(kind, name).glob("logs/*.log"))]
        return {"logStreams": [{"logStreamName": stream} for stream in streams]}

    def get_log_events(
        self,
        logGroupName: str,  # noqa: N803
        logStreamName: str,  # noqa: N803
        nextToken: str = "0",  # noqa: N803
        **_: Any,
    ) -> dict[str, Any]:
        kind = LOG_GROUPS[logGroupName.removeprefix("/aws/sagemaker/").partition("/")[0]]
        if kind == ENDPOINTS:
            lines = _logs_of(logGroupName.rpartition("/")[2]).get(int(logStreamName.rpartition("-")[2]), [])
            whole = "".join(f"{line}\n" for line in lines).encode()
        else:
            name, _slash, stream = logStreamName.partition("/")
            whole = (local_records.folder_of(kind, name) / "logs" / f"{stream}.log").read_bytes()
        start = int(nextToken)
        end = whole.rfind(b"\n") + 1  # a line that is still being written comes with the next call
        lines = whole[start:end].decode("utf-8", "replace").splitlines()
        events = [{"timestamp": int(time.time() * 1000), "message": line} for line in lines]
        return {"events": events, "nextForwardToken": str(max(start, end))}


class LocalAutoscaling:
    """The methods of boto3's ``application-autoscaling`` client: this machine does not scale, and says so."""

    def register_scalable_target(self, **request: Any) -> dict[str, Any]:
        print("Local mode leaves out automatic scaling.", file=sys.stderr)
        return {}

    def put_scaling_policy(self, **request: Any) -> dict[str, Any]:
        return {}

    def deregister_scalable_target(self, **request: Any) -> dict[str, Any]:
        return {}

    def describe_scalable_targets(self, **request: Any) -> dict[str, Any]:
        return {"ScalableTargets": []}

    def describe_scaling_policies(self, **request: Any) -> dict[str, Any]:
        return {"ScalingPolicies": []}


def remove_leftovers() -> None:
    """Remove the containers and networks of jobs whose own process was killed before it could."""
    try:
        client = images.connect()
    except UsageError:
        return
    label = f"{LABEL_RUNS}={local_records.runs_folder()}"
    for container in client.containers.list(all=True, filters={"label": label}):
        if _is_left(container.labels):
            with contextlib.suppress(APIError):  # another command removes it too
                container.remove(force=True)
                print(f"Removed container {container.name}, which a killed process had left", file=sys.stderr)
    for network in client.networks.list(filters={"label": label}):
        if _is_left(network.attrs.get("Labels") or {}):
            with contextlib.suppress(APIError):
                network.remove()


def _is_left(labels: dict[str, str]) -> bool:
    return LABEL_OWNER in labels and not local_records.is_alive(labels[LABEL_OWNER])


def _newest_first(
    kind: str, part: str, describe: Callable[[str], dict[str, Any]], keys: Sequence[str]
) -> list[dict[str, Any]]:
    """Return some of what describes each of a kind; one whose record is damaged does not hide the others."""
    found = []
    for name in local_records.names(kind):
        if part in name:
            try:
                found.append(describe(name))
            except local_records.Damaged as damaged:
                print(damaged, file=sys.stderr)
    found.sort(key=lambda each: each["CreationTime"], reverse=True)
    return [{key: each[key] for key in keys} for each in found]


def _create(operation: str, kind: str, noun: str, name: str, request: dict[str, Any]) -> str:
    arn = f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:{noun}/{name}"
    if not local_records.create(kind, name, {"request": request, "arn": arn, "created": local_records.now()}):
        raise LocalError(operation, "ResourceInUse", f"{name} exists already")
    return arn


def _described(operation: str, kind: str, name: str) -> dict[str, Any]:
    record = local_records.read(kind, name)
    if record is None:
        raise _not_found(operation, name)
    return {**record["request"], "CreationTime": _time(record["created"])}


def _delete(operation: str, kind: str, name: str) -> dict[str, Any]:
    if not local_records.remove(kind, name):
        raise _not_found(operation, name)
    return {}


def _not_found(operation: str, name: str) -> LocalError:
    return LocalError(operation, "ResourceNotFound", f"there is no {name!r} on this machine")


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _is_old(created: str) -> bool:
    """Tell whether a job was created long enough ago that its process has left its mark."""
    return time.time() - _time(created).timestamp() > 5


def _runner_of(kind: str, name: str) -> str:
    try:
        return (local_records.folder_of(kind, name) / "runner").read_text(encoding="ascii")
    except OSError:
        return ""


def _is_running(started: dict[str, Any]) -> bool:
    if "process" in started:
        return local_records.is_alive(started["process"])
    container = _container(started)
    return container is not None and container.status == "running"


def _is_healthy(url: str) -> bool:
    try:
        return httpx.get(f"{url}/ping", timeout=2, trust_env=False).status_code == 200
    except httpx.TransportError:
        return False


def _being_started(config: str, version: int) -> dict[str, Any]:
    """Return what is known of a version before it runs: whoever starts it may be killed meanwhile."""
    starter = local_records.process_mark(os.getpid())
    return {"config": config, "version": version, "started": local_records.now(), "starter": starter}


def _end_others(endpoint: str, kept: dict[str, Any] | None) -> None:
    """End what runs for an endpoint, whether it has been written down or not, but for what serves."""
    for started in [*_processes_of(endpoint), *_containers_of(endpoint)]:
        if not kept or started.items() - kept.items():
            _end(started)


def _processes_of(endpoint: str) -> list[dict[str, Any]]:
    folder = local_records.folder_of(ENDPOINTS, endpoint)
    found = []
    for settings in Path("/proc").glob("[0-9]*/environ"):
        with contextlib.suppress(OSError):  # it has ended, or is somebody else's
            pid = int(settings.parent.name)
            own = f"\0SAGEMAKER_BASE_DIR={folder}/".encode() in b"\0" + settings.read_bytes()
            if own and os.getsid(pid) == pid:  # its workers end with it
                found.append({"process": local_records.process_mark(pid)})
    return [each for each in found if each["process"]]


def _containers_of(endpoint: str) -> list[dict[str, Any]]:
    try:
        client = images.connect()
    except UsageError:
        return []
    labels = [f"{LABEL_RUNS}={local_records.runs_folder()}", f"{LABEL_ENDPOINT}={endpoint}"]
    return [{"container": each.name} for each in client.containers.list(all=True, filters={"label": labels})]


def _end(started: dict[str, Any]) -> None:
    """End a container or a process that serves, which drains."""
    if "process" in started:
        pid = int(started["process"].partition(":")[0])
        for number, seconds in ((signal.SIGTERM, engines.SECONDS_TO_STOP), (signal.SIGKILL, 5)):
            deadline = time.monotonic() + seconds
            if local_records.is_alive(started["process"]):
                os.kill(pid, number)
            while local_records.is_alive(started["process"]) and time.monotonic() < deadline:
                time.sleep(0.05)
        return
    container = _container(started)
    if container is not None:
        container.stop(timeout=engines.SECONDS_TO_STOP)
        container.remove(force=True)


def _container(started: dict[str, Any]) -> Any:
    try:
        return images.connect().containers.get(started["container"])
    except NotFound:
        return None


def _logs_of(endpoint: str) -> dict[int, list[str]]:
    """Return the log of each version: what serves, what is to, and what failed to."""
    record = local_records.read(ENDPOINTS, endpoint) or {}
    standing = [record[key] for key in ("serving", "next") if "url" in record.get(key, {})]
    logs = {started["version"]: _log_lines(started) for started in standing}
    if failed := record.get("failed"):
        logs[failed["version"]] = failed["lines"]
    return logs


def _log_lines(started: dict[str, Any]) -> list[str]:
    if "process" in started:
        return Path(started["log"]).read_text(encoding="utf-8", errors="replace").splitlines()
    container = _container(started)
    return container.logs().decode("utf-8", "replace").splitlines() if container is not None else []
