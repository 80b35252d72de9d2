"""Train an agent with a Coach preset: the entry point of a training job.

Copy it into your own source folder to set another default preset or to add names of your own.
"""

from typing import Any

from sagemaker_rl.coach_launcher import SageMakerCoachPresetLauncher

ALGORITHM = "rl.agent_params.algorithm"
NETWORK = "rl.agent_params.network_wrappers.main"
SCHEDULE_NAMES = ("training_freq_env_steps", "training_batch_size", "training_epochs")


class MyLauncher(SageMakerCoachPresetLauncher):
    short_names = {
        "discount": f"{ALGORITHM}.discount",
        "gae_lambda": f"{ALGORITHM}.gae_lambda",
        "improve_steps": "rl.improve_steps:EnvironmentSteps",
        "training_freq_env_steps": (
            f"{ALGORITHM}.num_consecutive_playing_steps:EnvironmentSteps",
            # Keeps the target network the same for all epochs.
            f"{ALGORITHM}.num_steps_between_copying_online_weights_to_target:EnvironmentSteps",
            # Evaluates once between two trainings.
            "rl.steps_between_evaluation_periods:EnvironmentSteps",
        ),
        "training_learning_rate": f"{NETWORK}.learning_rate",
        "training_batch_size": f"{NETWORK}.batch_size",
        "training_epochs": f"{ALGORITHM}.optimization_epochs",
        "evaluation_episodes": "rl.evaluation_steps:EnvironmentEpisodes",
        "evaluation_freq_env_steps": "rl.steps_between_evaluation_periods:EnvironmentSteps",
    }

    def preset_from_name(self, preset_name: str) -> Any:
        """Adapt what hyperparameters change to the preset's algorithm, once it is known."""
        graph_manager = super().preset_from_name(preset_name)
        algorithm = graph_manager.agent_params.algorithm
        changes = self.hyperparameters.hp_dict
        if not hasattr(algorithm, "optimization_epochs"):
            # DQN trains every few steps: its target network and its evaluations have periods of their own.
            for path in self.short_names["training_freq_env_steps"][1:]:
                if self.hyperparameters.name_of(path) == "training_freq_env_steps":
                    changes.pop(path, None)
        # A negative weight of the entropy lets the policy's noise vanish within the trainings of the preset's own
        # schedule. With more gradient steps between two trainings it would be gone before anything is learnt.
        if self.given.keys() & set(SCHEDULE_NAMES) and getattr(algorithm, "beta_entropy", 0) < 0:
            changes.setdefault(f"{ALGORITHM}.beta_entropy", 0)
        return graph_manager

    def default_preset_name(self) -> str:
        return "preset-mountain-car-continuous-clipped-ppo"


if __name__ == "__main__":
    MyLauncher.train_main()
