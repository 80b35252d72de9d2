"""KMS keys: whether one can be used, before anything is made that needs it.

https://docs.aws.amazon.com/kms/latest/developerguide/key-state.html
"""

import re

from botocore.exceptions import ClientError

from launch.aws import errors as aws_errors
from launch.aws.clients import Clients
from launch.cli.errors import UsageError

ARN = re.compile(r"arn:aws[a-z-]*:kms:(?P<region>[a-z0-9-]+):")
"""What the ARN of a key or an alias begins with."""


def check(clients: Clients, flag: str, key: str) -> None:
    """Check that a KMS key is there and enabled, if the caller may look.

    Args:
        clients: of the account and the region.
        flag: that gives the key.
        key: its id, ARN or alias.

    Raises:
        UsageError: There is no such key, or it is of another region, disabled, to be deleted, or cannot encrypt data.
    """
    arn = ARN.match(key)
    if arn and arn["region"] != clients.region:
        raise UsageError(f"{flag} is {key!r}, of region {arn['region']}, expected a KMS key of {clients.region}.")
    try:
        metadata = clients.kms.describe_key(KeyId=key)["KeyMetadata"]
    except ClientError as error:
        if aws_errors.is_not_found(error) or aws_errors.code_of(error) == "InvalidArnException":
            raise UsageError(f"{flag} is {key!r}, expected a KMS key that is there{clients.where}.") from None
        if not aws_errors.is_forbidden(error):
            raise
        return
    if metadata["KeyState"] != "Enabled":
        raise UsageError(f"{flag} is {key!r}, a KMS key that is {metadata['KeyState']}, expected one that is Enabled.")
    if metadata.get("KeySpec", "SYMMETRIC_DEFAULT") != "SYMMETRIC_DEFAULT":
        raise UsageError(f"{flag} is {key!r}, a KMS key of {metadata['KeySpec']}, expected a symmetric one.")
