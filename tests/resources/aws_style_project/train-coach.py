"""Train, as programs for AWS's Coach image do it."""

from rl_coach.core_types import EnvironmentSteps
from sagemaker_rl.coach_launcher import SageMakerCoachPresetLauncher

ROLLOUT = "rl.agent_params.algorithm.num_consecutive_playing_steps:EnvironmentSteps"
PERIOD = "rl.steps_between_evaluation_periods:EnvironmentSteps"
TARGET = "rl.agent_params.algorithm.num_steps_between_copying_online_weights_to_target:EnvironmentSteps"


class MyLauncher(SageMakerCoachPresetLauncher):
    def default_preset_name(self):
        return "preset-tank.py"

    def map_hyperparameter(self, name, value):
        mapping = {
            "gamma": "rl.agent_params.algorithm.discount",
            "steps_per_training": ROLLOUT,
            "total_steps": "rl.improve_steps:EnvironmentSteps",
        }
        if name in mapping:
            self.apply_hyperparameter(mapping[name], value)
        else:
            super().map_hyperparameter(name, value)

    def get_config_args(self, parser):
        args = super().get_config_args(parser)
        if ROLLOUT in self.hyperparameters.hp_dict:
            rollout = self.hyperparameters.hp_dict[ROLLOUT]
            self.hyperparameters.hp_dict[TARGET] = rollout
            self.hyperparameters.hp_dict[PERIOD] = int(rollout) * 2
        return args

    def _save_tf_model(self):
        import tensorflow as tf

        tf.compat.v1.disable_eager_execution()


if __name__ == "__main__":
    MyLauncher.train_main()
