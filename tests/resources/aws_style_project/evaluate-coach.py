"""Evaluate a checkpoint, as programs for AWS's Coach image do it: everything is set by the program itself."""

import argparse
import os

import rl_coach
from rl_coach.base_parameters import Frameworks
from rl_coach.core_types import EnvironmentSteps
from sagemaker_rl.coach_launcher import CoachConfigurationList, SageMakerCoachPresetLauncher

CHECKPOINT = "/opt/ml/input/data/checkpoint"


class MyLauncher(SageMakerCoachPresetLauncher):
    def default_preset_name(self):
        return "preset-tank"

    def start_single_threaded(self, task_parameters, graph_manager, args):
        task_parameters.__dict__["checkpoint_restore_path"] = args.checkpoint_restore_dir
        graph_manager.create_graph(task_parameters)
        graph_manager.evaluate(EnvironmentSteps(args.evaluate_steps))
        graph_manager.close()

    def get_config_args(self, parser):
        args, _ = parser.parse_known_args(args=[])
        given, others = self.sagemaker_argparser().parse_known_args()

        args.experiment_name = rl_coach.logger.get_experiment_name("sagemaker-experiment")
        args.experiment_path = "/opt/ml/output/intermediate"
        rl_coach.logger.experiment_path = "/opt/ml/output/intermediate"
        args.checkpoint_restore_dir = CHECKPOINT
        args.checkpoint_save_dir = None
        args.framework = Frameworks[os.getenv("COACH_BACKEND", "tensorflow")]
        if args.framework == Frameworks.tensorflow:
            with open(CHECKPOINT + "/checkpoint") as file:
                print(file.read())
        args.preset = given.RLCOACH_PRESET
        args.evaluate = 0
        args.evaluate_steps = given.evaluate_steps
        args.no_summary = True
        self.hyperparameters = CoachConfigurationList()
        if len(others) % 2:
            raise ValueError("A name without a value.")
        for index in range(0, len(others), 2):
            self.map_hyperparameter(others[index][2:], others[index + 1])
        return args

    def sagemaker_argparser(self):
        parser = argparse.ArgumentParser()
        parser.add_argument("-p", "--RLCOACH_PRESET", default=self.default_preset_name(), type=str)
        parser.add_argument("--evaluate_steps", default=1000, type=int)
        return parser

    @classmethod
    def evaluate_main(cls):
        cls().launch()


if __name__ == "__main__":
    MyLauncher.evaluate_main()
