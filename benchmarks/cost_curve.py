"""What our continuous job costs: wall time and peak memory by environment steps and by parallel environments."""

from pathlib import Path
from typing import Any

import training_job
from systems import PPO

STEPS = (100_000, 1_000_000, 10_000_000)
QUICK_STEPS = (100_000, 300_000)
ENVIRONMENTS = (1, 4, 16, 64, 256)
QUICK_ENVIRONMENTS = (16, 256)
STEPS_OF_ENVIRONMENTS = 131_072
QUICK_STEPS_OF_ENVIRONMENTS = 32_768


def steps_settings(steps: int) -> dict[str, str]:
    """Return the hyperparameters of a job of so many steps; it evaluates as often as the preset says."""
    return {"RLCOACH_PRESET": PPO, "seed": "0", "improve_steps": str(steps), "early_stopping_patience": "0"}


def environments_settings(environments: int, quick: bool) -> dict[str, str]:
    """Return the hyperparameters of a job with so many parallel environments."""
    steps = QUICK_STEPS_OF_ENVIRONMENTS if quick else STEPS_OF_ENVIRONMENTS
    return {**steps_settings(steps), "parallel_environments": str(environments)}


def measure(curve: str, settings: dict[str, str], log: Path) -> dict[str, Any]:
    """Run one job; return what is recorded of it. ``curve`` is ``steps`` or ``environments``.

    Raises:
        timed_process.RunFailed: It failed.
    """
    job = training_job.run(settings, log)
    return {
        "system": f"cost-{curve}",
        "environments": int(settings.get("parallel_environments", 0)),
        "environment_steps": job.environment_steps,
        "wall_seconds": job.seconds,
        "peak_memory_kib": job.peak_memory_kib,
        "last_evaluation": job.evaluations[-1].mean_return if job.evaluations else None,
    }
