"""Local mode's answers where AWS would answer with an error; ``launch.aws.errors`` reads and explains both alike."""

from botocore.exceptions import ClientError


class LocalError(ClientError):
    """An error of the form of AWS's, with the operation, AWS's code and a message."""

    service = "Local mode"

    def __init__(self, operation: str, code: str, message: str) -> None:
        super().__init__({"Error": {"Code": code, "Message": message}}, operation)


def not_found(operation: str, name: str) -> LocalError:
    """Return the error for a name that there is nothing of."""
    return LocalError(operation, "ResourceNotFound", f"there is no {name!r} on this machine")


def exists_already(operation: str, name: str) -> LocalError:
    """Return the error for a new resource whose name is taken."""
    return LocalError(operation, "ResourceInUse", f"{name} exists already")
