"""What a job does for its report: says what it is, puts its policy on trial, and writes the page at its end.

A job whose report cannot be written has not failed: the log says why there is none.
"""

import contextlib
import json
import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from sagemaker_rl.coach_launcher import EVALUATION_SEED
from sagemaker_rl.errors import InputError, PolicyError
from sagemaker_rl.job import outputs
from sagemaker_rl.job.ml_paths import MLPaths
from sagemaker_rl.job.stopping import STOP, Stopped
from sagemaker_rl.policy import export
from sagemaker_rl.policy.artifact import Policy


def introduce(paths: MLPaths, **about: Any) -> None:
    """Write what the job is: kind, preset, environment, algorithm, seed, settings; and what it runs in."""
    image = os.environ.get("SAGEMAKER_RL_IMAGE", "none: processes on this machine")
    outputs.publish_json(
        paths.intermediate / outputs.JOB_FILE,
        {**about, "image": image, "git_revision": outputs.git_revision(), "versions": outputs.versions()},
    )


def add(paths: MLPaths, **more: Any) -> None:
    """Add to what ``introduce`` wrote; where it has written nothing, there is no report to add to."""
    file = paths.intermediate / outputs.JOB_FILE
    with contextlib.suppress(OSError, ValueError):
        outputs.publish_json(file, {**json.loads(file.read_text(encoding="utf-8")), **more})


def put_on_trial(agent: Any, graph_manager: Any, paths: MLPaths) -> None:
    """Play the policy that the job ends with on unseen starts, and write ``trial.npz`` into the job's output.

    It is played from the artifact, as an endpoint does it: the fast path's own arrays may hold a later policy.
    """
    from sagemaker_rl.report import trial
    from sagemaker_rl.training.accelerated.support import environment_maker

    def note(reason: str) -> None:
        add(paths, no_trial=f"The finished policy was not put on trial: {reason}.")

    with _told_if_it_fails("trial of the policy", note):
        make = environment_maker(graph_manager)
        if make is None:
            raise InputError(f"{graph_manager.env_params.level} is no environment of the form module:Class")
        STOP.check()
        export.check_exportable(agent)
        with tempfile.TemporaryDirectory() as folder:
            export.export_policy(agent, graph_manager, Path(folder), {"preset": ""})
            policy = Policy.load(Path(folder))
        trial.play(policy, make, EVALUATION_SEED, STOP.check).save(paths.output_data / trial.FILE)


def write_report(paths: MLPaths) -> None:
    """Write ``report.html`` into the job's output, and into its intermediate output."""
    with _told_if_it_fails("report"):
        from sagemaker_rl.report import page
        from sagemaker_rl.report.run import Run

        name = os.environ.get("TRAINING_JOB_NAME") or "this job"
        content = page.render([Run.read(paths.root, name)])
        for folder in (paths.output_data, paths.intermediate):
            folder.mkdir(parents=True, exist_ok=True)
        outputs.write_text(paths.output_data / page.FILE, content)
        (paths.intermediate / page.FILE).write_text(content, encoding="utf-8")  # see outputs.publish_json
        outputs.metric_line("Report", Saved_in=paths.output_data / page.FILE)


@contextlib.contextmanager
def _told_if_it_fails(what: str, note: Callable[[str], None] = lambda reason: None) -> Iterator[None]:
    try:
        yield
        return
    except Stopped:
        reason = "the job was stopped"
    except (InputError, PolicyError) as error:
        reason = str(error).rstrip(".")
    except Exception as error:  # of a user's own environment, of a full disk: nothing that the job's results depend on
        reason = f"{type(error).__name__}: {error}".rstrip(".")
    outputs.metric_line("Report", Missing=what, Reason=reason)
    note(reason)
