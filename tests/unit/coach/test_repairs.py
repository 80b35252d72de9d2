"""The repairs to Coach, each against what it stands in for."""

import multiprocessing
from types import SimpleNamespace

import numpy as np
import pytest
from sagemaker_rl.coach import repairs
from sagemaker_rl.errors import InputError

repairs.apply()


def test_discounted_sums_equal_scipys():
    from rl_coach.agents.actor_critic_agent import ActorCriticAgent
    from scipy.signal import lfilter

    rewards = np.random.default_rng(0).normal(size=2000)
    expected = lfilter([1], [1, -0.97], rewards[::-1])[::-1]
    assert np.allclose(ActorCriticAgent.discount(SimpleNamespace(), rewards, 0.97), expected, rtol=1e-12, atol=1e-12)


def test_constant_takes_a_list_that_holds_none():
    import mxnet as mx

    for value, expected in (([None], 0.0), ([0.5], 0.5), (2.0, 2.0)):
        assert mx.init.Constant(value).value == expected


def test_coach_raises_where_it_would_exit(capsys):
    from rl_coach.logger import screen

    with pytest.raises(InputError, match=r"^The level Pogn is not one of Pong, Qbert\.$"):
        screen.error("The level Pogn is not one of \nPong, Qbert.")
    screen.error("no CARLA here", crash=False)
    assert "no CARLA here" in capsys.readouterr().out


def test_a_level_that_coach_does_not_know():
    from rl_coach.environments.environment import SingleLevelSelection

    level = SingleLevelSelection({"pong": "PongDeterministic-v4"})
    level.select("pogn")
    with pytest.raises(InputError, match=r"The selected level \(pogn\) is not part of the available levels \(pong\)"):
        str(level)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.uint32, np.uint64])
def test_a_box_of_unsigned_integers_without_bounds(dtype):
    import gym

    box = gym.spaces.Box(-np.inf, np.inf, shape=(2,), dtype=dtype)
    assert box.low.tolist() == [0, 0]
    assert box.high.tolist() == [np.iinfo(dtype).max - 2] * 2
    above = gym.spaces.Box(3, np.inf, shape=(2,), dtype=dtype)
    assert above.contains(above.sample())


def test_other_boxes_without_bounds_are_gyms():
    from gym.spaces import box

    assert box.get_inf(np.float32, "-") == -np.inf
    assert box.get_inf(np.int8, "+") == 125
    with pytest.raises(ValueError, match="infinite bounds"):
        box.get_inf(np.complex64, "+")


def test_a_memory_takes_no_process_of_its_own(tmp_path):
    from graphs import make_graph
    from jobs import DQN
    from sagemaker_rl.coach.graph import agent_of

    before = multiprocessing.active_children()  # of other tests
    memory = agent_of(make_graph(tmp_path, DQN)).memory
    assert {*multiprocessing.active_children()} <= {*before}
    memory.reader_writer_lock.lock_writing_and_reading()
    assert not memory.reader_writer_lock.writers_lock.acquire(blocking=False)
    memory.reader_writer_lock.release_writing_and_reading()


@pytest.mark.parametrize(("every", "kept"), [(1, [0, 1, 2, 3, 4, 5, 6]), (2, [1, 3, 5]), (3, [2, 5])])
def test_a_video_filter_keeps_one_episode_of_every_few(every, kept):
    """It is asked in each step of an episode, and once more at its end: the answers must be the same."""
    from rl_coach.core_types import EveryNEpisodesDumpFilter

    video_filter = EveryNEpisodesDumpFilter(every)
    answers = [
        [video_filter.should_dump(episode_terminated=ended, episode_idx=episode) for ended in (False, False, True)]
        for episode in range(7)
    ]
    assert [episode for episode, answer in enumerate(answers) if answer == [True] * 3] == kept
    assert [answer for answer in answers if len(set(answer)) > 1] == []


def test_the_frames_of_a_gif_have_their_time(tmp_path, monkeypatch):
    from PIL import Image
    from rl_coach import logger

    monkeypatch.setattr(logger, "experiment_path", str(tmp_path))
    pictures = [np.full((20, 30, 3), [value, 2 * value, 0], dtype=np.uint8) for value in (10, 60, 120)]
    logger.create_gif(pictures, fps=8, name="episode-3_score-1.5")
    (file,) = (tmp_path / "gifs").iterdir()
    assert file.name.endswith("_episode-3_score-1.5.gif")
    with Image.open(file) as gif:
        assert (gif.n_frames, gif.size, gif.info["loop"]) == (3, (30, 20), 0)
        shown = []
        for index in range(3):
            gif.seek(index)
            assert gif.info["duration"] == pytest.approx(1000 / 8, abs=10)  # a GIF counts in hundredths of a second
            shown.append(gif.convert("RGB").getpixel((3, 2)))
    assert shown == [(10, 20, 0), (60, 120, 0), (120, 240, 0)]


def test_counters_know_frames_and_seconds():
    import time

    from rl_coach.core_types import EnvironmentEpisodes, EnvironmentSteps, Frames, Time, TotalStepsCounter

    counter = TotalStepsCounter()
    counter[EnvironmentSteps] += 5
    counter[EnvironmentEpisodes] += 2
    assert (counter[Frames], counter[EnvironmentSteps], counter[EnvironmentEpisodes]) == (5, 5, 2)
    end = counter + Frames(3)
    assert (type(end), end.num_steps) == (Frames, 8)
    assert (counter + EnvironmentEpisodes(3)).num_steps == 5
    assert counter < Frames(6)
    assert not counter < Frames(5)
    before = time.monotonic()
    assert before <= counter[Time] <= time.monotonic()
    assert counter < counter + Time(60)
    assert not counter < counter + Time(-1)


def test_a_phase_shorter_than_a_batch_is_refused():
    from rl_coach.agents.clipped_ppo_agent import ClippedPPOAgent
    from rl_coach.core_types import EnvironmentEpisodes

    agent = SimpleNamespace(
        ap=SimpleNamespace(
            network_wrappers={"main": SimpleNamespace(batch_size=64)},
            algorithm=SimpleNamespace(num_consecutive_playing_steps=EnvironmentEpisodes(2)),
        )
    )
    sentence = (
        "batch_size of 64, expected at most the 63 environment steps that were just played .*EnvironmentEpisodes.2"
    )
    with pytest.raises(InputError, match=sentence):
        ClippedPPOAgent.train_network(agent, SimpleNamespace(size=63), 1)
    with pytest.raises(AttributeError):  # as many are enough: Coach begins
        ClippedPPOAgent.train_network(agent, SimpleNamespace(size=64), 1)


def test_the_row_of_a_training_episode_is_written_when_it_is_complete(tmp_path):
    """An evaluation's episodes write none, and the losses of the training that follows are in the row."""
    from graphs import make_graph
    from rl_coach.core_types import RunPhase
    from sagemaker_rl.coach.graph import agent_of

    agent = agent_of(make_graph(tmp_path))
    file = next(tmp_path.rglob("*.csv"), None)

    def rows():
        found = file or next(tmp_path.rglob("*.csv"), None)
        return found.read_text().splitlines()[1:] if found and found.stat().st_size else []

    agent.phase = RunPhase.TRAIN
    for episode in (1, 2, 3):
        agent.current_episode = episode
        agent.update_log()
        agent.agent_logger.dump_output_csv()
        assert len(rows()) == episode - 1
        assert len(agent.agent_logger.data) == episode
    agent.phase = RunPhase.TEST
    agent.update_log()
    agent.agent_logger.dump_output_csv()
    assert [row.split(",")[0] for row in rows()] == ["1", "2"]
    agent.agent_logger.dump_output_csv(everything=True)
    assert [row.split(",")[0] for row in rows()] == ["1", "2", "3"]


@pytest.mark.parametrize("rate", [0.25, 0.5])
def test_a_decaying_rate_can_be_logged(tmp_path, rate):
    from graphs import make_graph
    from sagemaker_rl.coach.graph import agent_of

    main = "agent_params__network_wrappers__main__"
    changes = {f"{main}learning_rate": 0.01, f"{main}learning_rate_decay_rate": rate}
    network = agent_of(make_graph(tmp_path, **changes, **{f"{main}learning_rate_decay_steps": 2})).networks["main"]
    scheduler = network.online_network.trainer._optimizer.lr_scheduler
    assert scheduler.base_lr == 0.01
    assert network.sess.run(network.online_network.current_learning_rate) == pytest.approx(0.01)
    assert [scheduler(step) for step in (1, 2, 3, 5)] == pytest.approx([0.01, 0.01, 0.01 * rate, 0.01 * rate**2])
