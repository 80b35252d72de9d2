from sagemaker_rl.coach_launcher import SageMakerCoachPresetLauncher


class MyLauncher(SageMakerCoachPresetLauncher):
    short_names = {
        "discount": "rl.agent_params.algorithm.discount",
        "improve_steps": "rl.improve_steps:EnvironmentSteps",
    }

    def default_preset_name(self):
        return "preset-greenhouse"


if __name__ == "__main__":
    MyLauncher.train_main()
