from sagemaker_rl.coach_launcher import SageMakerCoachPresetLauncher


class MyLauncher(SageMakerCoachPresetLauncher):
    def default_preset_name(self):
        return "preset-greenhouse"


if __name__ == "__main__":
    MyLauncher.evaluate_main()
