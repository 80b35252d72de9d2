"""The fast path's mathematics against the installed rl_coach, on the same batch and weights."""

import numpy as np
import pytest
from graphs import CORRIDOR, gradients_of, make_graph, relative_difference, trained_parameters
from jobs import PPO
from sagemaker_rl.coach.graph import agent_of

BATCH = 256


def make_learner(agent, in_numpy: bool = True):
    from sagemaker_rl.training.accelerated.ppo_learner import PPOLearner

    learner = PPOLearner(agent, np.random.default_rng(0), in_numpy)
    assert (learner.dense is not None) == in_numpy
    return learner


def random_batch(agent, discrete: bool):
    """A batch on which the policy has moved away from the old one, with ratios on both sides of the clipping range."""
    random = np.random.default_rng(1)
    size = int(agent.spaces.state["observation"].shape[0])
    states = random.normal(size=(BATCH, size)).astype(np.float32)
    actions = random.integers(0, 2, BATCH) if discrete else random.normal(size=(BATCH, 1))
    network = agent.networks["main"].online_network
    old = [np.array(output) for output in network.predict({"observation": states})[1:]]
    for parameter in network.model.collect_params().values():
        if parameter.grad_req != "null":
            data = parameter.data()
            data[:] = data.asnumpy() + 0.3 * random.normal(size=data.shape)
    return states, actions, old, random.normal(size=BATCH), random.normal(size=BATCH)


def coachs_gradients(agent, states, actions, old, advantages, value_targets):
    """Return Coach's total loss, losses and gradients, as ClippedPPOAgent.train_network asks for them."""
    network = agent.networks["main"].online_network
    inputs = {"observation": states, "output_1_0": actions}
    for index, parameter in enumerate(old):
        inputs[f"output_1_{index + 1}"] = parameter
    inputs[f"output_1_{len(old) + 1}"] = 1.0
    total, losses, *_ = network.accumulate_gradients(
        inputs, [value_targets[:, None], advantages], additional_fetches=[], no_accumulation=True
    )
    return float(total), [float(loss) for loss in losses], [g.asnumpy().copy() for g in network.accumulated_gradients]


@pytest.mark.parametrize(("preset", "in_numpy"), [(PPO, True), (CORRIDOR, False)], ids=["NumPy", "MXNet"])
def test_loss_gradients_and_adams_steps_equal_coachs(tmp_path, preset, in_numpy):
    from sagemaker_rl.training.accelerated.ppo_loss import log_probs_and_entropy

    ours, theirs = (
        agent_of(make_graph(tmp_path / name, preset, agent_params__algorithm__beta_entropy=0.02))
        for name in ("ours", "theirs")
    )
    discrete = preset == CORRIDOR
    states, actions, old, advantages, value_targets = random_batch(theirs, discrete)
    for our, their in zip(trained_parameters(ours), trained_parameters(theirs), strict=True):
        our.set_data(their.data())
    learner = make_learner(ours, in_numpy)
    columns = [log_probs_and_entropy(np, discrete, old, actions)[0], advantages, value_targets]
    batch = [states, actions if discrete else actions.astype(np.float32), *(c.astype(np.float32) for c in columns)]
    for step in range(3):
        before = [parameter.data().asnumpy().copy() for parameter in trained_parameters(theirs)]
        total, losses, their_gradients = coachs_gradients(theirs, states, actions, old, advantages, value_targets)
        result = learner.gradient_step(batch)
        assert result.total_loss == pytest.approx(total, rel=1e-4)
        assert [result.value_loss, result.policy_loss] == pytest.approx(losses[:2], rel=1e-4)
        assert result.entropy_loss == pytest.approx(losses[2], rel=1e-4)
        our_gradients = gradients_of(learner)
        assert len(our_gradients) == len(their_gradients) > 8
        for our, their in zip(our_gradients, their_gradients, strict=True):
            assert relative_difference(our, their) < 1e-4, step
        assert (result.ratios != result.clipped_ratios).any()
        network = theirs.networks["main"].online_network
        network.apply_gradients(network.accumulated_gradients)
        learner.publish()
        for our, their, was in zip(trained_parameters(ours), trained_parameters(theirs), before, strict=True):
            assert np.abs(our.data().asnumpy() - their.data().asnumpy()).max() < 1e-6
            assert np.abs(our.data().asnumpy() - was).max() > 1e-6


def test_advantages_and_returns_equal_coachs(tmp_path):
    from sagemaker_rl.training.accelerated.ppo import generalized_advantages

    agent = agent_of(
        make_graph(tmp_path, agent_params__algorithm__discount=0.97, agent_params__algorithm__gae_lambda=0.9)
    )
    random = np.random.default_rng(0)
    rewards, values = random.normal(size=(300, 2)), random.normal(size=(300, 2))
    ended = np.zeros((300, 2), dtype=bool)
    ends = {0: [99, 299], 1: [10, 150, 299]}
    for environment, steps in ends.items():
        ended[steps, environment] = True
    ours = generalized_advantages(rewards, values, random.normal(size=2), ended, np.zeros((300, 2)), 0.97, 0.9)
    for environment, steps in ends.items():
        start = 0
        for end in steps:
            episode = slice(start, end + 1)
            theirs, returns = agent.get_general_advantage_estimation_values(
                rewards[episode, environment], np.append(values[episode, environment], 0.0)
            )
            assert np.abs(ours[episode, environment] - theirs).max() < 1e-5
            ours_returns = ours[episode, environment] + values[episode, environment]
            assert np.abs(ours_returns - returns[:, 0]).max() < 1e-5
            start = end + 1


def test_advantages_of_episodes_that_end_or_are_cut_anywhere():
    """Against the definition, summed forwards: GAE = sum of (gamma lambda)^k delta_k to the end of the episode."""
    from sagemaker_rl.training.accelerated.ppo import generalized_advantages

    random = np.random.default_rng(4)
    steps, environments, discount, lambda_ = 60, 5, 0.9, 0.8
    rewards, values = random.normal(size=(2, steps, environments))
    last_values = random.normal(size=environments)
    dones = random.random((steps, environments)) < 0.15
    truncated = dones & (random.random((steps, environments)) < 0.5)
    truncated[-1], dones[-1] = [True, False, False, True, False], [True, True, False, True, False]
    assert 0 < truncated.sum() < dones.sum()
    cut_values = np.where(truncated, random.normal(size=(steps, environments)), 0.0)
    expected = np.zeros((steps, environments))
    for start, environment in np.ndindex(steps, environments):
        weight = 1.0
        for step in range(start, steps):
            if truncated[step, environment]:
                following = cut_values[step, environment]
            elif dones[step, environment]:
                following = 0.0
            else:
                following = last_values[environment] if step == steps - 1 else values[step + 1, environment]
            delta = rewards[step, environment] + discount * following - values[step, environment]
            expected[start, environment] += weight * delta
            weight *= discount * lambda_
            if dones[step, environment]:
                break
    computed = generalized_advantages(rewards, values, last_values, dones, cut_values, discount, lambda_)
    assert np.abs(computed - expected).max() < 1e-12


def test_heads_of_a_whole_collection_are_those_of_its_parts(tmp_path):
    from sagemaker_rl.training.accelerated.ppo_learner import ROWS, PPOLearner

    learner = PPOLearner(agent_of(make_graph(tmp_path)), np.random.default_rng(0))
    states = np.random.default_rng(1).normal(size=(2 * ROWS + 5, 2)).astype(np.float32)
    value, *policy = learner.dense.forward(states)
    for whole, pieced in zip([value.reshape(-1), *policy], learner.heads(states), strict=True):
        assert pieced.shape == whole.shape
        assert np.abs(pieced - whole).max() < 1e-6


def ppo_run(folder, preset=PPO, copies=4, **changes):
    from sagemaker_rl.training.accelerated.ppo import PPORun

    algorithm = {"num_consecutive_playing_steps": 20, "optimization_epochs": 1, **changes}
    paths = {f"agent_params__algorithm__{name}": value for name, value in algorithm.items()}
    graph_manager = make_graph(folder, preset, agent_params__network_wrappers__main__batch_size=10, **paths)
    return PPORun(graph_manager, copies, 0, lambda: None)


def test_discrete_actions_are_drawn_with_the_policys_probabilities(tmp_path):
    run = ppo_run(tmp_path, CORRIDOR)
    run.streams = np.random.default_rng(0)
    probabilities = np.array([0.1, 0.0, 0.6, 0.3], dtype=np.float32)
    drawn = run._sample([np.tile(probabilities, (20_000, 1))])
    assert drawn.shape == (20_000,)
    shares = np.bincount(drawn, minlength=4) / len(drawn)
    assert shares == pytest.approx(probabilities, abs=0.015)
    assert shares[1] == 0
    rows = np.eye(4, dtype=np.float32)[[2, 0, 3, 1]] * np.float32(0.999)  # each row its own, and sums that fall short
    assert run._sample([rows]).tolist() == [2, 0, 3, 1]
    run.policy = lambda states: [rows]
    assert run.best_actions(np.zeros((4, 1))).tolist() == [2, 0, 3, 1]


def test_actions_in_a_box_are_drawn_from_the_policys_normal_distribution(tmp_path):
    run = ppo_run(tmp_path)
    run.streams = np.random.default_rng(0)
    mean, deviation = np.tile([[2.0, -3.0]], (20_000, 1)), np.tile([[0.5, 4.0]], (20_000, 1))
    drawn = run._sample([mean, deviation])
    assert drawn.mean(axis=0) == pytest.approx([2, -3], abs=0.12)
    assert drawn.std(axis=0) == pytest.approx([0.5, 4], rel=0.03)
    assert np.corrcoef(drawn.T)[0, 1] == pytest.approx(0, abs=0.03)
    run.policy = lambda states: [np.array([[-3.0], [0.4], [7.0]]), np.ones((3, 1))]
    assert run.best_actions(np.zeros((3, 2))) == pytest.approx(np.array([[-1], [0.4], [1]]))


def test_the_environment_gets_clipped_actions_and_the_learner_those_that_were_drawn(tmp_path):
    run = ppo_run(tmp_path)
    drawn = np.array([[-4.0], [0.25], [3.0], [1.0]])
    run._explore = lambda: drawn
    got = []
    step = run.envs.step
    run.envs.step = lambda actions: got.append(actions) or step(actions)
    before = run.observations
    run.play_and_learn()
    assert got[0].tolist() == [[-1.0], [0.25], [1.0], [1.0]]
    observations, actions, *_ = run.rollout[0]
    assert actions is drawn
    assert observations is before


def test_a_phase_trains_on_as_many_steps_as_it_has(tmp_path):
    """33 steps of eleven copies are played for a phase of 23."""
    run = ppo_run(tmp_path, copies=11, num_consecutive_playing_steps=23)
    trained = []
    run.learner.train = lambda *columns: trained.append(columns)
    for _ in range(4):
        run.play_and_learn()
    ((states, policy, actions, advantages, value_targets, check_stop),) = trained
    assert [len(column) for column in (states, *policy, actions, advantages, value_targets)] == [23] * 6
    assert check_stop is run.check_stop
    assert len(run.rollout) == 1  # the next phase has begun
    assert run.agent.training_iteration == 1


def test_where_all_advantages_are_the_same_nothing_is_divided_by_zero(tmp_path, monkeypatch):
    from sagemaker_rl.training.accelerated import ppo

    run = ppo_run(tmp_path)
    monkeypatch.setattr(ppo, "generalized_advantages", lambda rewards, *_: np.full(rewards.shape, 3.0))
    trained = []
    run.learner.train = lambda *columns: trained.append(columns)
    for _ in range(5):
        run.play_and_learn()
    assert (trained[0][3] == 0).all()


def test_advantages_are_standardized(tmp_path):
    run = ppo_run(tmp_path)
    trained = []
    run.learner.train = lambda *columns: trained.append(columns)
    for _ in range(5):
        run.play_and_learn()
    advantages = trained[0][3]
    assert advantages.mean() == pytest.approx(0, abs=1e-9)
    assert advantages.std() == pytest.approx(1)


def test_weights_that_are_no_numbers_end_a_training(tmp_path):
    from sagemaker_rl.errors import InputError

    run = ppo_run(tmp_path)
    step = run.learner.optimizer.step
    run.learner.optimizer.step = lambda: (step(), run.learner.dense.weights.fill(np.nan))
    for _ in range(4):
        run.play_and_learn()
    with pytest.raises(InputError, match="Training has diverged"):
        run.play_and_learn()


def test_a_stop_is_noticed_before_each_gradient_step_and_the_log_has_each_epoch(tmp_path, capsys):
    run = ppo_run(tmp_path, optimization_epochs=3)
    stops = []
    run.check_stop_late = lambda: stops.append(run.learner.optimizer.steps)
    for _ in range(5):
        run.play_and_learn()
    assert stops == [0, 1, 2, 3, 4, 5]
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("Policy training> Surrogate")]
    assert [line.partition("training epoch=")[2].partition(",")[0] for line in lines] == ["0", "1", "2"]
    rate = run.learner.optimizer.learning_rate
    assert all(line.endswith(f"learning_rate={rate}") for line in lines)
