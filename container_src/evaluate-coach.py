"""Evaluate a checkpoint, given in the job's ``checkpoint`` channel: the entry point of an evaluation job."""

from sagemaker_rl.coach_launcher import SageMakerCoachPresetLauncher


class MyLauncher(SageMakerCoachPresetLauncher):
    def default_preset_name(self) -> str:
        return "preset-mountain-car-continuous-clipped-ppo"


if __name__ == "__main__":
    MyLauncher.evaluate_main()
