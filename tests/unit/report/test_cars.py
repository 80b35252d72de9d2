"""The cars' dynamics beside gym's own."""

import numpy as np
import patient_envs
import pytest
from sagemaker_rl.report.cars import CARS, PATIENCE, START_POSITIONS

STATES = np.array(
    [
        *np.random.default_rng(0).uniform((-1.2, -0.07), (0.6, 0.07), size=(200, 2)),
        # The wall, the largest speeds, and the flags: just before, on and behind them, to both sides.
        *((-1.2, -0.01), (-1.19, -0.05), (-1.2, 0.0), (-0.52, 0.07), (-0.52, -0.07), (0.55, 0.069), (0.59, 0.07)),
        *((0.49, 0.005), (0.4999, 0.01), (0.51, -0.002), (0.44, 0.012), (0.46, -0.001), (0.4501, 0.0)),
    ]
)
"""Positions and velocities, ``(states, 2)``."""


@pytest.mark.parametrize("name", CARS)
@pytest.mark.parametrize("action", [0, 1, 2])
def test_a_step_is_gyms(name, action):
    """The report's cosine is NumPy's, which may differ from gym's in the last bit."""
    discrete = bool(CARS[name].action_names)
    force = action if discrete else (-0.6, 0.25, 1.0)[action]
    expected = []
    for state in STATES:
        env = getattr(patient_envs, name)().unwrapped
        env.state = np.array(state)
        _, reward, done, *_ = env.step(force if discrete else np.array([force]))
        expected.append((*env.state, reward, done))
    reached = CARS[name].step(*STATES.T, np.full(len(STATES), force))
    np.testing.assert_allclose(np.array(reached, float).T, np.array(expected, float), rtol=1e-6, atol=1e-9)
    assert 0 < reached[3].sum() < len(STATES)


def test_the_continuous_cars_state_is_float32_and_a_larger_force_pushes_no_more():
    step = CARS["PatientContinuousMountainCar"].step
    still = np.full(3, -0.5), np.zeros(3)
    position, velocity, rewards, _ = step(*still, np.array([1.0, 2.0, -2.0]))
    assert (position == position.astype(np.float32)).all()
    assert (velocity == velocity.astype(np.float32)).all()
    assert velocity[0] == velocity[1] == pytest.approx(0.0015 - 0.0025 * np.cos(1.5))
    assert velocity[2] == pytest.approx(-0.0015 - 0.0025 * np.cos(1.5))
    assert rewards.tolist() == pytest.approx([-0.1, -0.4, -0.4])


def test_constants_are_those_of_the_environments():
    assert PATIENCE == patient_envs.PATIENCE
    for name, car in CARS.items():
        env = getattr(patient_envs, name)()
        assert env.unwrapped.goal_position == car.flag
        starts = np.array([env.reset(seed=seed) for seed in range(200)])
        assert START_POSITIONS[0] <= starts[:, 0].min() < START_POSITIONS[0] + 0.01
        assert START_POSITIONS[1] - 0.01 < starts[:, 0].max() <= START_POSITIONS[1]
        assert not starts[:, 1].any()


def test_actions_are_called_what_they_do():
    car = CARS["PatientMountainCar"]
    velocities = car.step(np.full(3, -np.pi / 6), np.zeros(3), np.arange(3))[1]  # where the ground is flat
    pushed = dict(zip(car.action_names, np.sign(velocities.round(9)), strict=True))
    assert pushed == {"push left": -1, "coast": 0, "push right": 1}
    assert car.action_title == "Action (0 left, 1 none, 2 right)"
