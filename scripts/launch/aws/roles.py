"""The execution role that SageMaker assumes for a job or an endpoint: finding it, making it, waiting for it.

https://docs.aws.amazon.com/sagemaker/latest/dg/sagemaker-roles.html
"""

import json
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Self

from botocore.exceptions import ClientError

from launch.aws import errors as aws_errors
from launch.aws.clients import Clients
from launch.aws.role_permissions import Permissions, changes, listed
from launch.cli.dry_run import Request
from launch.cli.errors import UsageError
from launch.cli.progress import waiting_for
from launch.cli.values import ROLE_ARN

POLICY_NAME = "rl-mountain-car"
SERVICE = "sagemaker.amazonaws.com"
ASSUMING = ("sts:AssumeRole", "sts:*", "*")
"""Actions of a trust policy that let its principal assume the role."""
TRUST_POLICY: dict[str, Any] = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": SERVICE}, "Action": ASSUMING[0]}],
}
"""Lets SageMaker assume a role; ``trust_policy`` restricts it to the account's own jobs and endpoints."""
SOURCE_ACCOUNT = "aws:SourceAccount"
STUDIOS_ROLE = "AmazonSageMaker-ExecutionRole"
"""Roles that SageMaker's console makes have names that begin so, and the path ``service-role/``."""
NOT_YET_ASSUMABLE = re.compile("could not assume role|sts:AssumeRole|ensure that the role", re.IGNORECASE)
NO_MODEL_DATA = re.compile(r"could not access model data(?: at (s3://[^\s,]*[^\s,.]))?", re.IGNORECASE)
"""A sentence of SageMaker's that goes on with all that a role needs, sts:AssumeRole too: the role lacks the file."""
SECONDS_UNTIL_ASSUMABLE = 60
ASSUMED = re.compile(r"arn:(aws[a-z-]*):sts::(\d{12}):assumed-role/([\w+=,.@-]+)/")


def project_role_name(clients: Clients) -> str:
    """Return the name of the role that this project makes: one for each region, as its policy names the region."""
    return f"rl-mountain-car-{clients.region}"


def trust_policy(account: str) -> dict[str, Any]:
    """Return the trust policy of a role that SageMaker may assume for what this account has asked it to do.

    https://docs.aws.amazon.com/sagemaker/latest/dg/security-confused-deputy-prevention.html
    """
    statement = {**TRUST_POLICY["Statement"][0], "Condition": {"StringEquals": {SOURCE_ACCOUNT: account}}}
    return {**TRUST_POLICY, "Statement": [statement]}


def execution_role(clients: Clients, role: str | None) -> str:
    """Return the ARN of the role to use.

    The role given by ARN or name; else the caller's, if SageMaker may assume it; else the one of ``create_role.py``. A
    role given by its ARN is not looked at: it may be another account's, or the caller may not look.

    Raises:
        UsageError: There is none, or SageMaker may not assume it.
    """
    if role and ROLE_ARN.fullmatch(role):
        return role
    if clients.default_role:  # a name is kept, so that local mode says that it leaves the role out
        return f"{clients.default_role.rpartition('/')[0]}/{role}" if role else clients.default_role
    if role:
        named = _find(clients, role)
        if named is None:
            raise UsageError(
                f"--role is {role!r}, expected the ARN or the name of a role of account {clients.account}."
            )
        return _require_trust(named)
    if callers := callers_role(clients):
        return callers
    projects = _find(clients, project_role_name(clients))
    if projects is None:
        raise UsageError("There is no execution role: make one with scripts/create_role.py, or give --role.")
    return _require_trust(projects)


def _require_trust(role: dict[str, Any]) -> str:
    """Return the ARN of a role that SageMaker may assume."""
    if not may_be_assumed(role["AssumeRolePolicyDocument"]):
        raise UsageError(
            f"The role is {role['RoleName']}, which SageMaker may not assume: its trust policy has to allow "
            f"{SERVICE} sts:AssumeRole."
        )
    return str(role["Arn"])


def may_be_assumed(trust: dict[str, Any]) -> bool:
    """Tell whether a trust policy lets SageMaker assume its role."""
    for statement in listed(trust.get("Statement")):
        principal = statement.get("Principal")
        services = listed(principal.get("Service")) if isinstance(principal, dict) else listed(principal)
        actions = listed(statement.get("Action"))
        if statement.get("Effect") == "Allow" and {SERVICE, "*"} & {*services} and {*ASSUMING} & {*actions}:
            return True
    return False


def callers_role(clients: Clients) -> str | None:
    """Return the ARN of the caller's own role if SageMaker may assume it, as in a SageMaker notebook; else None."""
    assumed = ASSUMED.match(clients.caller["Arn"])
    if not assumed:
        return None
    try:
        role = _find(clients, assumed[3])
    except ClientError:  # a notebook's role is often not allowed to read roles
        path = "service-role/" if assumed[3].startswith(STUDIOS_ROLE) else ""
        return f"arn:{assumed[1]}:iam::{assumed[2]}:role/{path}{assumed[3]}" if "SageMaker" in assumed[3] else None
    return str(role["Arn"]) if role and may_be_assumed(role["AssumeRolePolicyDocument"]) else None


@dataclass(frozen=True)
class Role:
    """A role of this project as IAM has it.

    Attributes:
        name: its name.
        trust: its trust policy; None if there is no role.
        policy: its inline policy of this project; empty if there is none.
    """

    name: str
    trust: dict[str, Any] | None
    policy: dict[str, Any]

    @classmethod
    def find(cls, clients: Clients, name: str) -> Self:
        """Return what there is of a role of that name."""
        role = _find(clients, name)
        if role is None:
            return cls(name, None, {})
        answer = aws_errors.describe_if_exists(clients.iam.get_role_policy, RoleName=name, PolicyName=POLICY_NAME)
        return cls(name, role["AssumeRolePolicyDocument"], answer["PolicyDocument"] if answer else {})

    def update(
        self, clients: Clients, permissions: Permissions, tags: list[dict[str, str]]
    ) -> tuple[list[Request], list[str]]:
        """Return the API requests that give it these permissions, and what they change, a line each; none of a thing.

        A trust policy that somebody has edited, and that lets SageMaker assume the role, stays as it is.
        """
        document, trust = permissions.document(clients), trust_policy(clients.account)
        requests: list[Request] = []
        lines: list[str] = []
        if self.trust is None:
            create: dict[str, Any] = {
                "RoleName": self.name,
                "AssumeRolePolicyDocument": json.dumps(trust),
                "Description": "SageMaker jobs and endpoints of the Mountain Car project",
            }
            requests.append(("CreateRole", {**create, **({"Tags": tags} if tags else {})}))
            lines.append(f"added: the role {self.name}, for SageMaker in account {clients.account}")
        elif self.trust == TRUST_POLICY or not may_be_assumed(self.trust):
            update = {"RoleName": self.name, "PolicyDocument": json.dumps(trust)}
            requests.append(("UpdateAssumeRolePolicy", update))
            lines.append(f"added: only SageMaker in account {clients.account} may assume it ({SOURCE_ACCOUNT})")
        elif SOURCE_ACCOUNT not in json.dumps(self.trust):
            lines.append(
                f"left as it is: the trust policy, which has been edited; it does not ask for {SOURCE_ACCOUNT}"
            )
        if document != self.policy:
            put = {"RoleName": self.name, "PolicyName": POLICY_NAME, "PolicyDocument": json.dumps(document)}
            requests.append(("PutRolePolicy", put))
            of_permissions = changes(Permissions.of(self.policy), permissions)
            lines += of_permissions or ["added: what this version of the project asks for beside files"]
        return requests, lines


@waiting_for("SageMaker to take on the role")
def call_once_assumable(clients: Clients, call: Callable[..., Any], request: dict[str, Any]) -> None:
    """Make a call that names a role; repeat it for a while if SageMaker cannot assume the role, which may be new.

    https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot.html#troubleshoot_general_eventual-consistency
    """
    deadline = time.monotonic() + SECONDS_UNTIL_ASSUMABLE
    announced = False
    while True:
        try:
            call(**request)
            return
        except ClientError as error:
            _explain_model_data(error)
            refused = aws_errors.code_of(error) == "ValidationException" and NOT_YET_ASSUMABLE.search(str(error))
            if not refused or time.monotonic() > deadline:
                raise
        if not announced:
            waiting = f"waiting up to {SECONDS_UNTIL_ASSUMABLE} s"
            print(f"SageMaker cannot take on the role, which may be new: {waiting}", flush=True)
            announced = True
        time.sleep(clients.seconds_between_polls)


def _explain_model_data(error: ClientError) -> None:
    """Raise a UsageError if SageMaker refuses a model because its role may not read the file."""
    match = NO_MODEL_DATA.search(str(error))
    if match:
        address = match[1] or "the model"
        below = address.rpartition("/")[0] if match[1] else "s3://bucket/prefix"
        raise UsageError(
            f"SageMaker cannot read {address} with the role: it has to be there, in the endpoint's region, and "
            f"readable to the role (scripts/create_role.py --read {below}, and --kms-key if it is encrypted by a key)."
        ) from None


def create_or_update(clients: Clients, name: str, requests: list[Request]) -> str:
    """Send what ``Role.update`` returned, and return the role's ARN."""
    operations = {
        "CreateRole": clients.iam.create_role,
        "UpdateAssumeRolePolicy": clients.iam.update_assume_role_policy,
        "PutRolePolicy": clients.iam.put_role_policy,
    }
    for operation, request in requests:
        operations[operation](**request)
        if operation == "CreateRole":
            clients.iam.get_waiter("role_exists").wait(RoleName=name)
    return str(clients.iam.get_role(RoleName=name)["Role"]["Arn"])


def _find(clients: Clients, name: str) -> dict[str, Any] | None:
    answer = aws_errors.describe_if_exists(clients.iam.get_role, RoleName=name.rpartition("/")[2])
    return dict(answer["Role"]) if answer else None
