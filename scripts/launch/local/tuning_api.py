"""Tuning jobs of this machine: the methods of boto3's ``sagemaker`` client.

A tuning job is run by a process of its own, as other jobs are, which creates its training jobs; those are jobs like
any other. Which parameters of a request it honours stands in ``launch.local.honoured_parameters``.
"""

from typing import Any

from launch.local import honoured_parameters, records
from launch.local.errors import LocalError
from launch.local.jobs_api import JobsApi, new_record, read_settled, start, stop
from launch.local.records import TRAINING_JOBS, TUNING_JOBS
from launch.local.resource_api import summaries
from launch.local.tuning_search import trials

ENDED = ("Completed", "Failed", "Stopped")
COUNTERS = {"Completed": "Completed", "InProgress": "InProgress", "Stopping": "InProgress", "Stopped": "Stopped"}
"""Of TrainingJobStatusCounters, by the status of a training job; one that failed is a NonRetryableError."""


class TuningApi(JobsApi):
    """The methods of boto3's client that create, describe, list and stop tuning jobs."""

    def create_hyper_parameter_tuning_job(self, **request: Any) -> dict[str, Any]:
        honoured_parameters.check("CreateHyperParameterTuningJob", request)
        name = request["HyperParameterTuningJobName"]
        metric = objective_of(request)["MetricName"]
        metrics = request["TrainingJobDefinition"]["AlgorithmSpecification"].get("MetricDefinitions", [])
        if metric not in [definition["Name"] for definition in metrics]:
            sentence = f"HyperParameterTuningJobObjective.MetricName is {metric!r}, which has no metric definition"
            raise LocalError("CreateHyperParameterTuningJob", "ValidationException", sentence)
        first = next(trials(request["HyperParameterTuningJobConfig"]))
        engine = self.new_training_job(training_request(f"{name}-001", request, first)).engine
        record = new_record(TUNING_JOBS, name, request, engine)
        start(TUNING_JOBS, name, record)
        return {"HyperParameterTuningJobArn": record.arn}

    def describe_hyper_parameter_tuning_job(self, HyperParameterTuningJobName: str) -> dict[str, Any]:  # noqa: N803
        name = HyperParameterTuningJobName
        record = read_settled(TUNING_JOBS, "DescribeHyperParameterTuningJob", name)
        jobs = self.list_training_jobs_for_hyper_parameter_tuning_job(name)["TrainingJobSummaries"]
        statuses = [COUNTERS.get(job["TrainingJobStatus"], "NonRetryableError") for job in jobs]
        results = [job["ObjectiveStatus"] for job in jobs]
        description = {
            **record.request,
            "HyperParameterTuningJobArn": record.arn,
            "HyperParameterTuningJobStatus": record.status,
            "CreationTime": records.time_of(record.created),
            "TrainingJobStatusCounters": {
                counter: statuses.count(counter) for counter in {*COUNTERS.values(), "NonRetryableError"}
            },
            "ObjectiveStatusCounters": {status: results.count(status) for status in ("Succeeded", "Pending", "Failed")},
        }
        optional = {"BestTrainingJob": best_of(jobs), "FailureReason": record.failure}
        return description | {key: value for key, value in optional.items() if value is not None}

    def list_training_jobs_for_hyper_parameter_tuning_job(
        self,
        HyperParameterTuningJobName: str,  # noqa: N803
        **_: Any,
    ) -> dict[str, Any]:
        """Return the training jobs of a tuning job, the oldest first, whatever order is asked for."""
        name = HyperParameterTuningJobName
        record = read_settled(TUNING_JOBS, "ListTrainingJobsForHyperParameterTuningJob", name)
        objective = objective_of(record.request)
        # The last one may not have been created yet.
        created = {job: tuned for job, tuned in record.tuned.items() if records.read(TRAINING_JOBS, job)}
        return {"TrainingJobSummaries": [self._summary(job, tuned, objective) for job, tuned in created.items()]}

    def _summary(self, name: str, tuned: dict[str, str], objective: dict[str, str]) -> dict[str, Any]:
        """Return HyperParameterTrainingJobSummary of a training job."""
        job = self.describe_training_job(TrainingJobName=name)
        keys = ("TrainingJobName", "TrainingJobArn", "TrainingJobStatus", "CreationTime", "FailureReason")
        summary = {key: job[key] for key in keys if key in job} | {"TunedHyperParameters": tuned}
        values = [each for each in job["FinalMetricDataList"] if each["MetricName"] == objective["MetricName"]]
        if job["TrainingJobStatus"] not in ENDED:
            return summary | {"ObjectiveStatus": "Pending"}
        if not values or job["TrainingJobStatus"] == "Failed":
            return summary | {"ObjectiveStatus": "Failed"}
        metric = {**objective, "Value": values[0]["Value"]}
        return summary | {"ObjectiveStatus": "Succeeded", "FinalHyperParameterTuningJobObjectiveMetric": metric}

    def list_hyper_parameter_tuning_jobs(self, NameContains: str = "", **_: Any) -> dict[str, Any]:  # noqa: N803
        noun = "HyperParameterTuningJob"
        keys = (f"{noun}Name", f"{noun}Arn", "CreationTime", f"{noun}Status")
        describe = self.describe_hyper_parameter_tuning_job
        return {f"{noun}Summaries": summaries(TUNING_JOBS, NameContains, describe, keys)}

    def stop_hyper_parameter_tuning_job(self, HyperParameterTuningJobName: str) -> dict[str, Any]:  # noqa: N803
        stop(TUNING_JOBS, HyperParameterTuningJobName)
        return {}


def objective_of(request: dict[str, Any]) -> dict[str, str]:
    """Return HyperParameterTuningJobObjective of a CreateHyperParameterTuningJob request."""
    return dict(request["HyperParameterTuningJobConfig"]["HyperParameterTuningJobObjective"])


def training_request(name: str, request: dict[str, Any], tuned: dict[str, str]) -> dict[str, Any]:
    """Return the CreateTrainingJob request of a training job.

    Args:
        name: of the training job.
        request: CreateHyperParameterTuningJob's.
        tuned: TunedHyperParameters.
    """
    definition = dict(request["TrainingJobDefinition"])
    hyperparameters = {
        **definition.pop("StaticHyperParameters", {}),
        **tuned,
        "_tuning_objective_metric": objective_of(request)["MetricName"],  # as SageMaker does
    }
    return {"TrainingJobName": name, **definition, "HyperParameters": hyperparameters}


def best_of(jobs: list[dict[str, Any]]) -> dict[str, Any] | None:
    """Return the training job with the best value of the objective; None if none has succeeded."""
    succeeded = [job for job in jobs if job["ObjectiveStatus"] == "Succeeded"]
    if not succeeded:
        return None
    metric = "FinalHyperParameterTuningJobObjectiveMetric"
    choose = max if succeeded[0][metric]["Type"] == "Maximize" else min
    return dict(choose(succeeded, key=lambda job: job[metric]["Value"]))
