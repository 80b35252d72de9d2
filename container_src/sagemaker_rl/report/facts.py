"""What ran: the page's table of one job, from what the job and SageMaker wrote about it."""

from typing import Any

from sagemaker_rl.report.run import Run

PRESET, SEED = "Preset", "Seed"
STEPS, TRAINING_TIME, SPEED = "Environment steps", "Duration of training", "Steps per second"
"""Facts that the comparison of several runs shows too."""


def list_facts(run: Run) -> list[tuple[str, str]]:
    """Return names and values; what is not known is left out."""
    job, metadata = run.job, run.metadata
    versions = metadata.get("versions") or job.get("versions")
    steps, seconds = metadata.get("environment_steps"), metadata.get("train_seconds")
    billed = run.description.get("BillableTimeInSeconds")
    facts: list[tuple[str, Any]] = [
        ("Job", run.name),
        ("Status", run.status),
        (PRESET, job.get("preset") or metadata.get("preset") or run.evaluation.get("preset")),
        ("Environment", job.get("environment")),
        ("Algorithm", job.get("algorithm")),
        ("Path", job.get("path")),
        ("Image", _image(run)),
        ("Instances", _instances(run)),
        ("Git revision", job.get("git_revision") or metadata.get("git_revision")),
        (SEED, _seed(run)),
        (TRAINING_TIME, _format_seconds(seconds)),
        ("Duration of evaluation", _format_seconds(run.evaluation.get("seconds"))),
        ("Billed", f"{billed} s" if billed else None),
        (STEPS, _format_integer(steps)),
        (SPEED, _format_rate(steps, seconds)),
        ("Episodes", metadata.get("episodes")),
        ("Trainings", metadata.get("training_iterations")),
        ("Policy kept is of step", _format_integer(metadata.get("policy_steps"))),
        ("Versions", _format_versions(versions)),
    ]
    return [(name, str(value)) for name, value in facts if value not in (None, "")]


def _described_object(run: Run, field: str) -> dict[str, Any]:
    """Return an object in SageMaker's description, empty if it is none."""
    content = run.description.get(field)
    return content if isinstance(content, dict) else {}


def _image(run: Run) -> str:
    image = str(run.job.get("image") or "")
    if image.startswith("none"):  # a job as a process: the description names an image that did not run
        return image
    return str(_described_object(run, "AlgorithmSpecification").get("TrainingImage") or image)


def _instances(run: Run) -> str | None:
    resources = _described_object(run, "ResourceConfig")
    instance_type = resources.get("InstanceType")
    return f"{resources.get('InstanceCount', 1)} of {instance_type}" if instance_type else None


def _seed(run: Run) -> Any:
    if "seed" in run.job:
        return "none: random" if run.job["seed"] is None else run.job["seed"]
    return run.metadata.get("seed")


def _format_versions(versions: Any) -> Any:
    return (
        ", ".join(f"{name} {version}" for name, version in versions.items()) if isinstance(versions, dict) else versions
    )


def _format_seconds(value: Any) -> str | None:
    return f"{value:,.1f} s" if isinstance(value, int | float) else None


def _format_integer(value: Any) -> str | None:
    return f"{value:,}" if isinstance(value, int | float) else value or None


def _format_rate(steps: Any, seconds: Any) -> str | None:
    known = isinstance(steps, int | float) and isinstance(seconds, int | float) and seconds
    return f"{steps / seconds:,.0f}" if known else None
