"""A picture of two tiles, one of them lit: the observation of an environment in colours."""

import gym
import numpy as np

SHAPE = (60, 40, 3)
STEPS = 20


class Tiles(gym.Env):
    """The action that names the tile which is lit, 0 for the left one, is worth 1; an episode has 20 steps."""

    observation_space = gym.spaces.Box(0, 255, shape=SHAPE, dtype=np.uint8)
    action_space = gym.spaces.Discrete(2)

    def __init__(self):
        self.steps = self.lit = 0
        self.random = np.random.default_rng()

    def seed(self, seed=None):
        """Begin the tiles' order anew."""
        self.random = np.random.default_rng(seed)
        return [seed]

    def reset(self):
        """Return the first picture."""
        self.steps = 0
        return self.draw()

    def step(self, action):
        """Return the next picture, and whether the action was that of the tile before."""
        self.steps += 1
        reward = float(action == self.lit)
        return self.draw(), reward, self.steps == STEPS, {}

    def draw(self):
        """Light a tile, and return the picture: green on a little noise."""
        self.lit = int(self.random.integers(2))
        picture = self.random.integers(0, 40, size=SHAPE).astype(np.uint8)
        picture[10:50, 20 * self.lit + 2 : 20 * self.lit + 18, 1] = 255
        return picture
