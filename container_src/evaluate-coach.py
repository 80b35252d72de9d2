"""Evaluate a checkpoint, given in the job's ``checkpoint`` channel: the entry point of an evaluation job."""

from pathlib import Path

from sagemaker_rl.coach_launcher import SageMakerCoachPresetLauncher
from sagemaker_rl.presetless import find_launcher


class MyLauncher(SageMakerCoachPresetLauncher):
    def default_preset_name(self) -> str:
        return "preset-mountain-car-continuous-clipped-ppo"


if __name__ == "__main__":
    (find_launcher(Path(__file__).parent) or MyLauncher).evaluate_main()
