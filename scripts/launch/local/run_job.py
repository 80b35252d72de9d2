"""Runs one training, tuning or transform job of local mode: ``python -m launch.local.run_job training-jobs NAME``.

``launch.local.jobs_api`` starts it, as a process of its own for each job, so that a job outlives the script that
created it. SIGTERM stops the job.
"""

import json
import sys
from collections.abc import Callable

from launch.local import records
from launch.local.job import LocalJob
from launch.local.records import JOB_KINDS, TRAINING_JOBS, TRANSFORM_JOBS, TUNING_JOBS, JobRecord
from launch.local.training_job import TrainingJob
from launch.local.transform_job import TransformJob
from launch.local.tuning_job import TuningJob

JOBS: dict[str, Callable[[str, JobRecord], LocalJob]] = {
    TRAINING_JOBS.folder: TrainingJob,
    TRANSFORM_JOBS.folder: TransformJob,
    TUNING_JOBS.folder: TuningJob,
}


def main() -> None:
    folder, name = sys.argv[1:]
    record = records.read(JOB_KINDS[folder], name)
    assert record is not None, "the record is written before this process is started"
    job = JOBS[folder](name, record)
    job.run()
    print(json.dumps(vars(job.record.transitions[-1])))


if __name__ == "__main__":
    main()
