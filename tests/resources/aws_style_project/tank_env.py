"""A tank that is filled by a tap: keep its level in the middle."""

import gym
import numpy as np


class TankEnv(gym.Env):
    """Action 0 closes the tap, 1 opens it; the reward is 1 while the level is within 0.2 of the middle; 40 steps."""

    def __init__(self, outflow=0.04):
        self.observation_space = gym.spaces.Box(0.0, 1.0, shape=(2,), dtype=np.float32)
        self.action_space = gym.spaces.Discrete(2)
        self.outflow = outflow
        self.random = np.random.default_rng()

    def seed(self, seed=None):
        self.random = np.random.default_rng(seed)
        return [seed]

    def reset(self):
        self.steps, self.level, self.tap = 0, float(self.random.uniform(0.2, 0.8)), 0.0
        return self._observe()

    def step(self, action):
        self.steps += 1
        self.tap = float(action)
        self.level = min(1.0, max(0.0, self.level + 0.08 * self.tap - self.outflow))
        return self._observe(), float(abs(self.level - 0.5) < 0.2), self.steps >= 40, {}

    def render(self, mode="human"):
        image = np.full((60, 40, 3), 255, dtype=np.uint8)
        image[60 - int(60 * self.level) :, :, :2] = 0
        return image

    def _observe(self):
        return np.array([self.level, self.tap], dtype=np.float32)
