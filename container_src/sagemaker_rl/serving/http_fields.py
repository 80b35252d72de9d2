"""What RFC 9110 and 9112 ask of a request's target and header fields, beyond what the parser checks."""

import re
from typing import NamedTuple
from urllib.parse import unquote_to_bytes

SINGLE_FIELDS = {b"authorization", b"content-type", b"host"}
"""That have no list as their value: a request with two of one is refused, since two readers would take two of them.

RFC 9110, section 5.3. The parser refuses a second Content-Length itself.
"""
_HOST = re.compile(rb"(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9\-._~!$&'()*+,;=%]*)(?::[0-9]*)?")
_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")
_KEPT_ESCAPES = re.compile(r"%(2[Ff5])")


_REQUEST_LINE = re.compile(rb"([!#$%&'*+\-.^_`|~0-9A-Za-z]+) +(\S+) +HTTP/([0-9])\.([0-9])")


class RequestLine(NamedTuple):
    """A request line: method, target and version."""

    method: bytes
    target: bytes
    major: int
    minor: int


def parse_request_line(line: bytes) -> RequestLine | None:
    """Return the parts of a request line (RFC 9112, section 3), None of what is none."""
    match = _REQUEST_LINE.fullmatch(line)
    return RequestLine(match[1], match[2], int(match[3]), int(match[4])) if match else None


def is_host(value: bytes) -> bool:
    """Tell whether a Host field is a host and perhaps a port (RFC 9112, section 3.2; RFC 3986, section 3.2.2)."""
    return _HOST.fullmatch(value) is not None


def split_target(target: bytes) -> tuple[str, str]:
    """Return a target's path, without escapes but ``%2F`` and ``%25``, and its query as it is.

    An encoded slash is part of a name, such as a model's, and separates nothing; what takes a name from a path decodes
    these two.

    Raises:
        ValueError: An escape of the path is not ``%`` and two hexadecimal digits, or the bytes are not UTF-8.
    """
    path, _, query = target.decode("latin-1").partition("?")
    if not path.startswith("/"):  # absolute form, as to a proxy
        path = "/" + path.partition("://")[2].partition("/")[2] if "://" in path else path
    if "%" in path:
        if _ESCAPE.search(path):
            raise ValueError(path)
        path = unquote_to_bytes(_KEPT_ESCAPES.sub(r"%25\1", path)).decode("utf-8")
    return path, query
