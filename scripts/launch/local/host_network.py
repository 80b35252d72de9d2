"""The Docker network of a training job's containers."""

import contextlib
import ipaddress
import itertools
import uuid
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import docker
from launch.local import images

Network = tuple[str, dict[str, str]]
"""The name of a network, and the addresses in it by host; no addresses for a network that is not the job's own."""


@contextlib.contextmanager
def host_network(job: str, hosts: Sequence[str], isolated: bool, labels: Mapping[str, str]) -> Iterator[Network]:
    """Yield the network for the containers of a job; several hosts have one of their own while the context is open.

    Args:
        job: its name.
        hosts: their names.
        isolated: whether the containers may reach nothing but each other.
        labels: of the network.
    """
    if len(hosts) == 1:
        yield ("none" if isolated else "bridge"), {}
        return
    network = _create(job, isolated, labels)
    (pool,) = network.attrs["IPAM"]["Config"]
    # the first address is the gateway's
    free = itertools.islice(ipaddress.ip_network(pool["Subnet"]).hosts(), 1, None)
    try:
        yield str(network.name), {host: str(next(free)) for host in hosts}
    finally:
        network.remove()


def _create(job: str, isolated: bool, labels: Mapping[str, str]) -> Any:
    """Create a network in which addresses can be assigned.

    Docker allows that only in a range that was asked for: it picks a free one for a first network, and is asked for the
    same range for the second.
    """
    options: dict[str, Any] = {"internal": isolated, "labels": dict(labels)}
    networks = images.connect().networks
    name = f"{job}-{uuid.uuid4().hex[:6]}"
    first = networks.create(name, **options)
    first.reload()
    ranges = [docker.types.IPAMPool(subnet=pool["Subnet"]) for pool in first.attrs["IPAM"]["Config"]]
    first.remove()
    network = networks.create(name, ipam=docker.types.IPAMConfig(pool_configs=ranges), **options)
    network.reload()
    return network
