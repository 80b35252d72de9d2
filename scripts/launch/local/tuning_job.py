"""Runs a tuning job on this machine: its training jobs, as many at once as the request says.

https://docs.aws.amazon.com/sagemaker/latest/dg/automatic-model-tuning-how-it-works.html
"""

import contextlib
import time
import uuid
from typing import Any

from botocore.exceptions import ClientError

from launch.cli.errors import JobFailed
from launch.local import records
from launch.local.job import STOPPED, LocalJob, Stop
from launch.local.records import TUNING_JOBS, JobRecord
from launch.local.tuning_api import ENDED, TuningApi, training_request
from launch.local.tuning_search import trials

SECONDS_BETWEEN_POLLS = 0.3
ATTEMPTS = 5
"""Training jobs without a result after which SageMaker gives up, if there has been none with one."""


class TuningJob(LocalJob):
    """A tuning job. A training job that fails, is stopped or is killed does not end it."""

    def __init__(self, name: str, record: JobRecord) -> None:
        super().__init__(TUNING_JOBS, name, record)
        self._api = TuningApi(self.storage)

    def work(self) -> None:
        """See ``LocalJob``; training jobs that run when it is asked to stop are stopped, and waited for."""
        config = self.request["HyperParameterTuningJobConfig"]
        parallel = config["ResourceLimits"]["MaxParallelTrainingJobs"]
        waiting = list(trials(config))
        while True:
            jobs = self._jobs()
            running = [job for job in jobs if job["TrainingJobStatus"] not in ENDED]
            if self.stop_requested.is_set():
                self._stop(running)
                raise Stop(STOPPED)
            results = [job["ObjectiveStatus"] for job in jobs]
            gives_up = "Succeeded" not in results and results.count("Failed") >= ATTEMPTS
            if not running and (gives_up or not waiting):
                break
            while waiting and not gives_up and len(running) < parallel:
                running.append(self._start(waiting.pop(0)))
            self.stop_requested.wait(SECONDS_BETWEEN_POLLS)
        if "Succeeded" not in results:
            raise JobFailed(f"No training job succeeded after {len(results)} attempts.")

    def _jobs(self) -> list[dict[str, Any]]:
        listed = self._api.list_training_jobs_for_hyper_parameter_tuning_job(self.name)
        return list(listed["TrainingJobSummaries"])

    def _start(self, tuned: dict[str, str]) -> dict[str, Any]:
        """Create a training job; return what is known of it."""
        name = f"{self.name}-{len(self.record.tuned) + 1:03}-{uuid.uuid4().hex[:8]}"  # as SageMaker names them
        self.record.tuned[name] = tuned
        records.write(self.kind, self.name, self.record)
        self._api.create_training_job(**training_request(name, self.request, tuned))
        return {"TrainingJobName": name}

    def _stop(self, running: list[dict[str, Any]]) -> None:
        self.record.status = "Stopping"
        self.set_status("Stopping", "Asked to stop")
        for job in running:
            with contextlib.suppress(ClientError):  # it has ended since
                self._api.stop_training_job(TrainingJobName=job["TrainingJobName"])
        while any(job["TrainingJobStatus"] not in ENDED for job in self._jobs()):
            time.sleep(SECONDS_BETWEEN_POLLS)
