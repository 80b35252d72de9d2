"""Coach's agents through the entry point: those that run on MXNet train, the others are refused before training."""

import json
from functools import partial

import pytest
from agent_presets import BOX, DISCRETE, write_agent
from jobs import Job, give_checkpoint, run_prepared
from sagemaker_rl.policy.artifact import Policy

OWN = {"RLCOACH_PRESET": "preset-own", "seed": "1"}
PPO = "ppo_agent:PPOAgent"
TRAIN_OFTEN = """
agent_params.algorithm.num_consecutive_playing_steps = EnvironmentSteps(100)
for network in agent_params.network_wrappers.values():
    network.batch_size = 32
"""
DECAY = """
for network in agent_params.network_wrappers.values():
    network.learning_rate_decay_rate, network.learning_rate_decay_steps = 0.9, 10
"""
ONE_EPISODE_A_GRADIENT = "agent_params.algorithm.apply_gradients_every_x_episodes = 1"
DUELING = """
from rl_coach.architectures.head_parameters import DuelingQHeadParameters
agent_params.network_wrappers["main"].heads_parameters = [DuelingQHeadParameters()]
"""
TENSOR = """
from rl_coach.environments.gym_environment import ObservationSpaceType
env_params.observation_space_type = ObservationSpaceType.Tensor
"""
RUNNING = (
    "expected one of ClippedPPOAgent, PPOAgent, ActorCriticAgent, PolicyGradientsAgent, DQNAgent, DDQNAgent, "
    "BootstrappedDQNAgent, MixedMonteCarloAgent, NStepQAgent, PALAgent."
)
NETWORKS_OF_PPO = "the agent has the networks ['actor', 'critic'], and an artifact holds a policy in one network 'main'"


def run_agent(ml, agent: str, changes: str = "", actions: str = DISCRETE, **hyperparameters: str) -> Job:
    before = partial(write_agent, agent=agent, changes=changes, actions=actions)
    return run_prepared(ml, {**OWN, **hyperparameters}, before)


@pytest.mark.parametrize(
    ("agent", "changes", "actions", "heads"),
    [
        (
            "actor_critic_agent:ActorCriticAgent",
            ONE_EPISODE_A_GRADIENT,
            DISCRETE,
            ["state_value", "action_probabilities"],
        ),
        (
            "actor_critic_agent:ActorCriticAgent",
            ONE_EPISODE_A_GRADIENT,
            BOX,
            ["state_value", "action_mean", "action_standard_deviation"],
        ),
        ("policy_gradients_agent:PolicyGradientsAgent", ONE_EPISODE_A_GRADIENT, DISCRETE, ["action_probabilities"]),
        ("policy_gradients_agent:PolicyGradientsAgent", ONE_EPISODE_A_GRADIENT, BOX, ["action_mean"]),
        ("n_step_q_agent:NStepQAgent", "", DISCRETE, ["q_values"]),
        ("ddqn_agent:DDQNAgent", DUELING, DISCRETE, ["q_values"]),
        ("mmc_agent:MixedMonteCarloAgent", "", DISCRETE, ["q_values"]),
        ("pal_agent:PALAgent", "", DISCRETE, ["q_values"]),
    ],
)
def test_trains_and_leaves_an_artifact(tmp_path, agent, changes, actions, heads):
    job = run_agent(tmp_path, agent, changes, actions)
    assert job.status == 0, job.log
    assert job.metadata()["training_iterations"] > 0
    assert Policy.load(tmp_path / "model").head_names == heads


@pytest.mark.parametrize(
    ("agent", "changes", "actions", "reason"),
    [
        (PPO, TRAIN_OFTEN, DISCRETE, NETWORKS_OF_PPO),
        (PPO, TRAIN_OFTEN + DECAY, BOX, NETWORKS_OF_PPO),
        ("bootstrapped_dqn_agent:BootstrappedDQNAgent", "", DISCRETE, "the network has 10 heads that decide together"),
    ],
)
def test_trains_without_artifact(tmp_path, agent, changes, actions, reason):
    job = run_agent(tmp_path, agent, changes, actions)
    assert job.status == 0, job.log
    assert job.metadata()["training_iterations"] > 0
    assert f"Model> Model=none, Reason={reason}" in job.log.splitlines()
    assert not list((tmp_path / "model").iterdir())


def test_save_model_that_cannot_be_honoured(tmp_path):
    job = run_agent(tmp_path, PPO, TRAIN_OFTEN, save_model="1")
    assert job.status == 1
    assert job.failure == f"Hyperparameter save_model is 1, but {NETWORKS_OF_PPO}."
    assert "Training>" not in job.log


def test_a_preset_that_never_trains_runs(tmp_path):
    job = run_agent(tmp_path, PPO, save_model="0")
    assert job.status == 0, job.log
    assert "Schedule> Trainings=0, Reason=improve_steps is 400 and num_consecutive_playing_steps is 5000" in job.log
    assert "Model>" not in job.log


@pytest.mark.parametrize(
    ("agent", "changes", "actions", "sentence"),
    [
        (
            "ddpg_agent:DDPGAgent",
            "",
            BOX,
            f"Agent DDPGAgent has a head that Coach lacks on MXNet (DDPGActorHead), {RUNNING}",
        ),
        (
            "soft_actor_critic_agent:SoftActorCriticAgent",
            "",
            BOX,
            f"Agent SoftActorCriticAgent has a head that Coach lacks on MXNet (SACPolicyHead), {RUNNING}",
        ),
        (
            "rainbow_dqn_agent:RainbowDQNAgent",
            "",
            DISCRETE,
            f"Agent RainbowDQNAgent has a head that Coach lacks on MXNet (RainbowQHead), {RUNNING}",
        ),
        (
            "dqn_agent:DQNAgent",
            "",
            BOX,
            "Environment own:Own has the action space Box(-2.0, 2.0, (1,), float32), expected Discrete for a QHead.",
        ),
        (
            "dqn_agent:DQNAgent",
            "env_params = None",
            DISCRETE,
            "The preset's BasicRLGraphManager has no environment (env_params is None), expected the parameters of an "
            "environment: a training job learns by acting in one.",
        ),
        (
            "dqn_agent:DQNAgent",
            "import tensorflow",
            DISCRETE,
            "Preset preset-own imports TensorFlow, but Coach runs on MXNet here: expected an agent and heads that "
            "Coach has for MXNet.",
        ),
        (
            PPO,
            "agent_params.algorithm.num_consecutive_playing_steps = EnvironmentSteps(100)",
            DISCRETE,
            "Hyperparameter rl.agent_params.network_wrappers.critic.batch_size is 128, expected at most the 100 "
            "environment steps between two trainings (training_freq_env_steps).",
        ),
        (
            "clipped_ppo_agent:ClippedPPOAgent",
            TENSOR,
            DISCRETE,
            "Network main has the scheme Medium for its input 'observation', but Coach has no schemes for a tensor, "
            "expected a list of layers.",
        ),
    ],
)
def test_refused_before_training(tmp_path, agent, changes, actions, sentence):
    job = run_agent(tmp_path, agent, changes, actions)
    assert job.status == 1
    assert job.failure == sentence
    assert "Training>" not in job.log
    assert "Traceback" not in job.log


def test_a_hyperparameter_that_mxnet_would_ignore(tmp_path):
    path = "rl.agent_params.network_wrappers.main.replace_mse_with_huber_loss"
    job = run_agent(tmp_path, "dqn_agent:DQNAgent", **{path: "1"})
    assert job.status == 1
    assert job.failure == f"Hyperparameter {path} is 1, but Coach has no Huber loss on MXNet, expected 0."


BY_EPISODES = "agent_params.algorithm.num_consecutive_playing_steps = EnvironmentEpisodes(2)"


@pytest.mark.parametrize(
    ("agent", "sentence"),
    [
        (
            "clipped_ppo_agent:ClippedPPOAgent",
            "The network main has a batch_size of 64, expected at most the 40 environment steps that were just played "
            "(num_consecutive_playing_steps is EnvironmentEpisodes(2)).",
        ),
        (
            PPO,
            "The preset's num_consecutive_playing_steps is EnvironmentEpisodes(2), expected EnvironmentSteps for a "
            "PPOAgent.",
        ),
    ],
)
def test_a_phase_of_too_few_steps(tmp_path, agent, sentence):
    job = run_agent(tmp_path, agent, BY_EPISODES)
    assert job.status == 1
    assert job.failure == sentence
    assert "Traceback" not in job.log


@pytest.mark.parametrize("agent", [PPO, "actor_critic_agent:ActorCriticAgent"])
def test_an_evaluation_of_the_checkpoint(tmp_path, agent):
    trained = run_agent(tmp_path / "training", agent, TRAIN_OFTEN if agent == PPO else ONE_EPISODE_A_GRADIENT)
    assert trained.status == 0, trained.log
    give_checkpoint(tmp_path / "evaluation", trained)
    evaluate = {"evaluate_episodes": "3", "evaluate_steps": "1", "sagemaker_program": "evaluate-coach.py"}
    evaluation = run_agent(tmp_path / "evaluation", agent, **evaluate)
    assert evaluation.status == 0, evaluation.log
    result = json.loads((evaluation.ml / "output/data/evaluation.json").read_text(encoding="utf-8"))
    assert result["returns"] == [19.0, 20.0, 20.0]  # Coach takes one step of the first episode itself


def test_batch_rl_of_coachs_own_presets(tmp_path):
    job = run_prepared(tmp_path, {"RLCOACH_PRESET": "CartPole_DQN_BatchRL"})
    assert job.status == 1
    assert job.failure == (
        "The preset's graph manager is a BatchRLGraphManager, for batch RL, which Coach has for TensorFlow alone, "
        "expected a BasicRLGraphManager."
    )
