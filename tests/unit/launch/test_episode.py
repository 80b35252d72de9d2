"""A car driven through an endpoint that dies, and predict.sh, which asks one."""

import os
import subprocess
from types import SimpleNamespace

import httpx
import numpy as np
import pytest
from jobs import ROOT
from launch.cli import errors
from launch.sagemaker import episode
from PIL import Image
from stand_ins import Healthy, server_of


def test_an_endpoint_that_died_is_a_failed_job():
    class HangsUp(Healthy):
        def do_POST(self):
            self.close_connection = True

    died = pytest.raises(errors.JobFailed, match="does not answer")
    with server_of(HangsUp) as url, httpx.Client(trust_env=False) as client, died:
        episode.predict(client, url, [0.0, 0.0])
    with httpx.Client(trust_env=False) as client, died:  # the port is closed now
        episode.drive(client, url, continuous=True, seed=0)


def test_predict_sh_asks_no_proxy_and_fails_for_a_4xx(dead_proxy, tmp_path):
    class Refuses(Healthy):
        def do_POST(self):
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(415)
            self.end_headers()
            self.wfile.write(b'{"error": "unsupported"}')

    payload = tmp_path / "payload.json"
    payload.write_text("[1]")
    with server_of(Refuses) as url:
        port = url.rpartition(":")[2]
        command = [str(ROOT / "local_test/predict.sh"), str(payload)]
        done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "PORT": port}, timeout=30)
    assert done.returncode == 22
    assert done.stdout == '{"error": "unsupported"}'


@pytest.mark.parametrize("continuous", [True, False])
def test_an_episode_begins_at_its_seed_and_ends_at_the_flag(continuous):
    """The environment computes beside it what it has to come to."""
    environment = (episode.Continuous_MountainCarEnv if continuous else episode.MountainCarEnv)()
    seen: list[list[float]] = []
    shown: list[float] = []

    def act(observation: list[float]):
        push = 1.0 if observation[1] >= 0 else -1.0
        return [push] if continuous else int(push) + 1

    def driver(observation: list[float]):
        seen.append(observation)
        return act(observation)

    outcome = episode.drive_with(driver, continuous, 7, lambda car: shown.append(car.state[0]))
    (observation, _), done, rewards, expected, places = environment.reset(seed=7), False, [], [], []
    while not done:
        expected.append([float(value) for value in observation])
        places.append(environment.state[0])
        observation, reward, done, *_ = environment.step(
            np.array(act(expected[-1]), np.float32) if continuous else act(expected[-1])
        )
        rewards.append(reward)
    assert seen == expected
    assert shown == [*places, environment.state[0]]  # at the start, and after each step
    assert (outcome.steps, outcome.reached_flag) == (len(expected), True)
    assert outcome.episode_return == pytest.approx(sum(rewards))


def test_an_episode_ends_when_the_patience_does(monkeypatch):
    monkeypatch.setattr(episode, "PATIENCE", 5)
    shown: list[object] = []
    outcome = episode.drive_with(lambda observation: 1, False, 7, shown.append)
    assert (outcome, len(shown)) == (episode.Episode(-5.0, 5, False), 6)


def test_a_gif_has_every_step_and_of_a_long_episode_every_second_or_fourth(monkeypatch, tmp_path):
    rendered: list[int] = []

    def render() -> np.ndarray:
        rendered.append(gif._steps)
        return np.full((4, 6, 3), gif._steps, dtype=np.uint8)

    assert episode.EpisodeGif.MAX_FRAMES * 40 == 8000  # ms
    monkeypatch.setattr(episode.EpisodeGif, "MAX_FRAMES", 10)
    gif = episode.EpisodeGif()
    car = SimpleNamespace(render=render)
    for _ in range(10):
        gif.add_frame(car)
    assert (rendered, len(gif._frames)) == (list(range(10)), 10)
    for _ in range(10, 23):
        gif.add_frame(car)
    assert rendered[10:] == [10, 12, 14, 16, 18, 20]
    assert [frame.getpixel((9, 9))[0] for frame in gif._frames] == [0, 4, 8, 12, 16, 20]
    gif.save(tmp_path / "x.gif")
    with Image.open(tmp_path / "x.gif") as image:
        assert (image.n_frames, image.size) == (6, (300, 200))
        assert (image.info["duration"], image.info["loop"]) == (40, 0)
