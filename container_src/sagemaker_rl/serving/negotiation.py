"""What a request's headers ask for: the media type of the body, that of the answer, and heads or actions."""

import re
from functools import lru_cache
from typing import NamedTuple

from sagemaker_rl.errors import RequestError
from sagemaker_rl.serving.codecs import CODECS, JSON

HEADS = "heads"
ACTIONS = "actions"
OUTPUTS = (HEADS, ACTIONS)

_MEDIA_TYPES = {alias: name for name, codec in CODECS.items() for alias in (name, *codec.aliases)}
"""The media type by each of its names."""
_QUALITY = re.compile(r"[0-9]+\.?[0-9]*|\.[0-9]+")
"""Of a media range; more than RFC 9110 allows, which has at most three digits: Java's own client says ``q=.2``."""


class RequestedFormat(NamedTuple):
    """What the headers of a request ask for.

    Attributes:
        content_type: media type of the request's body, a key of CODECS.
        accept: media type of the answer, a key of CODECS.
        output: one of OUTPUTS.
    """

    content_type: str
    accept: str
    output: str


@lru_cache(maxsize=1024)
def negotiate(
    content_type: bytes, accept: bytes, custom_attributes: bytes, default_accept: str, default_output: str
) -> RequestedFormat:
    """Return what three headers ask for, or, where they are silent, the defaults.

    Args:
        content_type: the header ``Content-Type``, empty if there is none.
        accept: the header ``Accept``.
        custom_attributes: the header ``X-Amzn-SageMaker-Custom-Attributes``.
        default_accept: media type of the answer to a client that accepts all.
        default_output: one of OUTPUTS.

    Raises:
        RequestError: 415, 406 or 400.
    """
    output = requested_output(custom_attributes.decode("latin-1"), default_output)
    return RequestedFormat(
        content_media_type(content_type.decode("latin-1")),
        accepted_media_type(accept.decode("latin-1"), default_accept),
        output,
    )


def requested_output(custom_attributes: str, default: str) -> str:
    """Return the value of ``output=...`` in ``X-Amzn-SageMaker-Custom-Attributes``, or ``default``.

    Raises:
        RequestError: It is not one of OUTPUTS.
    """
    match = re.search(r"(?:^|[,;\s])output=([^,;\s]*)", custom_attributes)
    if match is None:
        return default
    if match[1] not in OUTPUTS:
        raise RequestError(f"Custom attribute output is {match[1]!r}, expected {' or '.join(OUTPUTS)}.")
    return match[1]


@lru_cache(maxsize=256)
def content_media_type(content_type: str) -> str:
    """Return the supported media type that a Content-Type header names; JSON if it is empty.

    Raises:
        RequestError: 415, it is not supported, or not in UTF-8.
    """
    media_type, *parameters = (part.strip() for part in content_type.lower().split(";"))
    if media_type and media_type not in _MEDIA_TYPES:
        raise RequestError(f"Content-Type is {content_type!r}, expected one of {', '.join(CODECS)}.", 415)
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name == "charset" and value.strip('"') not in ("utf-8", "utf8", "us-ascii"):
            raise RequestError(f"Content-Type is {content_type!r}, expected the character set utf-8.", 415)
    return _MEDIA_TYPES.get(media_type, JSON)


@lru_cache(maxsize=256)
def accepted_media_type(accept: str, default: str = JSON) -> str:
    """Return the media type to answer in: the best of an Accept header (RFC 9110, section 12.5.1).

    Of the types with the highest quality, the one that is named most precisely; of those, the first in the header.

    Args:
        accept: the header; all types if it is empty.
        default: the media type for a client that accepts all.

    Raises:
        RequestError: 406, no accepted media type is supported; 400, a quality is not a number from 0 to 1.
    """
    ranges = [_media_range(text) for text in accept.split(",") if text.strip()] or [("*/*", 1.0)]
    best: tuple[float, int, int, int] | None = None
    chosen = ""
    for preference, media_type in enumerate((default, *(t for t in CODECS if t != default))):
        matches = [
            (precision, quality, -index)
            for index, (name, quality) in enumerate(ranges)
            if (precision := _precision(name, media_type)) >= 0
        ]
        if not matches:
            continue
        precision, quality, order = max(matches)
        rank = (quality, precision, order, -preference)
        if quality > 0 and (best is None or rank > best):
            best, chosen = rank, media_type
    if not chosen:
        raise RequestError(f"Accept is {accept!r}, expected one of {', '.join(CODECS)}.", 406)
    return chosen


def _media_range(text: str) -> tuple[str, float]:
    name, *parameters = (part.strip().lower() for part in text.split(";"))
    quality = 1.0
    for parameter in parameters:
        key, _, value = parameter.partition("=")
        if key.strip() == "q":
            quality = float(value) if _QUALITY.fullmatch(value.strip(" \t")) else -1.0
            if not 0 <= quality <= 1:
                raise RequestError(f"Accept has the quality {value!r}, expected a number from 0 to 1.")
    return _MEDIA_TYPES.get(name, name), quality


def _precision(media_range: str, media_type: str) -> int:
    """Return how precisely a range names a type: 2 by its name, 1 as ``text/*``, 0 as ``*/*``, -1 not at all."""
    if media_range == media_type:
        return 2
    if media_range == media_type.partition("/")[0] + "/*":
        return 1
    return 0 if media_range == "*/*" else -1
