"""The exceptions that a user of the images can meet.

InputError              a mistake in what the user gave: one sentence, no traceback
  NotExportableError    what of an agent no policy artifact can hold
  PolicyError           a policy artifact that is missing, damaged or not of this schema
  RequestError          a request body that an endpoint cannot act on
  MissingError          an import of what the image does not hold
"""

from typing import Any

MAX_TEXT = 200
"""Characters of a space or of an observation in a message."""


class InputError(ValueError):
    """A user's mistake, said in one sentence that names the field, the value and what was expected."""


class NotExportableError(InputError):
    """What of an agent no policy artifact can hold, as the end of a sentence."""


class PolicyError(InputError):
    """The policy artifact is missing, damaged or of an unknown schema."""


class MissingError(InputError, ImportError):
    """A program imports what the image does not hold."""


class RequestError(InputError):
    """An endpoint's client sent something that is not a batch of observations.

    Attributes:
        status: HTTP status to answer with (4xx).
    """

    def __init__(self, detail: str, status: int = 400) -> None:
        super().__init__(detail)
        self.status = status


def shorten(value: Any) -> str:
    """Return ``str(value)`` on one line, cut off where it is long."""
    text = " ".join(str(value).split())
    return text if len(text) <= MAX_TEXT else text[: MAX_TEXT - 1] + "…"
