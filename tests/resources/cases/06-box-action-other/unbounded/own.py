import gym
import numpy as np


class Own(gym.Env):
    observation_space = gym.spaces.Box(-1.0, 1.0, shape=(1,), dtype=np.float32)
    action_space = gym.spaces.Box(-np.inf, np.inf, shape=(2,), dtype=np.float32)
    steps = 0

    def seed(self, seed=None):
        return [seed]

    def reset(self, **options):
        self.steps = 0
        return np.array([np.sin(self.steps)], dtype=np.float32)

    def step(self, action):
        a = np.asarray(action)
        assert a.shape == self.action_space.shape, ("shape", a.shape)
        assert (a >= self.action_space.low).all() and (a <= self.action_space.high).all(), a
        print("ACT", a.tolist(), a.dtype) if self.steps == 3 else None
        self.steps += 1
        return np.array([np.sin(self.steps)], dtype=np.float32), 1.0, self.steps % 20 == 0, {}
