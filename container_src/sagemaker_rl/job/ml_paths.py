"""The folders of a SageMaker training job.

https://docs.aws.amazon.com/sagemaker/latest/dg/your-algorithms-training-algo-running-container.html
"""

import os
from dataclasses import dataclass
from pathlib import Path

from sagemaker_rl.errors import InputError

BUNDLED_CODE = Path(__file__).resolve().parents[2]
"""The folder of this project's own presets and entry points."""


@dataclass(frozen=True)
class MLPaths:
    """``/opt/ml``, or the folder that SAGEMAKER_BASE_DIR names, as sagemaker-training has it."""

    root: Path

    @classmethod
    def from_environment(cls) -> "MLPaths":
        """Return the folders of the job that this process belongs to."""
        return cls(Path(os.environ.get("SAGEMAKER_BASE_DIR", "/opt/ml")))

    @property
    def config(self) -> Path:
        """Where SageMaker writes what the job was asked for."""
        return self.root / "input" / "config"

    @property
    def hyperparameters(self) -> Path:
        """The file of the hyperparameters."""
        return self.config / "hyperparameters.json"

    def channel(self, name: str) -> Path:
        """Return the folder of an input channel; it exists only if the job has that channel."""
        return self.root / "input" / "data" / name

    @property
    def code(self) -> Path:
        """Where sagemaker-training unpacks a user's own source (script mode)."""
        return self.root / "code"

    @property
    def model(self) -> Path:
        """Becomes model.tar.gz."""
        return self.root / "model"

    @property
    def output_data(self) -> Path:
        """Becomes output.tar.gz."""
        return self.root / "output" / "data"

    @property
    def intermediate(self) -> Path:
        """Uploaded while the job runs, when it has the hyperparameter sagemaker_s3_output."""
        return self.root / "output" / "intermediate"

    @property
    def checkpoint(self) -> Path:
        """Where a job saves its checkpoint; a part of output.tar.gz."""
        return self.output_data / "checkpoint"

    @property
    def synced_checkpoint(self) -> Path:
        """Synced with S3 both ways while the job runs; it exists only if the job has a CheckpointConfig."""
        return self.root / "checkpoints"

    @property
    def failure(self) -> Path:
        """Its first 1,024 characters become the job's FailureReason."""
        return self.root / "output" / "failure"

    def resolve(self, path: str | Path) -> Path:
        """Return where ``path`` is here: programs written for SageMaker name ``/opt/ml`` outright."""
        inside = Path(os.path.normpath(path))
        return self.root / inside.relative_to("/opt/ml") if inside.is_relative_to("/opt/ml") else inside

    def create_outputs(self, with_intermediate: bool = True) -> None:
        """Create the folders that a job writes to, and prove that they can be written.

        Args:
            with_intermediate: also ``output/intermediate``. It must be absent when sagemaker-training starts, which
                else assumes that the platform uploads the folder (its intermediate_output.py).

        Raises:
            InputError: A folder cannot be created or written.
        """
        folders = [self.model, self.output_data]
        folders += [self.intermediate] if with_intermediate else []
        folders += [self.synced_checkpoint] if self.synced_checkpoint.is_dir() else []
        for folder in folders:
            try:
                folder.mkdir(parents=True, exist_ok=True)
                probe = folder / ".writable"
                try:
                    probe.write_bytes(b"x")  # a full disk takes an empty file
                finally:
                    probe.unlink(missing_ok=True)
            except OSError as error:
                raise InputError(f"Output folder {folder} cannot be written: {error.strerror}.") from None
