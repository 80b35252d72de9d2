"""The report at the end of a job. A job without one has not failed: the log says why there is none."""

import os

from sagemaker_rl.job import failures, outputs
from sagemaker_rl.job.ml_paths import MLPaths


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
