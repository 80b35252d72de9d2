"""``frame_skip`` of a preset: the fast path's environments do what Coach's does, step for step."""

import numpy as np
import pytest
from agent_presets import write_agent
from sagemaker_rl.coach.environments import environment_maker
from sagemaker_rl.coach.graph import create_graph
from sagemaker_rl.coach.presets import import_preset

SKIPPING = """
    frameskip = 3

    def step(self, action):
        reward = 0.0
        for _ in range(self.frameskip):
            self.steps += 1
            reward += self.steps * (1 + action)
            if self.steps % 20 == 0:
                break
        return np.array([np.sin(self.steps)], dtype=np.float32), reward, self.steps % 20 == 0, {}
"""
"""An environment that skips frames by itself, as gym's of Atari, dm_control or MuJoCo do: 3 if nobody says."""
OTHER = ""
"""One that knows nothing of it."""


def make_graph(folder, members, frame_skip, name="Own"):
    preset = write_agent(folder, "clipped_ppo_agent:ClippedPPOAgent", f"env_params.frame_skip = {frame_skip}")
    environment = folder / "code/own.py"
    environment.write_text(environment.read_text().replace("class Own", f"class {name}") + members)
    preset.write_text(preset.read_text().replace("own:Own", f"own:{name}"))
    graph_manager = import_preset(preset)
    create_graph(graph_manager, folder, seed=3)
    return graph_manager


@pytest.mark.parametrize(("members", "frame_skip", "steps"), [(SKIPPING, 5, 4), (SKIPPING, 1, 20), (OTHER, 5, 20)])
def test_a_step_is_the_step_of_coachs_environment(tmp_path, members, frame_skip, steps):
    graph_manager = make_graph(tmp_path, members, frame_skip)
    (stock,) = graph_manager.environments
    ours = environment_maker(graph_manager)()
    ours.reset()
    stock.reset_internal_state(force_environment_reset=True)
    stock.env.unwrapped.steps = 0  # OWN_ENVIRONMENT counts on
    lengths = []
    for step in range(1, 41):
        observation, reward, done, _ = ours.step(step % 2)
        response = stock.step(step % 2)
        assert (reward, done) == (response.reward, response.game_over)
        np.testing.assert_array_equal(observation, response.next_state["observation"])
        if done:
            lengths.append(step - sum(lengths))
            ours.reset()
            stock.reset_internal_state()
    assert set(lengths) == {steps}

    from sagemaker_rl.training.accelerated.support import reason_for_stock

    assert reason_for_stock(graph_manager) is None


ATARI = """
    class ale:
        lives = staticmethod(lambda: 0)

    @staticmethod
    def get_action_meanings():
        return ["NOOP", "LEFT"]
"""


def test_what_coach_repeats_itself_is_left_to_it(tmp_path):
    graph_manager = make_graph(tmp_path, ATARI, 5, name="AtariLike")

    from sagemaker_rl.training.accelerated.support import reason_for_stock

    assert reason_for_stock(graph_manager) == "the environment is one of Atari's"
