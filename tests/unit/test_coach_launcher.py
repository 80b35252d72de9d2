"""Hyperparameters lead to their places in a preset."""

import runpy
from pathlib import Path

import pytest
from jobs import CONTAINER_SRC, DQN, PPO
from sagemaker_rl.coach.presets import find_preset
from sagemaker_rl.coach_launcher import CoachConfigurationList, SageMakerCoachPresetLauncher
from sagemaker_rl.errors import InputError
from sagemaker_rl.job.ml_paths import MLPaths

ALGORITHM = "rl.agent_params.algorithm"


def load_preset(launcher_class, folder: Path, **hyperparameters):
    """Return a launcher whose preset is loaded, with all hyperparameters in place."""
    launcher = launcher_class(hyperparameters, MLPaths(folder))
    launcher.load_preset()
    return launcher


@pytest.fixture
def train_coach():
    return runpy.run_path(str(CONTAINER_SRC / "train-coach.py"))["MyLauncher"]


def test_every_short_name_leads_somewhere(train_coach, tmp_path):
    names = dict.fromkeys(train_coach.short_names, "1")
    ppo = load_preset(train_coach, tmp_path, RLCOACH_PRESET=PPO, **names).graph_manager
    algorithm = ppo.agent_params.algorithm
    assert algorithm.num_consecutive_playing_steps.num_steps == 1
    assert algorithm.num_steps_between_copying_online_weights_to_target.num_steps == 1
    assert ppo.steps_between_evaluation_periods.num_steps == 1
    assert ppo.improve_steps.num_steps == ppo.evaluation_steps.num_steps == 1
    assert algorithm.beta_entropy == 0


def test_dqn_trains_often_without_evaluating_as_often(train_coach, tmp_path):
    launcher = load_preset(train_coach, tmp_path, RLCOACH_PRESET=DQN, training_freq_env_steps="32")
    algorithm = launcher.graph_manager.agent_params.algorithm
    assert algorithm.num_consecutive_playing_steps.num_steps == 32
    assert launcher.graph_manager.steps_between_evaluation_periods.num_steps == 1536
    assert launcher.changes == [(f"{ALGORITHM}.num_consecutive_playing_steps:EnvironmentSteps", 32)]


def test_a_path_comes_after_the_short_name_of_the_same_value(train_coach, tmp_path):
    path = "rl.steps_between_evaluation_periods:EnvironmentSteps"
    given = {path: "300", "training_freq_env_steps": "100", "evaluation_freq_env_steps": "200"}
    launcher = load_preset(train_coach, tmp_path, RLCOACH_PRESET=PPO, **given)
    assert launcher.graph_manager.steps_between_evaluation_periods.num_steps == 300
    assert launcher.graph_manager.agent_params.algorithm.num_consecutive_playing_steps.num_steps == 100


class InAwsForm(SageMakerCoachPresetLauncher):
    """Maps short names itself, and ties two values to a third."""

    DEFAULT_PRESET = PPO

    def map_hyperparameter(self, name, value):
        self.seen = {**getattr(self, "seen", {}), name: value}
        mapping = {
            "gamma": f"{ALGORITHM}.discount",
            "rollout": f"{ALGORITHM}.num_consecutive_playing_steps:EnvironmentSteps",
        }
        if name in mapping:
            self.apply_hyperparameter(mapping[name], value)
        else:
            super().map_hyperparameter(name, value)

    def get_config_args(self, parser):
        args = super().get_config_args(parser)
        rollout = self.hyperparameters.hp_dict.get(f"{ALGORITHM}.num_consecutive_playing_steps:EnvironmentSteps")
        if rollout:
            self.hyperparameters.hp_dict["rl.steps_between_evaluation_periods:EnvironmentSteps"] = rollout
            self.hyperparameters.hp_dict["rl.improve_steps:EnvironmentSteps"] = int(rollout) * 10
        return args


def test_a_launcher_in_awss_form_ties_values(tmp_path):
    launcher = load_preset(InAwsForm, tmp_path, gamma=0.9, rollout="2048", seed=3)
    ppo = launcher.graph_manager
    assert ppo.agent_params.algorithm.discount == 0.9
    assert ppo.agent_params.algorithm.num_consecutive_playing_steps.num_steps == 2048
    assert ppo.steps_between_evaluation_periods.num_steps == 2048
    assert ppo.improve_steps.num_steps == 20480
    assert launcher.seen == {"gamma": "0.9", "rollout": "2048"}


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"gama": 0.9}, "Hyperparameter gama is unknown, did you mean 'gamma'?"),
        ({"gamma": 1.5}, "Hyperparameter gamma is 1.5, expected a number between 0 and 1."),
        ({"rollout": "many"}, "invalid literal for int"),
        ({"num_workers": 4}, "num_workers is 4, expected 1: Coach on MXNet trains in one process."),
        ({"rl.agent_params.__class__": "x"}, "'rl.agent_params.__class__' has two underscores."),
        ({"RLCOACH_PRESET": 5}, "Hyperparameter RLCOACH_PRESET is 5, expected the name of a preset."),
    ],
)
def test_values_of_such_a_launcher_are_checked(given, sentence, tmp_path):
    with pytest.raises(ValueError) as raised:
        load_preset(InAwsForm, tmp_path, **given)
    assert sentence in str(raised.value)


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("framework", "torch", "sets framework to 'torch', expected Frameworks.mxnet"),
        ("num_workers", 4, "num_workers is 4, expected 1: Coach on MXNet trains in one process."),
        ("experiment_path", "/somewhere", "sets experiment_path to '/somewhere', expected "),
        ("checkpoint_save_dir", "/somewhere", "sets checkpoint_save_dir to '/somewhere', expected "),
        ("checkpoint_restore_file", "x", "sets checkpoint_restore_file to 'x', expected None: Coach restores from"),
        ("tensorboard", True, "sets tensorboard to True, expected False: it is of the TensorFlow backend."),
        ("preset", "nowhere", "RLCOACH_PRESET is 'nowhere', which is no preset here"),
    ],
)
def test_what_get_config_args_sets_is_honoured_or_refused(name, value, sentence, tmp_path):
    class Overriding(InAwsForm):
        def get_config_args(self, parser):
            args = super().get_config_args(parser)
            setattr(args, name, value)
            return args

    with pytest.raises(InputError) as raised:
        load_preset(Overriding, tmp_path)
    assert sentence in str(raised.value)


def test_folders_of_sagemaker_are_the_jobs(tmp_path):
    class Overriding(InAwsForm):
        def get_config_args(self, parser):
            args = super().get_config_args(parser)
            args.experiment_path = "/opt/ml/output/intermediate/"
            args.checkpoint_save_dir = "/opt/ml/output/data/checkpoint"
            args.level = "patient_envs:ContinuousMountainCar"
            return args

    launcher = load_preset(Overriding, tmp_path)
    assert launcher.graph_manager.env_params.level == "patient_envs:ContinuousMountainCar"


def test_the_preset_may_be_named_with_its_ending(tmp_path):
    assert load_preset(InAwsForm, tmp_path, RLCOACH_PRESET=f"{DQN}.py").preset_name == DQN


def test_a_configuration_list_applies_to_any_object():
    class Schedule:
        def __init__(self):
            self.steps, self.options = 1, {"rate": 0.5}

    schedule, configuration = Schedule(), CoachConfigurationList()
    configuration.store("schedule.options.rate", "0.25")
    configuration.store("schedule.steps:EnvironmentSteps", "64")
    configuration.store("other.steps", "3")
    configuration.apply_subset(schedule, "schedule.")
    assert schedule.options == {"rate": 0.25}
    assert (type(schedule.steps).__name__, schedule.steps.num_steps) == ("EnvironmentSteps", 64)
    assert configuration.hp_dict == {"other.steps": "3"}


def test_a_path_that_reaches_nothing_is_refused(tmp_path):
    class Wrong(InAwsForm):
        def map_hyperparameter(self, name, value):
            self.apply_hyperparameter("algorithm.discount", value)

    with pytest.raises(InputError, match=r"gamma leads to 'algorithm.discount', expected a path that begins with rl\."):
        load_preset(Wrong, tmp_path, gamma=0.9)


def test_names_a_launcher_reads_from_a_table_are_known(tmp_path):
    class Tabled(InAwsForm):
        names = {"exploration_rate": "rl.agent_params.exploration.epsilon"}

        def map_hyperparameter(self, name, value):
            if name in self.names:
                self.apply_hyperparameter(self.names[name], value)
            else:
                super().map_hyperparameter(name, value)

    with pytest.raises(InputError, match="did you mean 'exploration_rate'"):
        load_preset(Tabled, tmp_path, exploration_rat=0.9)


def test_members_of_coachs_launcher_are_there(tmp_path):
    launcher = InAwsForm({}, MLPaths(tmp_path))
    assert launcher.expand_preset("CartPole_DQN").endswith("CartPole_DQN.py:graph_manager")
    assert callable(launcher.start_multi_threaded)
    with pytest.raises(AttributeError, match="Launcher InAwsForm has no 'expand'"):
        launcher.expand  # noqa: B018


def test_another_backend_is_refused(tmp_path, monkeypatch):
    monkeypatch.setenv("COACH_BACKEND", "tensorflow")
    with pytest.raises(InputError, match="Environment variable COACH_BACKEND is 'tensorflow', expected mxnet"):
        load_preset(InAwsForm, tmp_path)


def test_a_preset_may_lie_in_a_folder_beside_the_launcher(tmp_path):
    (tmp_path / "presets").mkdir()
    (tmp_path / "presets/preset-own.py").touch()
    paths = MLPaths(tmp_path / "ml")
    assert find_preset("presets/preset-own.py", paths, tmp_path) == tmp_path / "presets/preset-own.py"
    for name in ("../presets/preset-own", str(tmp_path / "presets/preset-own")):
        with pytest.raises(InputError, match="which is no preset here"):
            find_preset(name, paths, tmp_path / "presets")
