"""Clipped PPO as one program compiled by XLA: rollout, advantages and epochs, as PureJaxRL is built.

https://github.com/luchris429/purejaxrl. Sizes and hyperparameters are those of our preset for the continuous car;
where PureJaxRL has its own way, the objective and what an episode's end is worth, so has this one.
"""

import argparse
import resource
import time
from typing import Any, NamedTuple

import gymnasium
import jax
import jax.numpy as jnp
import numpy as np
import optax
from events import emit
from unseen_starts import play, unseen_starts

CARS, STEPS = 64, 2_048
TRAININGS, EPOCHS, MINIBATCHES = 10, 20, 8
PATIENCE = 10_000
DISCOUNT, LAMBDA, CLIPPING, ENTROPY = 1.0, 0.997, 0.2, -5.0
LAYERS = (2, 32, 32, 1)
EVALUATION_EPISODES = 5
OPTIMIZER = optax.adam(
    optax.exponential_decay(0.003, EPOCHS * MINIBATCHES, 0.9, staircase=True), b1=0.9, b2=0.999, eps=1e-5
)
LOG_2_PI = float(np.log(2 * np.pi))


class Cars(NamedTuple):
    """Mountain Cars with continuous actions; arrays ``(cars,)``."""

    position: jax.Array
    velocity: jax.Array
    steps: jax.Array

    def observe(self) -> jax.Array:
        return jnp.stack([self.position, self.velocity], axis=-1)


class State(NamedTuple):
    """All that a training begins with."""

    parameters: Any
    optimizer: Any
    cars: Cars
    statistics: tuple[jax.Array, jax.Array, jax.Array]
    """Of the observations: how many there were, their mean, and the sum of squared differences from it."""
    key: jax.Array


def start(key: jax.Array, cars: int) -> Cars:
    zeros = jnp.zeros(cars)
    return Cars(jax.random.uniform(key, (cars,), minval=-0.6, maxval=-0.4), zeros, zeros.astype(jnp.int32))


def move(cars: Cars, action: jax.Array) -> tuple[Cars, jax.Array, jax.Array]:
    """Return the cars after a step, rewards, and which episodes have ended."""
    push = jnp.clip(action, -1.0, 1.0)
    velocity = jnp.clip(cars.velocity + push * 0.0015 - 0.0025 * jnp.cos(3 * cars.position), -0.07, 0.07)
    position = jnp.clip(cars.position + velocity, -1.2, 0.6)
    velocity = jnp.where((position == -1.2) & (velocity < 0), 0.0, velocity)
    at_flag = (position >= 0.45) & (velocity >= 0)
    moved = Cars(position, velocity, cars.steps + 1)
    return moved, 100.0 * at_flag - 0.1 * push**2, at_flag | (moved.steps >= PATIENCE)


def make_network(key: jax.Array) -> list[tuple[jax.Array, jax.Array]]:
    initialize = jax.nn.initializers.glorot_uniform()
    sizes = zip(jax.random.split(key, len(LAYERS) - 1), LAYERS[:-1], LAYERS[1:], strict=True)
    return [(initialize(each, (before, after)), jnp.zeros(after)) for each, before, after in sizes]


def apply(network: list[tuple[jax.Array, jax.Array]], x: jax.Array) -> jax.Array:
    for weights, bias in network[:-1]:
        x = jnp.tanh(x @ weights + bias)
    weights, bias = network[-1]
    return (x @ weights + bias)[..., 0]


def log_density(parameters: Any, states: jax.Array, actions: jax.Array) -> jax.Array:
    log_deviation = parameters["log_deviation"]
    z = (actions - apply(parameters["policy"], states)) / jnp.exp(log_deviation)
    return -0.5 * z**2 - log_deviation - 0.5 * LOG_2_PI


def normalize(statistics: tuple[jax.Array, jax.Array, jax.Array], observations: jax.Array) -> jax.Array:
    count, mean, squares = statistics
    return jnp.clip((observations - mean) / jnp.sqrt(squares / count + 1e-8), -5.0, 5.0)


def count(statistics: tuple[jax.Array, jax.Array, jax.Array], observations: jax.Array) -> Any:
    """Return the statistics with more observations (Chan, Golub and LeVeque 1979)."""
    before, mean, squares = statistics
    more = observations.shape[0]
    their_mean = observations.mean(axis=0)
    difference = their_mean - mean
    total = before + more
    theirs = ((observations - their_mean) ** 2).sum(axis=0)
    return total, mean + difference * more / total, squares + theirs + difference**2 * before * more / total


def loss(parameters: Any, batch: Any) -> jax.Array:
    states, actions, old_log_densities, advantages, targets = batch
    ratios = jnp.exp(log_density(parameters, states, actions) - old_log_densities)
    objective = jnp.minimum(ratios * advantages, jnp.clip(ratios, 1 - CLIPPING, 1 + CLIPPING) * advantages)
    entropy = parameters["log_deviation"] + 0.5 * (1 + LOG_2_PI)
    errors = apply(parameters["value"], states) - targets
    return 0.5 * (errors**2).mean() - objective.mean() - ENTROPY * entropy


def train(state: State) -> State:
    """Play a phase and train on it."""
    key, starts, noise, shuffles = jax.random.split(state.key, 4)
    parameters, statistics = state.parameters, state.statistics

    def step(cars: Cars, keys: Any) -> Any:
        start_key, noise_key = keys
        observations = cars.observe()
        mean = apply(parameters["policy"], normalize(statistics, observations))
        actions = mean + jnp.exp(parameters["log_deviation"]) * jax.random.normal(noise_key, mean.shape)
        moved, rewards, ended = move(cars, actions)
        following = Cars(*(jnp.where(ended, new, old) for new, old in zip(start(start_key, CARS), moved, strict=True)))
        return following, (observations, actions, rewards, ended)

    keys = jax.random.split(starts, STEPS), jax.random.split(noise, STEPS)
    cars, (observations, actions, rewards, ended) = jax.lax.scan(step, state.cars, keys)
    statistics = count(statistics, observations.reshape(-1, 2))
    states = normalize(statistics, observations)
    values = apply(parameters["value"], states)

    def back(following: Any, now: Any) -> Any:
        advantage, next_value = following
        reward, value, end = now
        delta = reward + DISCOUNT * next_value * ~end - value
        advantage = delta + DISCOUNT * LAMBDA * ~end * advantage
        return (advantage, value), advantage

    last = apply(parameters["value"], normalize(statistics, cars.observe()))
    _, advantages = jax.lax.scan(back, (jnp.zeros(CARS), last), (rewards, values, ended), reverse=True, unroll=16)
    targets = (advantages + values).reshape(-1)
    advantages = advantages.reshape(-1)
    advantages = (advantages - advantages.mean()) / (advantages.std() + 1e-8)
    states, actions = states.reshape(-1, 2), actions.reshape(-1)
    data = states, actions, log_density(parameters, states, actions), advantages, targets

    def minibatch(learner: Any, batch: Any) -> Any:
        parameters, optimizer = learner
        updates, optimizer = OPTIMIZER.update(jax.grad(loss)(parameters, batch), optimizer)
        return (optax.apply_updates(parameters, updates), optimizer), None

    def epoch(learner: Any, key: jax.Array) -> Any:
        order = jax.random.permutation(key, CARS * STEPS)
        batches = jax.tree.map(lambda column: column[order].reshape(MINIBATCHES, -1, *column.shape[1:]), data)
        learner, _ = jax.lax.scan(minibatch, learner, batches)
        return learner, None

    learner = parameters, state.optimizer
    (parameters, optimizer), _ = jax.lax.scan(epoch, learner, jax.random.split(shuffles, EPOCHS))
    return State(parameters, optimizer, cars, statistics, key)


def evaluate(state: State, key: jax.Array) -> jax.Array:
    """Return the mean return of the policy's mean actions from new starts."""

    def step(playing: Any) -> Any:
        cars, returns, running = playing
        actions = apply(state.parameters["policy"], normalize(state.statistics, cars.observe()))
        cars, rewards, ended = move(cars, actions)
        return cars, returns + rewards * running, running & ~ended

    begun = start(key, EVALUATION_EPISODES), jnp.zeros(EVALUATION_EPISODES), jnp.ones(EVALUATION_EPISODES, dtype=bool)
    _, returns, _ = jax.lax.while_loop(lambda playing: playing[2].any(), step, begun)
    return returns.mean()


def begin(seed: int) -> State:
    policy, value, starts, key = jax.random.split(jax.random.key(seed), 4)
    parameters = {"policy": make_network(policy), "value": make_network(value), "log_deviation": jnp.zeros(())}
    statistics = jnp.ones(()), jnp.zeros(2), jnp.ones(2)
    return State(parameters, OPTIMIZER.init(parameters), start(starts, CARS), statistics, key)


def main() -> None:
    """Train, and score the final policy."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--trainings", type=int, default=TRAININGS)
    parser.add_argument("--no-final", action="store_true", help="do not score the final policy")
    arguments = parser.parse_args()
    compiled, evaluation = jax.jit(train, donate_argnums=0), jax.jit(evaluate)
    state = begin(arguments.seed)
    emit("started")
    spent = 0.0
    for training in range(arguments.trainings):
        state = jax.block_until_ready(compiled(state))
        started = time.monotonic()
        mean_return = float(evaluation(state, jax.random.key(1_000_003 + arguments.seed)))
        spent += time.monotonic() - started
        emit("evaluation", steps=(training + 1) * CARS * STEPS, mean_return=mean_return, spent=spent)
    emit(
        "trained",
        steps=arguments.trainings * CARS * STEPS,
        spent=spent,
        peak_memory_kib=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss,
    )
    if not arguments.no_final:
        policy = jax.jit(lambda states: apply(state.parameters["policy"], normalize(state.statistics, states)))

        def act(observations: np.ndarray) -> np.ndarray:
            return np.clip(np.asarray(policy(observations)), -1, 1)[:, None]

        def make_env() -> Any:
            return gymnasium.make("MountainCarContinuous-v0", max_episode_steps=PATIENCE, disable_env_checker=True)

        emit("final", returns=play(make_env, act, unseen_starts()))


if __name__ == "__main__":
    main()
