"""The report at the end of a job. A job without one has not failed: the log says why there is none."""

import os
from collections.abc import Callable

from sagemaker_rl.job import failures, outputs, ranks, stopping
from sagemaker_rl.job.ml_paths import MLPaths

ENTRY_POINT = "sagemaker_rl.training_container:run_job"
"""What the image's entry point has sagemaker-training run (its variable SAGEMAKER_TRAINING_MODULE)."""


def run_and_report(job: Callable[[], None], paths: MLPaths) -> str | None:
    """Run a launcher's job as ``failures.run`` does; write its report, unless the image's entry point does so later.

    SDK v3 puts a shell script of its own in the entry point's place if it is given a source.
    """
    reason = failures.run(job, paths.failure)
    if os.environ.get("SAGEMAKER_TRAINING_MODULE") != ENTRY_POINT and not ranks.of_this_job().rank:
        stopping.ignore()  # who asks again while the last files are written is heard already
        write_report(paths)
    return reason


def write_report(paths: MLPaths) -> None:
    """Write ``report.html`` into the job's output, and into its intermediate output."""
    with failures.tolerated("report"):
        from sagemaker_rl.report import page  # here, so that a fault in importing it is tolerated too
        from sagemaker_rl.report.run import Run

        name = os.environ.get("TRAINING_JOB_NAME") or "this job"
        content = page.render([Run.read(paths.root, name)])
        for folder in (paths.output_data, paths.intermediate):
            folder.mkdir(parents=True, exist_ok=True)
        outputs.write_text(paths.output_data / page.FILE, content)
        (paths.intermediate / page.FILE).write_text(content, encoding="utf-8")  # see outputs.publish_json
        outputs.metric_line("Report", Saved_in=paths.output_data / page.FILE)
