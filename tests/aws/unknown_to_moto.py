"""Operations of ECR, IAM and SageMaker that moto does not know, as AWS answers them, for the local AWS server."""

import contextlib
import hashlib
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from local_aws import Aws
from moto.core.responses import ActionResult
from moto.ecr.exceptions import InvalidParameterException
from moto.ecr.responses import ECRResponse
from moto.iam.access_control import IAMPolicy, PermissionResult
from moto.iam.responses import IamResponse
from moto.sagemaker.exceptions import AWSValidationException, ResourceNotFound
from moto.sagemaker.responses import SageMakerResponse

BLOBS: dict[str, bytes] = {}
"""What GetDownloadUrlForLayer leads to, by digest."""
IMAGE, INDEX = (f"application/vnd.oci.image.{kind}.v1+json" for kind in ("manifest", "index"))


class Blobs(BaseHTTPRequestHandler):
    """Serves blobs, as S3 does for ECR."""

    def do_GET(self) -> None:
        body = BLOBS[self.path.lstrip("/")]
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments: Any) -> None:
        pass


@contextlib.contextmanager
def added() -> Iterator[None]:
    """Have moto know them while the context is open."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Blobs)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()

    def get_download_url_for_layer(response: Any) -> ActionResult:
        digest = response._get_param("layerDigest")
        if digest not in BLOBS:
            raise InvalidParameterException(f"There is no layer {digest}.")
        url = f"http://127.0.0.1:{server.server_port}/{digest}"
        return ActionResult({"downloadUrl": url, "layerDigest": digest})

    ECRResponse.get_download_url_for_layer = get_download_url_for_layer
    IamResponse.simulate_principal_policy = simulate_principal_policy
    SageMakerResponse.delete_model_package = delete_model_package
    SageMakerResponse.delete_model_package_group = delete_model_package_group
    SageMakerResponse.create_experiment = create_experiment
    SageMakerResponse.describe_experiment = describe_experiment
    SageMakerResponse.search = search
    yield
    server.shutdown()
    server.server_close()


def delete_model_package(response: Any) -> ActionResult:
    del response.sagemaker_backend.model_packages[response._get_param("ModelPackageName")]
    return ActionResult({})


def delete_model_package_group(response: Any) -> ActionResult:
    """Refuse a group that has packages, as SageMaker does."""
    backend, name = response.sagemaker_backend, response._get_param("ModelPackageGroupName")
    if any(package.model_package_group_name == name for package in backend.model_packages.values()):
        raise AWSValidationException(f"{name} has model packages")
    del backend.model_package_groups[name]
    return ActionResult({})


def create_experiment(response: Any) -> ActionResult:
    """Keep the tags, and refuse a name that is there, as SageMaker does."""
    backend, name = response.sagemaker_backend, response._get_param("ExperimentName")
    if name in backend.experiments:
        raise AWSValidationException(f"Experiment with name {name} already exists.")
    answer = backend.create_experiment(experiment_name=name)
    backend.experiments[name].tags = response._get_param("Tags") or []
    return ActionResult(answer)


def describe_experiment(response: Any) -> ActionResult:
    """Answer of an unknown experiment as SageMaker does: moto fails."""
    name = response._get_param("ExperimentName")
    if name not in response.sagemaker_backend.experiments:
        raise ResourceNotFound(f"Experiment '{name}' does not exist.")
    return ActionResult(response.sagemaker_backend.describe_experiment(experiment_name=name))


def search(response: Any) -> ActionResult:
    """Answer as moto does, which fails at a group of model packages without tags."""
    backend = response.sagemaker_backend
    for group in backend.model_package_groups.values():
        group.tags = group.tags or []
    asked = response._get_param("Resource"), response._get_param("SearchExpression")
    return ActionResult(backend.search(*asked))


def simulate_principal_policy(response: Any) -> ActionResult:
    """Answer by the role's policies in itself, which are all that the scripts make."""
    role = response.backend.get_role_by_arn(response._get_param("PolicySourceArn"))
    results = []
    for action in response._get_param("ActionNames"):
        for resource in response._get_param("ResourceArns"):
            decisions = {
                IAMPolicy(document).is_action_permitted(action, resource) for document in role.policies.values()
            }
            allowed = PermissionResult.PERMITTED in decisions and PermissionResult.DENIED not in decisions
            decision = "allowed" if allowed else "implicitDeny"
            results.append({"EvalActionName": action, "EvalResourceName": resource, "EvalDecision": decision})
    return ActionResult({"EvaluationResults": results, "IsTruncated": False})


def put_image(aws: Aws, repository: str, tag: str, architecture: str, index: bool = False, **labels: str) -> None:
    """Push an image of an architecture with labels, a word each for those of OCI: ``title="cars"``.

    Args:
        aws: the server.
        repository: in ECR; made if it is not there.
        tag: of the image.
        architecture: ``amd64`` and the like.
        index: whether the tag is of an index, as buildx makes it, in which the image is beside an attestation.
        labels: of the image.
    """
    ecr = aws.client("ecr")
    with contextlib.suppress(ecr.exceptions.RepositoryAlreadyExistsException):
        ecr.create_repository(repositoryName=repository)
    of_oci = {f"org.opencontainers.image.{name}": value for name, value in labels.items()}
    config = {"architecture": architecture, "os": "linux", "created": "2026-11-26T10:00:00.123456789Z"}
    digest = _put({**config, "config": {"Labels": of_oci}})
    manifest = {"schemaVersion": 2, "mediaType": IMAGE, "config": {"digest": digest}, "layers": []}
    pushed = ecr.put_image(repositoryName=repository, imageManifest=json.dumps(manifest), imageTag=f"{tag}-alone")
    if not index:
        ecr.put_image(repositoryName=repository, imageManifest=json.dumps(manifest), imageTag=tag)
        return
    of_image = {"digest": pushed["image"]["imageId"]["imageDigest"], "mediaType": IMAGE}
    attestation = {"architecture": "unknown", "os": "unknown"}
    manifests = [
        {**of_image, "platform": attestation},
        {**of_image, "platform": {"architecture": architecture, "os": "linux"}},
    ]
    listed = {"schemaVersion": 2, "mediaType": INDEX, "manifests": manifests}
    ecr.put_image(repositoryName=repository, imageManifest=json.dumps(listed), imageTag=tag)


def _put(content: dict[str, Any]) -> str:
    body = json.dumps(content).encode()
    digest = f"sha256:{hashlib.sha256(body).hexdigest()}"
    BLOBS[digest] = body
    return digest
