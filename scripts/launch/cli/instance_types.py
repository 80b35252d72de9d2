"""What the name of an instance type says about it."""

import re

WELL_FORMED = re.compile(r"ml\.[a-z]+\d+[a-z0-9-]*\.(?:nano|micro|small|medium|large|\d*xlarge|metal(?:-\d+xl)?)")
ARM64 = re.compile(r"ml\.(?:[a-z]+\d+[a-z]*g[a-z]*|[a-z0-9]+-gb\d+)\..*")
"""Graviton, whose families have a ``g`` after the generation (``m7g``, ``c6gn``), and Grace (``p6e-gb200``)."""


def architecture(instance_type: str) -> str:
    """Return the architecture of an instance type as images name it, ``arm64`` or ``amd64``."""
    return "arm64" if ARM64.fullmatch(instance_type) else "amd64"


def can_scale(instance_type: str) -> bool:
    """Tell whether an endpoint on such instances can scale by itself.

    https://docs.aws.amazon.com/sagemaker/latest/dg/endpoint-auto-scaling-prerequisites.html
    """
    return not instance_type.startswith("ml.t2.")
