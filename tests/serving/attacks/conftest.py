"""The server that is attacked: the one of ``--server URL``, or ours."""

import pytest


@pytest.fixture(scope="session")
def url(request: pytest.FixtureRequest) -> str:
    """Return the address of a server of the continuous car's policy, with the limits it has by default."""
    named = request.config.getoption("--server")
    return named.rstrip("/") if named else request.getfixturevalue("server").url


@pytest.fixture(scope="session")
def own_server(request: pytest.FixtureRequest) -> None:
    """Skip what has to start, kill or stop processes, where the server is another's."""
    if request.config.getoption("--server"):
        pytest.skip("needs processes to start and kill, not only --server")
