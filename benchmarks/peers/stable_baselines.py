"""Stable-Baselines3 (https://github.com/DLR-RM/stable-baselines3) with RL Baselines3 Zoo's tuned hyperparameters.

https://github.com/DLR-RM/rl-baselines3-zoo/tree/master/hyperparams: ``ppo.yml`` and ``sac.yml``
(MountainCarContinuous-v0), ``dqn.yml`` (MountainCar-v0). Neither Monitor nor gymnasium's checks are around the
environment: both would only cost time.
"""

import argparse
import resource
import time
from typing import Any

import gymnasium
import numpy as np
import torch
from events import emit
from stable_baselines3 import DQN, PPO, SAC
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.vec_env import DummyVecEnv, VecNormalize
from unseen_starts import Act, draw_starts, play, unseen_starts

PATIENCE = 10_000
"""Environment steps per episode: always in evaluation, and where PPO and SAC train."""
PATIENCE_OF_DQN = 200
"""MountainCar-v0's own limit, for which its hyperparameters were tuned."""
EVALUATION_EPISODES = 5
EVALUATION_STREAM = 1
"""Beside a run's seed, the seed of the start states of its evaluations."""

LEVELS = {"ppo": "MountainCarContinuous-v0", "sac": "MountainCarContinuous-v0", "dqn": "MountainCar-v0"}
STEPS = {"ppo": 20_000, "sac": 50_000, "dqn": 120_000}
STEPS_BETWEEN_EVALUATIONS = {"ppo": 1_000, "sac": 1_000, "dqn": 5_000}
HYPERPARAMETERS: dict[str, dict[str, Any]] = {
    "ppo": {
        "n_steps": 8,
        "batch_size": 8,
        "gamma": 0.9999,
        "learning_rate": 7.77e-5,
        "ent_coef": 0.00429,
        "clip_range": 0.1,
        "n_epochs": 10,
        "gae_lambda": 0.9,
        "max_grad_norm": 5,
        "vf_coef": 0.19,
        "use_sde": True,
        "policy_kwargs": {"log_std_init": -3.29, "ortho_init": False},
    },
    "sac": {
        "learning_rate": 3e-4,
        "buffer_size": 50_000,
        "batch_size": 512,
        "ent_coef": 0.1,
        "train_freq": 32,
        "gradient_steps": 32,
        "gamma": 0.9999,
        "tau": 0.01,
        "learning_starts": 0,
        "use_sde": True,
        "policy_kwargs": {"log_std_init": -3.67, "net_arch": [64, 64]},
    },
    "dqn": {
        "learning_rate": 4e-3,
        "batch_size": 128,
        "buffer_size": 10_000,
        "learning_starts": 1_000,
        "gamma": 0.98,
        "target_update_interval": 600,
        "train_freq": 16,
        "gradient_steps": 8,
        "exploration_fraction": 0.2,
        "exploration_final_eps": 0.07,
        "policy_kwargs": {"net_arch": [256, 256]},
    },
}


def make_env(algorithm: str, patience: int) -> Any:
    """Return a Mountain Car whose episodes last at most ``patience`` steps."""
    return gymnasium.make(LEVELS[algorithm], max_episode_steps=patience, disable_env_checker=True)


def make_model(algorithm: str, seed: int) -> BaseAlgorithm:
    """Return the untrained agent, in the environment that it trains in."""
    patience = PATIENCE_OF_DQN if algorithm == "dqn" else PATIENCE
    env: Any = DummyVecEnv([lambda: make_env(algorithm, patience)])
    hyperparameters = HYPERPARAMETERS[algorithm]
    if algorithm == "ppo":
        env = VecNormalize(env, gamma=hyperparameters["gamma"])  # the zoo's `normalize: true`
    agent = {"ppo": PPO, "sac": SAC, "dqn": DQN}[algorithm]
    return agent("MlpPolicy", env, seed=seed, device="cpu", **hyperparameters)


def deterministic_policy(model: BaseAlgorithm) -> Act:
    """Return the policy with the observations normalized by the statistics of training, where they are normalized."""
    normalize = model.get_vec_normalize_env()

    def act(observations: np.ndarray) -> np.ndarray:
        if normalize is not None:
            observations = normalize.normalize_obs(observations)
        return model.predict(observations, deterministic=True)[0]

    return act


class Evaluations(BaseCallback):
    """Evaluates every so many environment steps, and counts the seconds that this takes."""

    def __init__(self, algorithm: str, every: int, seed: int) -> None:
        super().__init__()
        self.algorithm = algorithm
        self.every = every
        self.random = np.random.default_rng([seed, EVALUATION_STREAM])
        self.spent = 0.0

    def _on_step(self) -> bool:
        if self.every and self.num_timesteps % self.every == 0:
            started = time.monotonic()
            starts = draw_starts(self.random, EVALUATION_EPISODES)
            returns = play(lambda: make_env(self.algorithm, PATIENCE), deterministic_policy(self.model), starts)
            self.spent += time.monotonic() - started
            emit("evaluation", steps=self.num_timesteps, mean_return=float(np.mean(returns)), spent=self.spent)
        return True


def main() -> None:
    """Train, and score the final policy."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("algorithm", choices=HYPERPARAMETERS)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--steps", type=int, help="environment steps; the zoo's number if not given")
    parser.add_argument("--evaluate-every", type=int, help="environment steps; 0: never")
    parser.add_argument("--threads", type=int, default=1, help="of torch")
    parser.add_argument("--no-final", action="store_true", help="do not score the final policy")
    arguments = parser.parse_args()
    algorithm = arguments.algorithm
    every = arguments.evaluate_every
    torch.set_num_threads(arguments.threads)

    model = make_model(algorithm, arguments.seed)
    evaluations = Evaluations(
        algorithm, STEPS_BETWEEN_EVALUATIONS[algorithm] if every is None else every, arguments.seed
    )
    emit("started")
    model.learn(STEPS[algorithm] if arguments.steps is None else arguments.steps, callback=evaluations)
    emit(
        "trained",
        steps=model.num_timesteps,
        spent=evaluations.spent,
        peak_memory_kib=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss,
    )
    if not arguments.no_final:
        returns = play(lambda: make_env(algorithm, PATIENCE), deterministic_policy(model), unseen_starts())
        emit("final", returns=returns)


if __name__ == "__main__":
    main()
