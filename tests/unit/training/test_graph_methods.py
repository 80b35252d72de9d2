"""The methods of a launcher's graph manager do what a job does: an evaluation on both paths, and a training."""

import itertools
import json
import statistics
from types import SimpleNamespace

import numpy as np
import pytest
from sagemaker_rl.coach.graph import agent_of
from sagemaker_rl.errors import InputError
from sagemaker_rl.job.ml_paths import MLPaths
from sagemaker_rl.training.trial import EVALUATION_SEED
from short_jobs import EPISODE, PATHS, PERIOD, Job, a_process, make_graph_manager, run_job


@pytest.fixture(scope="module")
def trained(tmp_path_factory) -> Job:
    return run_job(tmp_path_factory.mktemp("trained"), True, {"improve_steps": PERIOD})


def install(folder, fast, evaluates=True, checkpoint=None, seed=5, evaluation_episodes=1):
    """Return a graph manager with the methods of a job, and its folders."""
    from sagemaker_rl.training import graph_methods
    from sagemaker_rl.training.job_options import Options

    graph_manager = make_graph_manager()
    paths = MLPaths(folder)
    paths.create_outputs()
    options = Options(seed=seed, accelerate=fast, parallel_environments=1)
    job = graph_methods.Job(
        paths,
        "preset-corridor",
        {"a": 1},
        [("rl.b", 2)],
        options,
        evaluates,
        evaluation_episodes,
        checkpoint,
        [{"c": 3}],
    )
    graph_methods.GraphMethods(graph_manager, job)
    return graph_manager, paths


@PATHS
@pytest.mark.parametrize(
    ("unit", "number", "at_least", "episodes"),
    [("Steps", 2 * EPISODE, 1, 2), ("Steps", 1, 4, 4), ("Episodes", 2, 5, 2)],
)
def test_an_evaluation_plays_whole_episodes_as_many_as_asked(trained, tmp_path, fast, unit, number, at_least, episodes):
    from rl_coach import core_types

    with a_process() as printed:
        graph_manager, paths = install(
            tmp_path, fast, checkpoint=trained.paths.checkpoint, evaluation_episodes=at_least
        )
        assert graph_manager.evaluate(getattr(core_types, f"Environment{unit}")(number)) is False
    result = json.loads((paths.output_data / "evaluation.json").read_text())
    assert json.loads((paths.intermediate / "evaluation.json").read_text()) == result
    assert (result["preset"], result["hyperparameters"], result["seed"]) == ("preset-corridor", {"a": 1}, 5)
    assert result["episodes"] == len(result["returns"]) == episodes
    assert len(set(result["returns"])) == episodes
    assert result["mean_return"] == statistics.fmean(result["returns"])
    assert result["std_return"] == statistics.pstdev(result["returns"])
    assert 0 < result["seconds"] < 60
    line = next(line for line in printed.getvalue().splitlines() if line.startswith("Evaluation>"))
    assert line == (
        f"Evaluation> Evaluation reward={result['mean_return']:.6g}, "
        f"Standard deviation={result['std_return']:.6g}, Episodes={episodes}"
    )
    assert ("Path> Path=accelerated" in printed.getvalue()) == fast
    assert (paths.output_data / "trial.npz").is_file()
    assert not list(paths.model.iterdir())


@PATHS
def test_the_policy_that_is_evaluated_is_the_checkpoints(trained, tmp_path, fast):
    """It is found by the launcher's task parameters before the job's own."""
    from rl_coach.base_parameters import Frameworks, TaskParameters

    with a_process():
        graph_manager, paths = install(tmp_path, fast, checkpoint=tmp_path / "another", seed=None)
        task = TaskParameters(
            framework_type=Frameworks.mxnet, evaluate_only=20, checkpoint_restore_path=str(trained.paths.checkpoint)
        )
        assert graph_manager.create_graph(task) is graph_manager
    expected = trained.weights()
    found = agent_of(graph_manager).networks["main"].online_network.model.collect_params()
    same = [name for name, parameter in found.items() if name in expected]
    assert len(same) >= 8
    for name in same:
        assert np.array_equal(found[name].data().asnumpy(), expected[name]), name
    assert graph_manager.task_parameters.checkpoint_restore_path is None
    job = json.loads((paths.intermediate / "job.json").read_text())
    assert (job["kind"], job["preset"], job["seed"]) == ("evaluation", "preset-corridor", EVALUATION_SEED)
    assert (job["environment"], job["algorithm"], job["settings"]) == ("corridor:Fading", "ClippedPPO", [{"c": 3}])
    assert job["reward_scale"] == 1


def test_improve_trains_as_the_schedule_says(tmp_path):
    with a_process() as printed:
        graph_manager, paths = install(tmp_path, True, evaluates=False)
        graph_manager.improve()
        improve = graph_manager.improve
        assert improve.__self__ is not graph_manager, "the method is in its place again"
    assert printed.getvalue().count("\nEvaluation> ") == 3
    assert json.loads((paths.intermediate / "metadata.json").read_text())["environment_steps"] == 3 * PERIOD
    assert json.loads((paths.intermediate / "job.json").read_text())["kind"] == "training"
    description = json.loads((paths.checkpoint / "checkpoint.json").read_text())
    assert description["changes"] == [["rl.b", 2]]


@pytest.mark.parametrize(
    ("steps", "said"),
    [
        ("TrainingSteps(5)", r"TrainingSteps\(5\)"),
        ("EnvironmentSteps(0)", r"EnvironmentSteps\(0\)"),
        ("EnvironmentEpisodes(0)", r"EnvironmentEpisodes\(0\)"),
        ("int(7)", r"int\(7\)"),
    ],
)
def test_an_evaluation_of_another_extent_is_refused(tmp_path, steps, said):
    from rl_coach import core_types

    graph_manager, _ = install(tmp_path, True)
    with pytest.raises(InputError, match=f"^The launcher evaluates for {said}, expected EnvironmentSteps or "):
        graph_manager.evaluate(eval(steps, vars(core_types)))


@pytest.mark.parametrize("evaluates", [True, False])
def test_a_trial_has_a_share_of_the_jobs_seconds(tmp_path, monkeypatch, evaluates):
    from rl_coach.core_types import EnvironmentEpisodes
    from sagemaker_rl.training import evaluation, loop, trial
    from sagemaker_rl.training.accelerated.run import AcceleratedRun

    given = []
    monkeypatch.setattr(trial, "put_on_trial", lambda graph_manager, paths, seconds: given.append((paths, seconds)))
    closed, close = [], AcceleratedRun.close
    monkeypatch.setattr(AcceleratedRun, "close", lambda run: closed.append(close(run)))
    for module in (evaluation, loop):  # 4 s pass between two looks at the clock
        monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=itertools.count(100, 4).__next__))
    with a_process():
        graph_manager, paths = install(tmp_path, True, evaluates)
        if evaluates:
            graph_manager.evaluate(EnvironmentEpisodes(2))
            taken = json.loads((paths.output_data / "evaluation.json").read_text())["seconds"]
        else:
            graph_manager.improve()
            taken = json.loads((paths.intermediate / "metadata.json").read_text())["train_seconds"]
    assert given == [(paths, pytest.approx((0.5 if evaluates else 0.1) * taken))]
    assert len(closed) == 1
    assert taken == (4 if evaluates else 12)  # the clock is looked at as it begins, and after each of three evaluations


@pytest.mark.parametrize(
    ("unit", "number", "extent"), [("Steps", 1, (1, 3)), ("Steps", 70, (70, 3)), ("Episodes", 2, (1, 2))]
)
def test_the_extent_of_an_evaluation_is_in_steps_or_episodes(tmp_path, monkeypatch, unit, number, extent):
    from rl_coach import core_types
    from sagemaker_rl.training import evaluation

    given = []
    monkeypatch.setattr(evaluation, "evaluate", lambda *arguments: given.append(arguments[4:]))
    with a_process():
        graph_manager, _ = install(tmp_path, True, evaluation_episodes=3)
        graph_manager.evaluate(getattr(core_types, f"Environment{unit}")(number))
    assert given == [(evaluation.Extent(*extent), 5, True)]
    assert graph_manager.task_parameters.evaluate_only == 1  # what else Coach plays
