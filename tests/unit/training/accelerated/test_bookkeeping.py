"""What the fast path counts, logs and writes: Coach's CSV, its counters, losses, evaluations and GIFs."""

import csv
import functools
import itertools
import math
import os
import signal

import numpy as np
import pytest
from agent_presets import write_agent
from sagemaker_rl.coach.graph import create_graph
from sagemaker_rl.coach.presets import import_preset
from sagemaker_rl.errors import InputError

TINY = """
from rl_coach.architectures.layers import Dense
agent_params.algorithm.num_consecutive_playing_steps = EnvironmentSteps(4)
agent_params.memory.max_size = (agent_params.memory.max_size[0], 100)
agent_params.exploration.evaluation_epsilon = 0.0
agent_params.network_wrappers["main"].batch_size = 8
agent_params.network_wrappers["main"].input_embedders_parameters["observation"].scheme = [Dense(4)]
agent_params.network_wrappers["main"].middleware_parameters.scheme = []
"""


@pytest.fixture
def run(tmp_path):
    """A DQN of two copies of the environment of 20 steps an episode, with a reward of 1 each."""
    graph_manager = import_preset(write_agent(tmp_path, "dqn_agent:DQNAgent", TINY))
    create_graph(graph_manager, tmp_path, seed=3)
    from sagemaker_rl.training.accelerated.dqn import DQNRun

    return DQNRun(graph_manager, 2, 3, lambda: None)


def rows_of(run) -> list[dict[str, str]]:
    with run.table.path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def counted(run, phase: str) -> list[int]:
    from rl_coach import core_types

    counter = run.graph_manager.total_steps_counters[core_types.RunPhase[phase]]
    units = (core_types.EnvironmentSteps, core_types.EnvironmentEpisodes, core_types.TrainingSteps)
    return [counter[unit] for unit in units]


def test_the_csv_has_a_row_per_training_episode_and_the_evaluation_in_the_one_after_it(run):
    from rl_coach.core_types import EnvironmentEpisodes, EnvironmentSteps

    run.heatup(EnvironmentSteps(40))
    assert len(rows_of(run)) == 1  # the second one waits for its losses
    run.train_and_act(EnvironmentSteps(80))
    run.evaluate(EnvironmentEpisodes(3))
    run.train_and_act(EnvironmentSteps(40))
    run.evaluate(EnvironmentEpisodes(3))
    run.close()
    rows = rows_of(run)
    assert [int(row["Episode #"]) for row in rows] == [1, 2, 3, 4, 5, 6, 7, 8, 9]
    assert [row["In Heatup"] for row in rows] == ["1"] * 2 + ["0"] * 6 + [""]
    assert [row["Episode Length"] for row in rows] == ["20"] * 8 + [""]
    assert [row["Total steps"] for row in rows[:8]] == ["40", "40", "80", "80", "120", "120", "160", "160"]
    assert [row["Training Reward"] for row in rows[:8]] == ["20.0"] * 8
    assert [row["Evaluation Reward"] for row in rows] == [""] * 6 + ["20.0", "", "20.0"]
    assert [row["Success Rate"] for row in rows] == [""] * 6 + ["0.0", "", "0.0"]  # the environment has no threshold
    assert [bool(row["Loss/Mean"]) for row in rows] == [False] * 2 + [True, False] * 3 + [False]
    iterations = [int(row["Training Iter"]) for row in rows[:8]]
    assert iterations[:2] == [0, 0]
    assert iterations[-1] == run.agent.training_iteration - 1  # the last step's training came after it
    assert run.agent.training_iteration == 120 // 4 + 1  # and one at once: the steps of heatup count
    seconds = [float(row["Wall-Clock Time"]) for row in rows]
    assert seconds == sorted(seconds)
    assert seconds[0] >= 0
    assert (counted(run, "HEATUP"), counted(run, "TRAIN")) == ([40, 2, 0], [120, 6, 120])
    assert counted(run, "TEST") == [2 * 3 * 20, 6, 0]
    assert run.episodes_played == 8 + 6


def test_a_csv_without_a_last_evaluation_ends_with_its_episode(run, capsys):
    from rl_coach.core_types import EnvironmentSteps

    run.train_and_act(EnvironmentSteps(40))
    said = [line for line in capsys.readouterr().out.splitlines() if line.startswith("Training>")]
    assert [line.partition("Total reward=")[2].partition(",")[0] for line in said] == ["20.0", "20.0"]
    run.close()
    run.close()  # again: nothing is left
    assert [row["Episode #"] for row in rows_of(run)] == ["1", "2"]


def test_a_row_is_what_the_agent_says_of_its_episode(run):
    agent = run.agent
    agent.current_episode, agent.training_iteration, agent.training_epoch = 5, 7, 2
    agent.current_episode_steps_counter, agent.total_steps_counter = 11, 90
    agent.total_shaped_reward_in_current_episode, agent.total_reward_in_current_episode = 0.5, -4.0
    agent.exploration_policy.epsilon_schedule.current_value = 0.25
    run.table.evaluation = {"Evaluation Reward": 3.0}
    run.table.add(1.5)
    assert not run.table.path.exists()
    agent.current_episode = 6
    run.table.add(2.5)
    run.table.flush()
    first, second = rows_of(run)
    assert {name: float(value) for name, value in first.items() if value} == {
        "Episode #": 5,
        "Training Iter": 7,
        "Epoch": 2,
        "In Heatup": 0,
        "Episode Length": 11,
        "Total steps": 90,
        "Epsilon": 0.25,
        "Shaped Training Reward": 0.5,
        "Training Reward": -4,
        "Update Target Network": 0,
        "Wall-Clock Time": 1.5,
        "Evaluation Reward": 3,
    }
    assert (second["Episode #"], second["Wall-Clock Time"], second["Evaluation Reward"]) == ("6", "2.5", "")


def test_signals_are_means_of_what_is_finite_and_begin_anew(run):
    agent, table = run.agent, run.table
    for value in (1.0, 4.0):
        agent.loss.add_sample(value)
    agent.q_values.add_sample(np.array([math.nan, 1.0]))
    agent.curr_learning_rate.add_sample(math.inf)
    assert table.add_losses()["Loss"] == 2.5  # with no row to put it in
    agent.current_episode = 5
    table.add(1.5)
    for value in (2.0, 6.0, 7.0):
        agent.loss.add_sample(value)
    agent.q_values.add_sample(np.array([math.nan, 1.0]))
    means = table.add_losses()
    assert means == {"Loss": 5.0}
    assert table.add_losses() == {}
    table.flush()
    (row,) = rows_of(run)
    assert (row["Episode #"], row["Wall-Clock Time"]) == ("5", "1.5")
    assert [float(row[f"Loss/{what}"]) for what in ("Mean", "Max", "Min")] == [5.0, 7.0, 2.0]
    assert float(row["Loss/Stdev"]) == pytest.approx(np.std([2, 6, 7]))
    assert row["Q/Mean"] == row["Learning Rate/Mean"] == ""


def test_losses_are_means_over_trainings_since_they_were_taken(run):
    assert run.take_losses() == {}
    for values in ((1.0, 3.0), (5.0,)):
        for value in values:
            run.agent.loss.add_sample(value)
        run.keep_losses()
    assert run.take_losses() == {"Loss": 3.5}  # the mean of 2 and 5
    assert run.take_losses() == {}


def test_an_evaluation_is_logged_as_coachs_agent_does(run, capsys):
    run.agent.spaces.reward.reward_success_threshold = 7.0
    run._log_evaluation([6.0, 7.0, 9.5])
    assert run.table.evaluation["Evaluation Reward"] == 7.5
    assert run.table.evaluation["Success Rate"] == pytest.approx(2 / 3)
    assert run.agent.accumulated_rewards_across_evaluation_episodes == 22.5
    assert run.agent.num_evaluation_episodes_completed == 3
    said = [line for line in capsys.readouterr().out.splitlines() if line.startswith("Testing>")]
    assert [line.partition("Total reward=")[2].partition(",")[0] for line in said] == ["6.0", "7.0", "9.5"]


@pytest.mark.parametrize(("steps", "episodes", "expected"), [(1, 1, 1), (20, 1, 1), (21, 1, 2), (1, 3, 3), (70, 2, 4)])
def test_an_evaluation_job_plays_steps_and_episodes(run, monkeypatch, steps, episodes, expected):
    batches = []
    play = run.evaluator.play
    monkeypatch.setattr(run.evaluator, "play", lambda count, *rest: batches.append(count) or play(count, *rest))
    assert run.play_at_least(steps, episodes) == [20.0] * expected
    assert batches == [1] * expected  # an environment of one's own, one episode after the other
    assert counted(run, "TEST") == [20 * expected, expected, 0]
    assert run.agent.num_evaluation_episodes_completed == expected


@pytest.mark.parametrize(("steps", "expected"), [(20, [3]), (60, [3]), (61, [3, 1]), (130, [3, 4])])
def test_cars_of_an_evaluation_job_are_played_together(run, monkeypatch, steps, expected):
    batches = []
    play = run.evaluator.play
    monkeypatch.setattr(run.evaluator, "play", lambda count, *rest: batches.append(count) or play(count, *rest))
    monkeypatch.setattr("sagemaker_rl.training.accelerated.run.is_car", lambda env: True)
    assert len(run.play_at_least(steps, 3)) == sum(expected)
    assert batches == expected


def test_a_stop_is_noticed_before_each_step_and_the_weights_are_given_to_coach(run):
    from rl_coach.core_types import EnvironmentSteps

    asked = itertools.count()

    def check_stop():
        if next(asked) == 9:
            raise KeyboardInterrupt

    run.check_stop = check_stop
    network = run.agent.networks["main"].online_network
    before = network.predict({"observation": np.ones((1, 1))})
    run.learner.dense.weights += 1
    with pytest.raises(KeyboardInterrupt):
        run.train_and_act(EnvironmentSteps(40))
    assert run.agent.total_steps_counter < 20
    assert np.abs(network.predict({"observation": np.ones((1, 1))}) - before).max() > 0.1


def test_what_chance_holds_ends_with_its_episode(run):
    run.greedy.held.steps_left[:] = 9
    for _ in range(19):
        run._step_and_store(np.zeros(2, dtype=np.int64))
    assert run.greedy.held.steps_left.tolist() == [9, 9]
    run._step_and_store(np.zeros(2, dtype=np.int64))
    assert run.greedy.held.steps_left.tolist() == [0, 0]


def test_heatup_at_random_takes_every_action_without_asking_the_network(run):
    from rl_coach.core_types import EnvironmentSteps

    run.best_actions = lambda observations: pytest.fail("asked")
    run.heatup(EnvironmentSteps(80))
    assert set(run.replay.actions[:80].tolist()) == {0, 1}
    assert run.replay.count == 80
    run.agent.ap.algorithm.heatup_using_network_decisions = True
    run.best_actions = lambda observations: np.full(len(observations), 1)
    run.agent.exploration_policy.epsilon_schedule.current_value = 0.0
    run.heatup(EnvironmentSteps(10))
    assert run.replay.actions[80:90].tolist() == [1] * 10


@pytest.mark.parametrize(
    ("steps", "at_most", "environments"),
    [
        (12, 5, 4),
        (12, 4, 4),
        (12, 3, 3),
        (14, 5, 5),
        (14, 4, 2),
        (13, 5, 5),
        (13, 1, 1),
        (3, 5, 3),
        (1, 1, 1),
        (2, 2, 2),
    ],
)
def test_a_divisor_is_taken_unless_it_is_less_than_half(steps, at_most, environments):
    from sagemaker_rl.training.accelerated.vector_envs import choose_num_envs

    assert choose_num_envs(steps, at_most) == environments


def test_the_first_difference_is_named():
    from sagemaker_rl.training.accelerated.options import first_difference

    assert first_difference({"a": (1, 1), "b": (None, None)}) is None
    assert first_difference({"a": (1, 1), "b": (2, 3), "c": (4, 5)}) == "b is 2"
    assert first_difference({"kind": (dict, list)}) == "kind is dict"


def test_the_seeds_of_training_and_evaluation_differ_and_repeat(run):
    from sagemaker_rl.training.accelerated.dqn import DQNRun

    assert run.evaluator.seed == 1_000_003 + 3
    assert run.learner.dense is not None
    assert run.replay.states.shape == run.replay.next_states.shape == (100, 1)
    again = DQNRun(run.graph_manager, 2, 3, lambda: None)
    assert again.random.random() == np.random.default_rng(3).random()
    unseeded = [DQNRun(run.graph_manager, 2, None, lambda: None).evaluator.seed for _ in range(2)]
    assert unseeded[0] != unseeded[1]
    assert all(1_000_003 <= seed < 1_000_003 + 2**31 for seed in unseeded)


GREY = functools.partial(np.full, (20, 30, 3), 200, dtype=np.uint8)
"""A frame that is drawn later."""


def fail_to_draw():
    from sagemaker_rl.coach.recording import RenderError

    raise RenderError("it is dark")


def test_a_gif_is_written_when_training_goes_on(run, tmp_path, monkeypatch):
    from sagemaker_rl.coach.recording import Recording
    from sagemaker_rl.training.accelerated.gif_writer import RecordedEpisode

    monkeypatch.setattr("rl_coach.logger.experiment_path", str(tmp_path))
    recording = Recording()
    recording.append(GREY)
    recording.trace.add([1.0], 0)
    run.gifs.kept = RecordedEpisode(recording, 12, -3.5)
    run.gifs.submit_kept()
    assert run.gifs.kept is None
    run.gifs.submit_kept()  # waits
    (gif,) = (tmp_path / "gifs").glob("*.gif")
    assert gif.name.endswith("_episode-12_score--3.5.gif")
    assert (tmp_path / "gifs/episode-12.csv").is_file()
    broken = Recording()
    broken.append(fail_to_draw)
    run.gifs.submit(RecordedEpisode(broken, 13, 0.0))
    run.close()
    assert len(list((tmp_path / "gifs").iterdir())) == 2
    with pytest.raises(RuntimeError, match="shutdown"):
        run.gifs.submit(RecordedEpisode(recording, 14, 0.0))


def test_a_gif_that_cannot_be_written_is_an_error_of_the_run(run, tmp_path, monkeypatch):
    """As a full disk is: a training does not go on, nor end, as if nothing had happened."""
    from sagemaker_rl.coach.recording import Recording
    from sagemaker_rl.training.accelerated.gif_writer import RecordedEpisode

    monkeypatch.setattr("rl_coach.logger.experiment_path", str(tmp_path / "a-file"))
    (tmp_path / "a-file").write_text("")
    recording = Recording()
    recording.append(GREY)
    run.gifs.submit(RecordedEpisode(recording, 12, -3.5))
    with pytest.raises(NotADirectoryError):
        run.gifs.submit_kept()
    run.gifs._writing = None
    run.gifs.kept = RecordedEpisode(recording, 13, -3.5)
    with pytest.raises(NotADirectoryError):
        run.close()


def test_a_process_that_writes_gifs_and_is_killed_ends_the_run_in_one_sentence(run, tmp_path, monkeypatch):
    """No signal of the job's ends it before: a GIF is written to its end."""
    from sagemaker_rl.coach.recording import Recording
    from sagemaker_rl.training.accelerated.gif_writer import RecordedEpisode

    monkeypatch.setattr("rl_coach.logger.experiment_path", str(tmp_path))
    recording = Recording()
    recording.append(GREY)
    run.gifs.submit(RecordedEpisode(recording, 12, -3.5))
    run.gifs.wait()
    (process,) = run.gifs._executor._processes.values()
    for number in (signal.SIGTERM, signal.SIGINT):
        os.kill(process.pid, number)
    run.gifs.submit(RecordedEpisode(recording, 13, -3.5))
    run.gifs.wait()
    assert len(list(tmp_path.glob("gifs/*.gif"))) == 2
    process.kill()
    with pytest.raises(InputError, match="The process that writes GIFs was ended"):
        for number in (14, 15):  # the pool may see it after the first
            run.gifs.submit(RecordedEpisode(recording, number, -3.5))
            run.gifs.wait()
    run.gifs._writing = None
    run.close()
    with pytest.raises(ProcessLookupError):
        os.kill(process.pid, 0)


def test_an_evaluation_keeps_what_the_video_filters_keep(run):
    from sagemaker_rl.coach.recording import Recording
    from sagemaker_rl.training.accelerated.evaluator import Episodes

    asked = []
    run.video_filters.keep = lambda *arguments: asked.append(arguments) or arguments[1] > 2
    run.episodes_played = 10
    for score in (2.0, 3.0):
        recording = Recording()
        run.evaluator.play = lambda *arguments, r=recording, s=score: Episodes([s, 9.0], 7, r)
        run._play_episodes(2)
        assert (run.gifs.kept is not None) == (score > 2)
    assert asked == [(10, 2.0), (12, 3.0)]
    assert (run.gifs.kept.recording, run.gifs.kept.number, run.gifs.kept.score) == (recording, 12, 3.0)
    assert counted(run, "TEST") == [14, 4, 0]
    run.agent.ap.visualization.dump_gifs = True
    run.evaluator.play = lambda *arguments: Episodes([1.0], 1, None, "it is dark")
    run._play_episodes(1)
    assert run.agent.ap.visualization.dump_gifs is False


def test_a_second_filter_counts_what_the_first_one_makes_of_an_observation(run):
    from rl_coach.utilities.shared_running_stats import NumpySharedRunningStats

    first, second = NumpySharedRunningStats("first"), NumpySharedRunningStats("second")
    for statistics in (first, second):
        statistics.set_params(shape=[1], clip_values=(-1.0, 1.0))
    run.normalizations = [first, second]
    observations = np.array([[0.0], [10.0], [20.0], [90.0]])
    run.count_for_normalization(observations)
    assert first.mean == pytest.approx(30, rel=0.01)
    normalized = np.clip((observations - first.mean) / first.std, -1, 1)
    assert second.mean == pytest.approx(normalized.mean(), abs=0.01)
    states = run.normalize(observations)
    assert states.dtype == np.float32
    assert states == pytest.approx(np.clip((normalized - second.mean) / second.std, -1, 1), rel=1e-4)
