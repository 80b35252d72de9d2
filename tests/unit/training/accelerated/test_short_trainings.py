"""Whole short trainings by the installed rl_coach and by the fast path, from the same transitions and chance."""

import numpy as np
import pytest
from short_trainings import NORMALIZED, TINY_NETWORK, assert_same_networks, close, statistics_of, train_both

PPO = (
    TINY_NETWORK
    + """
algorithm.num_consecutive_playing_steps = EnvironmentSteps({steps})
algorithm.optimization_epochs = 4
algorithm.discount, algorithm.gae_lambda = 0.93, 0.8
algorithm.clipping_decay_schedule = LinearSchedule(1, 0.1, 100)  # ends between two trainings
network.learning_rate_decay_rate, network.learning_rate_decay_steps = 0.5, 13
network.batch_size = {batch_size}
agent_params.input_filter.add_reward_filter("rescale", RewardRescaleFilter(0.3))
"""
)
DQN = (
    TINY_NETWORK
    + """
schedule_params.heatup_steps = EnvironmentSteps({heatup})
algorithm.num_consecutive_playing_steps = EnvironmentSteps(4)
algorithm.num_consecutive_training_steps = 3
algorithm.num_steps_between_copying_online_weights_to_target = {copies}
algorithm.rate_for_copying_weights_to_target = {rate}
algorithm.discount = 0.93
agent_params.memory.max_size = (MemoryGranularity.Transitions, 100)  # of 200: it wraps
agent_params.exploration.epsilon_schedule = LinearSchedule(0.9, 0.1, 110)
network.learning_rate_decay_rate, network.learning_rate_decay_steps = 0.5, 31
agent_params.input_filter.add_reward_filter("rescale", RewardRescaleFilter(0.3))
agent_params.input_filter.add_reward_filter("clip", RewardClippingFilter(-0.5, 0.9))
"""
)
PER_EPISODE = ["Episode #", "In Heatup", "Episode Length", "Total steps"]
REWARDS = ["Training Reward", "Shaped Training Reward"]


@pytest.mark.parametrize(
    ("actions", "num_envs", "steps", "batch_size", "in_numpy"),
    [("discrete", 1, 40, 12, True), ("box", 2, 80, 8, True), ("box", 1, 40, 10, False), ("discrete", 2, 80, 16, False)],
    ids=["discrete", "box", "box-MXNet", "discrete-MXNet"],
)
def test_clipped_ppo_learns_what_coach_learns(tmp_path, actions, num_envs, steps, batch_size, in_numpy):
    changes = PPO.format(steps=steps, batch_size=batch_size)
    if num_envs == 1:  # else the statistics count the first observation of another part of the transitions
        changes += NORMALIZED
    agent = "clipped_ppo_agent:ClippedPPOAgent"
    ours, theirs = train_both(tmp_path, agent, changes, actions, 160, num_envs, in_numpy)
    assert (ours.run.learner.dense is not None) == in_numpy
    assert_same_networks(ours, theirs)
    for our, their in zip(statistics_of(ours), statistics_of(theirs), strict=True):
        assert close(our, their)
    assert ours.counters() == pytest.approx(theirs.counters())
    trainings, batches = 160 // steps, steps // batch_size
    assert ours.counters()[0] == trainings
    assert (len(ours.signals["loss"]), ours.run.learner.optimizer.steps) == (4 * trainings, 4 * trainings * batches)
    for name in ("loss", "value_loss", "policy_loss", "kl_divergence", "curr_learning_rate"):
        assert close(np.ravel(ours.signals[name]), np.ravel(theirs.signals[name])), name
    rates = ours.signals["curr_learning_rate"]
    assert rates[0] == pytest.approx(0.01)
    assert rates[-1] < rates[0] / 3
    for name in ("likelihood_ratio", "clipped_likelihood_ratio"):
        assert close(*(np.ravel(np.concatenate(training.signals[name])) for training in (ours, theirs))), name
    ratios, clipped = (ours.signals[name][-1] for name in ("likelihood_ratio", "clipped_likelihood_ratio"))
    assert (np.abs(clipped - 1).max() <= 0.2 * 0.1 + 1e-6) and (ratios != clipped).any()
    entropies = np.concatenate([np.ravel(sample) for sample in theirs.signals["entropy"]])
    if actions == "discrete":
        entropies = entropies[entropies < 0]  # the others are those of every step
    assert close(np.ravel(ours.signals["entropy"]), entropies)
    for name in ("state_values", "action_advantages"):
        for our, their in zip(ours.signals[name], theirs.signals[name], strict=True):
            assert close(np.sort(our), np.sort(their)), name
    if num_envs > 1:
        return
    for our_policy, their_policy in zip(ours.policies, theirs.policies, strict=True):
        assert all(close(our, their) for our, their in zip(our_policy, their_policy, strict=True))
    our_rows, their_rows = ours.table(), theirs.table()
    assert len(our_rows) == 16
    assert close(our_rows[PER_EPISODE + REWARDS], their_rows[PER_EPISODE + REWARDS])
    trained = our_rows["Loss/Mean"].notna()
    assert trained.tolist() == [False, False, False, True] * 4
    # Coach counts a training in the row of the episode before it, the fast path in the row after that.
    assert our_rows["Training Iter"].tolist() == (their_rows["Training Iter"] - trained).tolist()
    names = ["Loss", "Value Loss", "Policy Loss", "Likelihood Ratio", "Clipped Likelihood Ratio", "Learning Rate"]
    names += ["Values", "Advantages", "KL Divergence"]
    columns = [f"{name}/{what}" for name in names for what in ("Mean", "Stdev", "Max", "Min")]
    assert close(our_rows[trained][columns], their_rows[trained][columns])


@pytest.mark.parametrize(
    ("num_envs", "heatup", "copies", "rate", "in_numpy"),
    [
        (1, 47, "TrainingSteps(7)", 0.3, True),
        (4, 40, "EnvironmentSteps(11)", 1.0, True),
        (1, 47, "EnvironmentSteps(10)", 0.6, False),
    ],
    ids=["NumPy", "four-environments", "MXNet"],
)
def test_dqn_learns_what_coach_learns(tmp_path, num_envs, heatup, copies, rate, in_numpy):
    changes = DQN.format(heatup=heatup, copies=copies, rate=rate)
    if num_envs == 1:  # of four the observations are counted together
        changes += NORMALIZED
    ours, theirs = train_both(tmp_path, "dqn_agent:DQNAgent", changes, "discrete", 160, num_envs, in_numpy)
    assert (ours.run.learner.dense is not None) == in_numpy
    assert_same_networks(ours, theirs)
    for our, their in zip(statistics_of(ours), statistics_of(theirs), strict=True):
        assert close(our, their)
    assert ours.counters() == pytest.approx(theirs.counters())
    assert ours.run.replay.count == heatup + 160
    assert ours.run.learner.optimizer.steps == 160 // 4 * 3 == ours.agent.training_iteration
    # Coach adds up the losses of a training's gradient steps (agents/agent.py:738).
    losses = np.diff(np.reshape(theirs.signals["loss"], (-1, 3)), axis=1, prepend=0)
    assert close(np.ravel(ours.signals["loss"]), np.ravel(losses))
    rates = ours.signals["curr_learning_rate"]
    assert close(rates, theirs.signals["curr_learning_rate"])
    assert rates[30] == rates[0] == pytest.approx(0.01)
    assert rates[31] == pytest.approx(0.005)
    if num_envs > 1:
        return
    our_rows, their_rows = ours.table(), theirs.table()
    assert len(our_rows) == 5 + 16
    columns = [*PER_EPISODE, "Training Iter"]
    assert close(our_rows[columns], their_rows[columns])
    trained = our_rows["In Heatup"] == 0
    assert close(our_rows[trained][REWARDS], their_rows[trained][REWARDS])
    # Coach's is that of the next step.
    assert np.abs(our_rows["Epsilon"] - their_rows["Epsilon"]).max() <= 0.8 / 110 + 1e-9
