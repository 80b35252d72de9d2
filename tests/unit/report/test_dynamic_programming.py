"""The dynamic programming against brute force, and its greedy policies in gym's own environments."""

import itertools

import numpy as np
import patient_envs
import pytest
from sagemaker_rl.report.dynamic_programming import Grid, action_values, iterate_values, play_greedy_policy
from sagemaker_rl.report.optimum import PROBLEMS

NODES = Grid(np.linspace(0, 2, 3), np.linspace(-1, 1, 3))
"""Nine states; the last position is the end."""


def coarse(seed: int):
    """Return a step between the nodes of ``NODES``, whose rewards are random."""
    rewards = np.random.default_rng(seed).uniform(-1, -0.1, size=(3, 3, 2))

    def step(position, velocity, action):
        place, speed, choice = (np.rint(x).astype(int) for x in np.broadcast_arrays(position, velocity + 1, action))
        speed = np.clip(speed + choice * 2 - 1, 0, 2)
        reached = np.clip(place + speed - 1, 0, 2)
        reward = rewards[place, np.rint(velocity + 1).astype(int) + 0 * place, choice]
        return reached.astype(float), speed - 1.0, reward, reached == 2

    return step


def best_of_all_policies(step) -> np.ndarray:
    """Return the values of the best of all 512 policies, each followed from every state."""
    states = list(itertools.product(range(3), (-1, 0, 1)))
    leads_to = {}
    for state, choice in itertools.product(states, (0, 1)):
        position, velocity, reward, ended = (x.item() for x in step(*map(np.array, (*map(float, state), choice))))
        leads_to[state, choice] = (round(position), round(velocity)), reward, ended
    best = np.full((3, 3), -np.inf)
    for choices in itertools.product((0, 1), repeat=len(states)):
        policy = dict(zip(states, choices, strict=True))
        for start in states:
            state, total = start, 0.0
            for _ in range(len(states) + 1):
                state, reward, ended = leads_to[state, policy[state]]
                total += reward
                if ended:
                    best[start[0], start[1] + 1] = max(best[start[0], start[1] + 1], total)
                    break
    return best


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("between", [0, 7])
def test_values_are_those_of_the_best_of_all_policies(seed, between):
    step = coarse(seed)
    values = iterate_values(step, NODES, np.arange(2.0), 3_000, between_improvements=between)
    np.testing.assert_allclose(values, best_of_all_policies(step), atol=1e-9)


def test_a_price_is_paid_in_every_step():
    step = coarse(0)

    def dear(*state):
        *reached, reward, ended = step(*state)
        return *reached, reward - 10.0, ended

    values = iterate_values(step, NODES, np.arange(2.0), 3_000, price=10.0)
    np.testing.assert_allclose(values, best_of_all_policies(dear), atol=1e-9)


def test_interpolation_is_exact_for_what_is_bilinear():
    grid = Grid(np.linspace(-1.2, 0.6, 7), np.linspace(-0.07, 0.07, 5))
    x, y = np.meshgrid(grid.positions, grid.velocities, indexing="ij")
    values = 3 * x - 20 * y + 5 * x * y
    p, v = np.random.default_rng(0).uniform((-1.2, -0.07), (0.6, 0.07), size=(50, 2)).T
    np.testing.assert_allclose(grid.interpolate(values, p, v), 3 * p - 20 * v + 5 * p * v, atol=1e-12)


@pytest.mark.parametrize(
    ("name", "nodes", "price", "within"),
    [("PatientMountainCar", (241, 187), 0.0, 1.0), ("PatientContinuousMountainCar", (121, 95), 1e-3, 0.1)],
)
def test_greedy_rollouts_in_gym_reach_what_the_dynamic_programming_says(name, nodes, price, within):
    problem = PROBLEMS[name]
    grid = Grid.covering(problem.car, *nodes)
    values = iterate_values(problem.car.step, grid, problem.actions, 1_500, price)
    starts = np.array([-0.6, -0.5, -0.41])
    returns, steps = play_greedy_policy(problem, grid, values, starts)
    # Interpolation makes the values a little too good.
    np.testing.assert_allclose(returns - price * steps, grid.interpolate(values, starts, np.zeros(3)), atol=within)
    for start, expected, length in zip(starts, returns, steps, strict=True):
        assert greedy_in_gym(name, problem, grid, values, start) == (pytest.approx(expected, abs=1e-6), length)


def greedy_in_gym(name, problem, grid, values, start) -> tuple[float, int]:
    env = getattr(patient_envs, name)()
    env.reset()
    env.unwrapped.state = np.array([start, 0.0])
    total, state = 0.0, np.array([start, 0.0])
    for steps in range(1, 10_001):
        candidates = action_values(
            problem.car.step, grid, values, problem.rollout_actions, np.full(1, state[0]), np.full(1, state[1])
        )
        action = problem.rollout_actions[candidates.argmax()]
        _, reward, done, _ = env.step(int(action) if name == "PatientMountainCar" else np.array([action]))
        state = np.array(env.unwrapped.state, dtype=np.float64)  # not the observation: the discrete car's is rounded
        total += reward
        if done:
            return total, steps
    raise AssertionError("the car did not reach the flag")
