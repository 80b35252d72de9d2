"""What runs a job, and what it says about it."""

import json
import re
from types import SimpleNamespace

import pytest
from agent_presets import write_agent
from graphs import CORRIDOR, make_graph
from jobs import DQN
from sagemaker_rl import cores
from sagemaker_rl.coach.graph import agent_of, create_graph
from sagemaker_rl.coach.presets import import_preset
from sagemaker_rl.job import introduction
from sagemaker_rl.job.ml_paths import MLPaths
from sagemaker_rl.job.stopping import STOP, Stopped


@pytest.mark.parametrize("agent", ["ppo_agent:PPOAgent", "dqn_agent:DQNAgent", "n_step_q_agent:NStepQAgent"])
def test_sigterm_is_noticed_before_a_gradient_step(tmp_path, monkeypatch, agent):
    graph_manager = import_preset(write_agent(tmp_path, agent))
    create_graph(graph_manager, tmp_path, seed=3)
    from sagemaker_rl.training.choice import StockRun  # once Coach is repaired

    StockRun(graph_manager)
    monkeypatch.setattr(STOP, "_received", "SIGTERM")
    for network in agent_of(graph_manager).networks.values():
        with pytest.raises(Stopped):
            network.online_network.accumulate_gradients({}, [])


CASES = {
    "the fast path": ({}, {}, 3, "accelerated, environments at a time: 3"),
    "fewer copies than the default": ({}, {"parallel_environments": 2}, 2, "accelerated, environments at a time: 2"),
    "an evaluation": ({}, {"trains": False}, 1, "accelerated, environments at a time: 1"),
    "an evaluation ignores copies": ({}, {"trains": False, "parallel_environments": 2}, 1, None),
    "not wanted": ({}, {"accelerate": False}, None, "stock Coach: accelerate is 0"),
    "not implemented": (
        {"agent_params__network_wrappers__main__clip_gradients": 4.0},
        {},
        None,
        "stock Coach: clip_gradients is set",
    ),
}


@pytest.mark.parametrize(("changes", "arguments", "copies", "said"), CASES.values(), ids=CASES)
def test_the_path_is_chosen_and_said(tmp_path, capsys, changes, arguments, copies, said):
    from sagemaker_rl.training.choice import StockRun, choose_run

    changes = {"agent_params__algorithm__num_consecutive_playing_steps": 3 * 512, **changes}
    graph_manager = make_graph(tmp_path, CORRIDOR, **changes)
    paths = MLPaths(tmp_path)
    paths.intermediate.mkdir(parents=True)
    introduction.introduce(paths, kind="training")
    options = {"accelerate": True, "parallel_environments": None, **arguments}
    run = choose_run(graph_manager, paths, 3, **options)
    introduced = json.loads((paths.intermediate / "job.json").read_text())
    assert introduced["kind"] == "training"
    if said:
        assert introduced["path"] == said
    (line,) = [line for line in capsys.readouterr().out.splitlines() if line.startswith("Path>")]
    if copies is None:
        assert isinstance(run, StockRun)
        assert line == f"Path> Path=stock Coach, Reason={said.removeprefix('stock Coach: ')}"
    else:
        assert type(run).__name__ == "PPORun"
        assert run.envs.num_envs == copies
        measured = r", Step milliseconds=[\d.e-]+" if copies > 1 and cores.count() > 1 else ""
        assert re.fullmatch(f"Path> Path=accelerated, Environments={copies}{measured}", line)
        assert run.check_stop == STOP.check
        assert run.evaluator.seed == 1_000_003 + 3


@pytest.mark.parametrize(
    ("trains", "parallel_environments", "written", "looked", "stock"),
    [
        (True, None, [], True, False),
        (True, None, ["a.csv"], False, True),
        (True, 2, ["a.csv"], False, False),
        (False, None, [], False, False),
        (False, None, ["a.csv"], False, True),
    ],
)
def test_an_environment_that_writes_files_has_one_copy(
    tmp_path, monkeypatch, trains, parallel_environments, written, looked, stock
):
    from sagemaker_rl.training import choice

    graph_manager = make_graph(tmp_path, CORRIDOR)
    environment = graph_manager.environments[0]
    environment.written_files = written
    watched = []
    watch = choice.written_files.watch_first_episode
    monkeypatch.setattr(choice.written_files, "watch_first_episode", lambda e: watched.append(e) or watch(e))
    run = choice.choose_run(graph_manager, MLPaths(tmp_path), 3, True, parallel_environments, trains)
    assert isinstance(run, choice.StockRun) == stock
    assert watched == ([environment] if looked else [])


def test_the_cars_write_nothing_and_nobody_looks(tmp_path, monkeypatch):
    from sagemaker_rl.training import choice

    monkeypatch.setattr(choice.written_files, "watch_first_episode", lambda environment: pytest.fail("looked"))
    run = choice.choose_run(make_graph(tmp_path, DQN), MLPaths(tmp_path), 3, True, None)
    assert type(run).__name__ == "DQNRun"


@pytest.mark.parametrize(
    ("exploration", "said"),
    [
        (SimpleNamespace(evaluation_epsilon=0.05), ["Evaluation epsilon=0.05"]),
        (SimpleNamespace(evaluation_noise_percentage=0.1), ["Evaluation noise percentage=0.1"]),
        (SimpleNamespace(evaluation_epsilon=0.0, evaluation_noise_percentage=0.0), []),
        (
            SimpleNamespace(
                evaluation_epsilon=0.3, continuous_exploration_policy=SimpleNamespace(evaluation_noise_percentage=0.2)
            ),
            ["Evaluation noise percentage=0.2"],
        ),
        (object(), []),
    ],
)
def test_noise_in_evaluations_is_said(capsys, exploration, said):
    from sagemaker_rl.training.choice import _say_noise

    _say_noise(exploration)
    reason = "Reason=evaluations explore, as Coach has it; the artifact and its trial do not"
    assert capsys.readouterr().out.splitlines() == [f"Noise> {value}, {reason}" for value in said]


@pytest.mark.parametrize(("steps", "episodes", "expected"), [(1, 1, 1), (50, 1, 1), (51, 1, 2), (1, 3, 3)])
def test_stock_coach_plays_steps_and_episodes_of_an_evaluation_job(tmp_path, steps, episodes, expected):
    from rl_coach.core_types import ActionInfo, EnvironmentEpisodes, EnvironmentSteps, RunPhase
    from sagemaker_rl.training.choice import StockRun

    graph_manager = make_graph(tmp_path, CORRIDOR)
    agent_of(graph_manager).choose_action = lambda state: ActionInfo(0)  # against the wall
    counter = graph_manager.total_steps_counters[RunPhase.TEST]
    counter[EnvironmentSteps] = 7  # of an evaluation before
    run = StockRun(graph_manager)
    assert run.play_at_least(steps, episodes) == pytest.approx([-0.5] * expected)
    assert counter[EnvironmentSteps] == 7 + 50 * expected
    assert counter[EnvironmentEpisodes] == expected
