"""What a job's hyperparameters say about the job itself, and not about its preset."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sagemaker_rl.job.hyperparameters import checked_choice, checked_count, checked_flag


@dataclass(frozen=True)
class Options:
    """What a job's hyperparameters say about the job and not about its preset."""

    seed: int | None = None
    """Of everything random; None for a different run each time."""
    save_model: bool | None = None
    """Whether to write the policy artifact; None to write it if the artifact can hold the policy."""
    accelerate: bool = True
    """Whether to take the fast path where it does all that the preset asks for."""
    parallel_environments: int | None = None
    """How many copies of the environment the fast path steps together, at most; None for the algorithm's default."""
    environment_processes: int | None = None
    """In how many processes the fast path steps those copies; None to decide by what a step takes."""
    keep_best: bool = True
    """Whether to end with the policy of the best evaluation, else with the last."""
    early_stopping_patience: int | None = None
    """Evaluations in a row that find no better policy, after which training ends; 0 for never, None as the preset says.

    The name is that of Hugging Face's ``EarlyStoppingCallback``.
    """
    resume: str = "exact"
    """What is taken from a checkpoint in the synchronized folder: all there is, or the weights alone."""

    @classmethod
    def of(cls, given: Mapping[str, Any], seed: Any = None) -> "Options":
        """Return the options in a job's hyperparameters; ``seed`` is that of a job which gives none.

        Raises:
            InputError: A value does not fit.
        """
        seed = given.get("seed", seed)
        environments, processes, evaluations = (
            None if given.get(name) is None else checked_count(name, given[name])
            for name in ("parallel_environments", "environment_processes", "early_stopping_patience")
        )
        return cls(
            seed=None if seed is None else checked_count("seed", seed),
            save_model=checked_flag("save_model", given["save_model"]) if "save_model" in given else None,
            accelerate=checked_flag("accelerate", given.get("accelerate", 1)),
            parallel_environments=environments,
            environment_processes=processes,
            keep_best=checked_flag("keep_best", given.get("keep_best", 1)),
            early_stopping_patience=evaluations,
            resume=checked_choice("resume", given.get("resume", "exact"), ("exact", "weights")),
        )
