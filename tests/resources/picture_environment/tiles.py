"""A picture of one grey tile that brightens with every step: the observation of an environment in colours."""

import gym
import numpy as np

SHAPE = (60, 40, 3)
STEPS = 20


class Tiles(gym.Env):
    """Action 1 is worth 1 in every step; an episode has 20 steps."""

    observation_space = gym.spaces.Box(0, 255, shape=SHAPE, dtype=np.uint8)
    action_space = gym.spaces.Discrete(2)

    def __init__(self):
        self.steps = 0

    def seed(self, seed=None):
        """Nothing is random here."""
        return [seed]

    def reset(self):
        """Return a black picture."""
        self.steps = 0
        return np.zeros(SHAPE, dtype=np.uint8)

    def step(self, action):
        """Return a brighter one, and the action as the reward."""
        self.steps += 1
        return np.full(SHAPE, 10 * self.steps, dtype=np.uint8), float(action), self.steps == STEPS, {}
