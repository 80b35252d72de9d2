"""The folder of a job."""

import pytest
from job_folders import write_job


@pytest.fixture
def folder(tmp_path):
    """The folder of a job that went well."""
    write_job(tmp_path / "a-job")
    return tmp_path / "a-job"
