"""The members of a launcher, each as AWS's projects call or override it."""

import argparse
import json
import signal
import sys
from types import SimpleNamespace

import pytest
from jobs import PPO
from sagemaker_rl.coach.presets import import_coach
from sagemaker_rl.coach_launcher import EVALUATE_STEPS, SageMakerCoachLauncher, SageMakerCoachPresetLauncher
from sagemaker_rl.errors import InputError
from sagemaker_rl.job.ml_paths import MLPaths
from sagemaker_rl.job.stopping import SIGNALS

DISCOUNT = "rl.agent_params.algorithm.discount"
LAMBDA = "rl.agent_params.algorithm.gae_lambda"


class Launcher(SageMakerCoachPresetLauncher):
    DEFAULT_PRESET = PPO
    short_names = {"second": LAMBDA, "first": DISCOUNT}


@pytest.fixture
def launch(tmp_path, monkeypatch):
    """Return a function that makes a launcher of hyperparameters; the process stays as it is."""
    import_coach()
    handlers = {number: signal.getsignal(number) for number in SIGNALS}
    monkeypatch.setattr(sys, "argv", ["train-coach.py"])
    monkeypatch.setattr(sys, "unraisablehook", sys.unraisablehook)
    yield lambda kind=Launcher, **given: kind(given, MLPaths(tmp_path))
    for number, handler in handlers.items():
        signal.signal(number, handler)


def graph_manager_of(calls):
    """Return what takes the place of a graph manager: it notes its calls."""
    return SimpleNamespace(
        create_graph=lambda task: calls.append(("create", task)),
        improve=lambda: calls.append("improve"),
        evaluate=lambda steps: calls.append((type(steps).__name__, steps.num_steps)),
        close=lambda: calls.append("close"),
    )


@pytest.mark.parametrize(
    ("evaluate_only", "expected"),
    [(None, "improve"), (0, ("EnvironmentSteps", EVALUATE_STEPS)), (1, ("EnvironmentSteps", 1))],
)
def test_a_graph_trains_or_evaluates_and_is_closed(launch, evaluate_only, expected):
    calls: list[object] = []
    task = SimpleNamespace(evaluate_only=evaluate_only)
    launch().start_single_threaded(task, graph_manager_of(calls), argparse.Namespace())
    assert calls == [("create", task), expected, "close"]
    assert EVALUATE_STEPS == 20_000


def test_the_task_is_as_the_arguments_say(launch, monkeypatch):
    launcher, started = launch(), []
    monkeypatch.setattr(launcher, "start_single_threaded", lambda *given: started.append(given))
    args = argparse.Namespace(
        framework="mxnet",
        evaluate=7,
        experiment_path="/a",
        seed=5,
        checkpoint_save_secs=11,
        checkpoint_restore_dir="/b",
        checkpoint_save_dir="/c",
    )
    launcher.run_graph_manager("graph manager", args)
    ((task, graph_manager, given),) = started
    assert (graph_manager, given) == ("graph manager", args)
    assert (task.framework_type, task.evaluate_only, task.use_cpu, task.seed) == ("mxnet", 7, True, 5)
    assert (task.experiment_path, task.checkpoint_save_dir, task.checkpoint_save_secs) == ("/a", "/c", 11)
    assert task.checkpoint_restore_path == "/b"


def test_the_arguments_are_the_jobs(launch, tmp_path):
    from rl_coach.base_parameters import Frameworks

    launcher = launch(seed=3, first="0.5")
    args = launcher.get_config_args(launcher.get_argument_parser())
    assert (args.preset, args.framework, args.num_workers, args.no_summary) == (PPO, Frameworks.mxnet, 1, True)
    assert args.experiment_path == str(tmp_path / "output/intermediate")
    assert args.checkpoint_save_dir == str(tmp_path / "output/data/checkpoint")
    assert launcher.hyperparameters.hp_dict == {DISCOUNT: "0.5"}
    assert launcher.hyperparameters.name_of(DISCOUNT) == "first"
    launcher.map_hyperparameter("seed", "3")  # afterwards it is somebody else's call, and the job reads it
    with pytest.raises(InputError, match=r"^Hyperparameter sed is unknown, did you mean 'seed'"):
        launcher.map_hyperparameter("sed", "3")


def test_short_names_come_in_their_order_and_paths_last(launch):
    given = {LAMBDA: 0.1, "first": 0.2, "sagemaker_x": 1, "own": 2, "_tuning_x": 3, "second": 0.3, DISCOUNT: 0.4}
    launcher = launch(**given)
    assert launcher._in_order(given.keys() - {"unasked"}) == ["own", "second", "first", LAMBDA, DISCOUNT]
    assert launcher._in_order({"second", "absent"}) == ["second"]
    mapped = launch(**{name: value for name, value in given.items() if name != "own"})
    mapped.get_config_args(mapped.get_argument_parser())
    assert mapped.hyperparameters.hp_dict == {LAMBDA: "0.1", DISCOUNT: "0.4"}


def test_arguments_that_a_launcher_declares_are_its_own(launch):
    class Declares(Launcher):
        def sagemaker_argparser(self):
            parser = super().sagemaker_argparser()
            parser.add_argument("--mine", type=int)
            return parser

    launcher = launch(Declares, mine=3, save_model=0, RLCOACH_PRESET="another")
    parser = launcher.sagemaker_argparser()
    assert [parser.get_default(name) for name in ("RLCOACH_PRESET", "num_workers", "save_model")] == ["another", 1, 1]
    args = launcher.get_config_args(launcher.get_argument_parser())
    assert (args.preset, launcher.hyperparameters.hp_dict) == ("another", {})
    assert launch().sagemaker_argparser().get_default("RLCOACH_PRESET") == PPO


def test_a_launcher_without_preset_needs_one(launch):
    with pytest.raises(InputError, match=r"^Hyperparameter RLCOACH_PRESET is missing, expected the name of a preset"):
        launch(SageMakerCoachPresetLauncher).default_preset_name()


def test_a_launcher_reads_the_jobs_hyperparameters_as_arguments(launch, tmp_path, monkeypatch):
    launcher = launch(first=0.5, sagemaker_program="x")
    assert launcher._parse().preset == PPO
    assert sys.argv == ["train-coach.py", "--first", "0.5"]
    assert launcher.preset_name == PPO
    assert (tmp_path / "model").is_dir()
    monkeypatch.setattr(sys, "argv", ["train-coach.py", "--first", "0.25"])
    launch(first=0.5)._parse()
    assert sys.argv == ["train-coach.py", "--first", "0.25"]


def test_the_program_is_where_its_main_module_is(launch, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").mkdir()
    (tmp_path / "link.py").symlink_to(tmp_path / "folder/program.py")
    monkeypatch.setitem(sys.modules, "__main__", SimpleNamespace(__file__="link.py"))
    assert launch().path_of_main_launcher() == str(tmp_path / "folder")
    monkeypatch.setitem(sys.modules, "__main__", SimpleNamespace())
    assert launch().path_of_main_launcher() == str(tmp_path)


def test_a_failure_ends_the_process_with_its_reason(launch, tmp_path):
    ran = []
    launch()._run(lambda: ran.append(signal.getsignal(signal.SIGTERM)))
    assert len(ran) == 1 and "StopSignal" in repr(ran[0])
    assert not (tmp_path / "output/failure").exists()

    def fail():
        raise InputError("It is red.")

    with pytest.raises(SystemExit) as end:
        launch()._run(fail)
    assert end.value.code == 1
    assert (tmp_path / "output/failure").read_text() == "It is red."


def test_what_is_not_called_is_said(launch, monkeypatch, capsys):
    class Saves(Launcher):
        def launch(self):
            print("launched")

        def _save_onnx_model(self):
            pytest.fail("called")

    Saves.train_main()
    assert capsys.readouterr().out == (
        "launched\nLauncher> Not called=_save_onnx_model, Reason=the job's policy artifact takes its place\n"
    )


@pytest.mark.parametrize(("given", "steps"), [({}, EVALUATE_STEPS), ({"evaluate_steps": 5, "accelerate": 0}, 5)])
def test_an_evaluation_has_its_own_names_and_its_channel(launch, tmp_path, monkeypatch, given, steps):
    launcher, started = launch(**given), []
    monkeypatch.setattr(launcher, "_start", started.append)
    launcher._evaluate()
    (args,) = started
    assert (args.evaluate, args.checkpoint_restore_dir) == (steps, str(tmp_path / "input/data/checkpoint"))


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"evaluate_steps": 0}, "evaluate_steps is 0, expected a whole number 1 or more"),
        ({"save_model": 1}, "save_model is unknown"),
        ({"parallel_environments": 2}, "parallel_environments is unknown"),
    ],
)
def test_an_evaluation_refuses_what_is_of_a_training(launch, given, sentence):
    with pytest.raises(InputError, match=f"^Hyperparameter {sentence}"):
        launch(**given)._evaluate()


@pytest.fixture
def start(launch, monkeypatch):
    """Return a function that starts a launcher of hyperparameters, and gives the job that its graph is to do."""
    from sagemaker_rl.training import graph_methods

    def start(arguments, **given):
        made, steps = [], []
        launcher = launch(**given)
        monkeypatch.setattr(graph_methods, "GraphMethods", lambda *given: made.append(given) or steps.append("methods"))
        monkeypatch.setattr(launcher, "_take_up_changes", lambda folder: steps.append(str(folder)))
        monkeypatch.setattr(launcher, "run_graph_manager", lambda *given: steps.append(given))
        args = launcher._parse()
        vars(args).update(arguments)
        launcher._start(args)
        ((graph_manager, job),) = made
        assert steps[-2:] == ["methods", (graph_manager, args)]
        assert steps[:-2] == [args.checkpoint_restore_dir] * bool(args.checkpoint_restore_dir)
        assert launcher.graph_manager is graph_manager
        return graph_manager, job

    return start


@pytest.mark.parametrize(
    ("arguments", "evaluates", "checkpoint"),
    [
        ({}, False, None),
        ({"evaluate": 0}, True, None),
        ({"evaluate": 9}, True, None),
        ({"checkpoint_restore_dir": "/a"}, False, "/a"),
        ({"checkpoint_restore_dir": "/a", "evaluate_steps": 4}, True, "/a"),
        ({"evaluate_steps": 4}, False, None),
    ],
)
def test_a_job_evaluates_if_its_arguments_say_so(start, arguments, evaluates, checkpoint):
    _, job = start(arguments)
    assert (job.evaluates, job.checkpoint and str(job.checkpoint)) == (evaluates, checkpoint)


def test_a_job_is_told_to_its_graph(start, tmp_path, monkeypatch):
    given = {"seed": 4, "first": 0.5}
    graph_manager, job = start({}, **given)
    assert graph_manager.agent_params.algorithm.discount == 0.5
    assert (job.paths, job.preset, job.hyperparameters) == (MLPaths(tmp_path), PPO, given)
    assert (job.changes, job.options.seed, job.evaluation_episodes) == ([(DISCOUNT, 0.5)], 4, 1)
    assert [row["changed"] for row in job.settings] == [False, True]
    assert [row["name"] for row in job.settings] == ["second", "first"]
    monkeypatch.setattr(Launcher, "job_names", Launcher.evaluation_names)
    _, job = start({"seed": 8}, evaluate_episodes=3)
    assert (job.options.seed, job.evaluation_episodes) == (8, 3)
    with pytest.raises(InputError, match=r"^Hyperparameter evaluate_episodes is 0, expected "):
        start({}, evaluate_episodes=0)


@pytest.mark.parametrize(
    ("preset", "expected"),
    [
        (PPO, [(LAMBDA, 0.25), ("rl.a", 1), (DISCOUNT, "0.75"), ("rl.b", "2")]),
        ("another", [(DISCOUNT, "0.75"), ("rl.b", "2")]),
    ],
)
def test_changes_of_the_checkpoints_job_come_first_and_the_jobs_own_count(launch, tmp_path, preset, expected):
    description = {"preset": preset, "changes": [[LAMBDA, 0.25], [DISCOUNT, 0.5], ["rl.a", 1]], "sha256": {}}
    folder = tmp_path / "channel/checkpoint"
    folder.mkdir(parents=True)
    (folder / "checkpoint.json").write_text(json.dumps(description))
    (folder / ".coach_checkpoint").write_text("0_Step-1.ckpt")
    launcher = launch()
    launcher.apply_hyperparameter(DISCOUNT, "0.75")
    launcher.apply_hyperparameter("rl.b", "2")
    launcher._take_up_changes(tmp_path / "channel")
    assert list(launcher.hyperparameters.hp_dict.items()) == expected


class Parts(SageMakerCoachLauncher):
    """A launcher that has no preset, whose parts are its own."""

    def define_environment(self):
        from rl_coach.environments.gym_environment import GymVectorEnvironment

        return GymVectorEnvironment(level="CartPole-v0")

    def define_agent(self):
        from rl_coach.agents.dqn_agent import DQNAgentParameters

        return DQNAgentParameters()

    def config_schedule(self, schedule_params):
        from rl_coach.core_types import EnvironmentSteps

        schedule_params.improve_steps = EnvironmentSteps(50)
        schedule_params.heatup_steps = EnvironmentSteps(60)

    def config_visualization(self, vis_params):
        vis_params.dump_signals_to_csv_every_x_episodes = 4
        vis_params.dump_gifs = False


def test_hyperparameters_lead_into_the_parts(launch):
    given = {
        "agent_params.algorithm.discount": 0.5,
        "env_params.level": "CartPole-v1",
        "schedule_params.improve_steps:EnvironmentSteps": 70,
        "vis_params.dump_gifs": True,
    }
    launcher = launch(Parts, **given)
    graph_manager = launcher.load_preset()
    assert graph_manager.agent_params.algorithm.discount == 0.5
    assert graph_manager.env_params.level == "CartPole-v1"
    assert (graph_manager.improve_steps.num_steps, graph_manager.heatup_steps.num_steps) == (70, 60)
    visualization = graph_manager.visualization_parameters
    assert (visualization.dump_gifs, visualization.dump_signals_to_csv_every_x_episodes) == (True, 4)
    assert [network.framework.name for network in graph_manager.agent_params.network_wrappers.values()] == ["mxnet"]
    assert launcher.preset_name == "Parts"
    with pytest.raises(InputError, match=r"^Hyperparameter rl\.x is unknown"):
        launch(Parts, **{"rl.x": 1}).load_preset()


@pytest.mark.parametrize("member", ["define_environment", "define_agent"])
def test_a_part_that_is_missing_is_named(launch, member):
    with pytest.raises(InputError, match=rf"^Launcher SageMakerCoachLauncher has no {member}\(\), expected one that"):
        getattr(launch(SageMakerCoachLauncher), member)()
