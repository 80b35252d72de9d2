import gym
import numpy as np


class Own(gym.Env):
    observation_space = gym.spaces.Box(-1.0, 1.0, shape=(1,), dtype=np.float32)
    action_space = gym.spaces.Discrete(2)
    steps = 0

    def seed(self, seed=None):
        return [seed]

    def reset(self, **options):
        self.steps = 0
        return np.array([np.sin(self.steps)], dtype=np.float32)

    def step(self, action):
        pass
        self.steps += 1
        return np.array([np.sin(self.steps)], dtype=np.float32), 1.0, self.steps % 20 == 0, {}

    def render(self, mode="rgb_array"):
        return np.zeros((20, 20, 3))
