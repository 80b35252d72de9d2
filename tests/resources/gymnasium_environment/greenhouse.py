"""An environment written for gymnasium: keep a greenhouse warm, neither too warm nor too cold."""

import gymnasium
import numpy as np


class Greenhouse(gymnasium.Env):
    """Action 0 switches the heater off, 1 on; 1 per step, until it is 3 degrees off, or for 100 steps.

    An observation is how far the temperature is from the wanted one, in degrees, and whether the heater was on.
    """

    metadata = {"render_modes": ["rgb_array"], "render_fps": 10}

    def __init__(self, render_mode=None):
        self.render_mode = render_mode
        self.observation_space = gymnasium.spaces.Box(-4.0, 4.0, shape=(2,), dtype=np.float32)
        self.action_space = gymnasium.spaces.Discrete(2)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.temperature = self.np_random.uniform(-1.0, 1.0)
        self.heating = self.steps = 0
        return self._observe(), {"steps": self.steps}

    def step(self, action):
        assert self.action_space.contains(action)
        self.heating = int(action)
        self.steps += 1
        self.temperature += 0.7 if self.heating else -0.4
        terminated = abs(self.temperature) > 3.0
        return self._observe(), 1.0, terminated, self.steps == 100, {"steps": self.steps}

    def render(self):
        if self.render_mode != "rgb_array":
            return None
        image = np.full((100, 60, 3), 255, dtype=np.uint8)
        top = int(np.clip(50 - 12 * self.temperature, 0, 99))
        image[top:, 20:40] = (200, 0, 0) if self.heating else (0, 0, 200)
        return image

    def _observe(self):
        return np.array([self.temperature, self.heating], dtype=np.float32)
