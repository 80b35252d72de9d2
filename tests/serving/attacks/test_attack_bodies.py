"""Every body is answered: with the right heads in the right number of rows, or by a 4xx of JSON."""

import pytest
from asking import BODIES, ask_all
from exchanges import RIGHT


@pytest.fixture(scope="session")
def outcomes(url):
    return ask_all(url)


def test_names_are_unique():
    assert len({body.name for body in BODIES}) == len(BODIES)


@pytest.mark.parametrize("name", [body.name for body in BODIES])
def test_body(outcomes, name):
    outcome = outcomes[name]
    assert outcome.kind == RIGHT, f"{outcome.kind}: {outcome.reason}"
