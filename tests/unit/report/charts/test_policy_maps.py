"""The heat maps of the policy and of its values."""

import dataclasses

import numpy as np
from job_folders import change_job, make_trial, render_text
from sagemaker_rl.report.trial import FILE as TRIAL_FILE


def test_values_say_what_they_are_of(folder):
    assert "It is of rewards as the algorithm takes them, perhaps scaled and discounted." in render_text(folder)
    change_job(folder, reward_scale=0.03)
    text = render_text(folder)
    assert "It is of rewards times 0.03 and discounted by 0.9 a step, so no return of an episode." in text


def test_maps_that_are_no_numbers(folder):
    trial = make_trial()
    trial.policy_map.actions[0, :] = np.nan
    trial.policy_map.actions[1:, :] = -1e-5
    trial.policy_map.values[:] = np.nan
    trial.save(folder / "output/data" / TRIAL_FILE)
    text = render_text(folder)
    assert "From -1e-05 to -1e-05; below 0 in 89% of all states, which are blue. In 11.1% of all states" in text
    assert "Value of a state: no state has a number, so there is no map." in text
    assert "nan" not in text


def test_actions_are_called_by_the_environments_own_numbers(folder):
    trial = make_trial()
    actions = np.full((9, 9), -1)
    actions[3:6], actions[6:] = 0, 1
    change_job(folder, environment="own:Own")
    policy_map = dataclasses.replace(trial.policy_map, actions=actions)
    dataclasses.replace(trial, policy_map=policy_map).save(folder / "output/data" / TRIAL_FILE)
    assert "Of all states: action -1 in 33%, action 0 in 33%, action 1 in 33%." in render_text(folder)
