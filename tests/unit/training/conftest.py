"""Coach, repaired before any test imports what stands on it: a file of tests runs alone, too."""

import pytest
from sagemaker_rl.coach.presets import import_coach


@pytest.fixture(scope="session", autouse=True)
def coach() -> None:
    import_coach()
