"""The entry point of a training job in the slow environment: ``train.py --local --source-dir benchmarks/scale``."""

from sagemaker_rl.coach_launcher import SageMakerCoachPresetLauncher


class Launcher(SageMakerCoachPresetLauncher):
    """Trains the slow preset; its step takes 5 ms of sleep unless hyperparameters say otherwise."""

    short_names = {"milliseconds": "rl.env_params.additional_simulator_parameters.milliseconds"}

    def default_preset_name(self) -> str:
        """Return the slow preset's."""
        return "preset-slow"


if __name__ == "__main__":
    Launcher.train_main()
