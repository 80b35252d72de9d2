"""The address of a job's host: what programs written for AWS's image import to find each other."""

import socket
import time

from sagemaker_rl.errors import InputError


def get_ip_from_host(timeout: float = 100, host_name: str | None = None) -> str:
    """Return the IP address of a host, which may take a while to get a name.

    Args:
        timeout: seconds to try.
        host_name: as in resourceconfig.json; None for this host.

    Raises:
        InputError: The name does not resolve in time.
    """
    name = host_name or socket.gethostname()
    deadline = time.monotonic() + timeout
    while True:
        try:
            return socket.gethostbyname(name)
        except OSError as error:
            if time.monotonic() >= deadline:
                raise InputError(f"Host {name!r} has no address after {timeout:g} s: {error}.") from None
            time.sleep(min(1.0, timeout))
