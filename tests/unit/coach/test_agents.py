"""The table of agents beside the installed Coach, and every part of a network that MXNet lacks."""

import re
from pathlib import Path
from types import SimpleNamespace

import pytest
from agent_presets import write_agent
from jobs import ROOT
from sagemaker_rl.coach import agents
from sagemaker_rl.coach.presets import find_preset, import_preset
from sagemaker_rl.errors import InputError
from sagemaker_rl.job.ml_paths import MLPaths

LACKS = "has a head that Coach lacks on MXNet"
COACHS_PRESETS = {
    "Atari_Bootstrapped_DQN": "",
    "Atari_DDQN_with_PER": "",
    "Atari_Dueling_DDQN": "",
    "Atari_UCB_with_Q_Ensembles": "",
    "BitFlip_DQN_HER": "",
    "CartPole_A3C": "",
    "CartPole_ClippedPPO": "",
    "CartPole_DQN": "",
    "CartPole_Dueling_DDQN": "",
    "CartPole_NStepQ": "",
    "CartPole_PAL": "",
    "CartPole_PG": "",
    "Mujoco_PPO": "",
    "InvertedPendulum_PG": "",
    "Doom_Health_MMC": "",
    "Atari_C51": f"Agent CategoricalDQNAgent {LACKS} (CategoricalQHead)",
    "CartPole_ACER": f"Agent ACERAgent {LACKS} (ACERPolicyHead)",
    "CartPole_NEC": f"Agent NECAgent {LACKS} (DNDQHead)",
    "CartPole_QR_DQN": f"Agent QuantileRegressionDQNAgent {LACKS} (QuantileRegressionQHead)",
    "CartPole_Rainbow": f"Agent RainbowDQNAgent {LACKS} (RainbowQHead)",
    "Mujoco_DDPG": f"Agent DDPGAgent {LACKS} (DDPGActorHead)",
    "Mujoco_NAF": f"Agent NAFAgent {LACKS} (NAFHead)",
    "Mujoco_SAC": f"Agent SoftActorCriticAgent {LACKS} (SACPolicyHead)",
    "Doom_Basic_BC": "Agent BCAgent imitates recorded actions",
    "Atari_A3C_LSTM": "Network main of agent ActorCriticAgent has the middleware LSTMMiddleware",
    "CartPole_DFP": "Preset CartPole_DFP imports TensorFlow",
    "CartPole_DQN_BatchRL": "The preset's graph manager is a BatchRLGraphManager, for batch RL",
    "CartPole_DQN_BatchRL_BCQ": "Preset CartPole_DQN_BatchRL_BCQ imports TensorFlow",
    "Pendulum_HAC": "defines no graph_manager of a single agent",
}


def refusal(preset: Path) -> str:
    try:
        import_preset(preset)
    except InputError as error:
        return str(error)
    return ""


@pytest.mark.parametrize(("name", "expected"), COACHS_PRESETS.items())
def test_coachs_own_presets(tmp_path, name, expected):
    actual = refusal(find_preset(name, MLPaths(tmp_path)))
    assert expected in actual if expected else not actual
    assert actual.count("\n") == 0


def test_the_table_has_every_agent_of_coach():
    import rl_coach

    sources = (file.read_text() for file in (Path(rl_coach.__path__[0]) / "agents").glob("*.py"))
    installed = {name for source in sources for name in re.findall(r"return 'rl_coach\.agents\.\w+:(\w+)'", source)}
    assert set(agents.AGENTS) == installed


def test_the_table_has_every_head_of_mxnet():
    from sagemaker_rl.coach import repairs

    repairs.apply()
    from rl_coach.architectures.mxnet_components import heads as upstream
    from sagemaker_rl.coach import heads

    own = {head.__name__ for head in heads.HEADS.values()}
    assert set(agents.HEADS) == (set(upstream.__all__) - {"Head", "HeadLoss"}) | own


def test_the_documents_have_the_same_table():
    document = (ROOT / "docs/training.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| `(\w+Agent)` \| ([^|]+) \|", document, re.MULTILINE))
    verdicts = {name: "no" if support.refusal else "yes" for name, support in agents.AGENTS.items()}
    assert {name: "no" if verdict.strip() == "no" else "yes" for name, verdict in rows.items()} == verdicts


DQN = "dqn_agent:DQNAgent"


@pytest.mark.parametrize(
    ("agent", "changes", "sentence"),
    [
        (
            DQN,
            'agent_params.network_wrappers["main"].optimizer_type = "LBFGS"',
            "Network main of agent DQNAgent has the optimizer 'LBFGS', which Coach lacks on MXNet, "
            "expected one of Adam, RMSProp.",
        ),
        (
            DQN,
            'agent_params.network_wrappers["main"].middleware_parameters.activation_function = "leaky_relu"',
            "FCMiddleware of network main of agent DQNAgent has the activation function 'leaky_relu', which",
        ),
        (
            DQN,
            """
from rl_coach.architectures.layers import NoisyNetDense
agent_params.network_wrappers["main"].heads_parameters[0].dense_layer = NoisyNetDense
""",
            "QHead of network main of agent DQNAgent has layers of the type NoisyNetDense, which Coach lacks on MXNet",
        ),
        (
            DQN,
            """
from rl_coach.exploration_policies.parameter_noise import ParameterNoiseParameters
agent_params.exploration = ParameterNoiseParameters(agent_params)
""",
            "Agent DQNAgent explores with ParameterNoise, whose noisy layers Coach lacks on MXNet",
        ),
        (
            DQN,
            """
from rl_coach.architectures.head_parameters import RainbowQHeadParameters
agent_params.network_wrappers["main"].heads_parameters = [RainbowQHeadParameters()]
""",
            "Agent DQNAgent has a head that Coach lacks on MXNet (RainbowQHead), "
            "expected one of DuelingQHead, PolicyHead, PPOHead, PPOVHead, QHead, VHead.",
        ),
        (
            DQN,
            """
class MyParameters(DQNAgentParameters):
    @property
    def path(self):
        return "rl_coach.agents.agent:Agent"
agent_params = MyParameters()
""",
            "Agent Agent is not known to run on MXNet, expected one of ClippedPPOAgent,",
        ),
        (
            DQN,
            """
class MyParameters(DQNAgentParameters):
    @property
    def path(self):
        return "rl_coach.agents.human_agent:HumanAgent"
agent_params = MyParameters()
""",
            "Agent HumanAgent is played by a person at a screen",
        ),
    ],
)
def test_what_mxnet_lacks(tmp_path, agent, changes, sentence):
    actual = refusal(write_agent(tmp_path, agent, changes))
    assert sentence in actual


def test_an_agent_of_ones_own(tmp_path):
    preset = write_agent(
        tmp_path,
        DQN,
        """
class MyParameters(DQNAgentParameters):
    @property
    def path(self):
        return "my_agent_of_dqn:MyAgent"
agent_params = MyParameters()
""",
    )
    (preset.parent / "my_agent_of_dqn.py").write_text(
        "from rl_coach.agents.dqn_agent import DQNAgent\n\n\nclass MyAgent(DQNAgent):\n    pass\n"
    )
    assert refusal(preset) == ""


@pytest.mark.parametrize("value", [0, False, "false"])
def test_hyperparameters_that_ask_for_what_mxnet_does_anyway(value):
    network = "rl.agent_params.network_wrappers.main"
    agents.check_changes([(f"{network}.replace_mse_with_huber_loss", value), (f"{network}.learning_rate", 0.1)])


def test_hyperparameters_that_mxnet_would_ignore():
    sentence = "Hyperparameter rl.agent_params.network_wrappers.main.l2_regularization is 0.1, but Coach has no"
    with pytest.raises(InputError, match=sentence):
        agents.check_changes([("rl.agent_params.network_wrappers.main.l2_regularization", 0.1)])


def test_agents_that_train_on_what_they_have_just_played():
    """They alone are refused a batch that is larger than a phase of playing."""
    assert [name for name, support in agents.AGENTS.items() if support.splits_rollouts] == [
        "ClippedPPOAgent",
        "PPOAgent",
    ]


@pytest.mark.parametrize(
    ("agent", "space", "expected"),
    [
        ("dqn_agent:DQNAgent", "DiscreteActionSpace", ""),
        ("dqn_agent:DQNAgent", "BoxActionSpace", "a DiscreteActionSpace"),
        ("clipped_ppo_agent:ClippedPPOAgent", "BoxActionSpace", ""),
        ("clipped_ppo_agent:ClippedPPOAgent", "DiscreteActionSpace", ""),
        (
            "clipped_ppo_agent:ClippedPPOAgent",
            "MultiSelectActionSpace",
            "a DiscreteActionSpace or a BoxActionSpace",
        ),
    ],
)
def test_the_action_spaces_of_an_agent(agent, space, expected):
    spaces = {name: type(name, (), {}) for name in ("DiscreteActionSpace", "BoxActionSpace")}
    spaces["MultiSelectActionSpace"] = type("MultiSelectActionSpace", (), {})
    kind = type(agent.partition(":")[2], (), {})
    played = kind()
    played.ap = SimpleNamespace(path=f"rl_coach.agents.{agent}")
    played.spaces = SimpleNamespace(action=type("OfAUser", (spaces[space],), {})())
    if not expected:
        agents.check_action_space(played, "mine:Env")
        return
    with pytest.raises(InputError) as error:
        agents.check_action_space(played, "mine:Env")
    name = agent.partition(":")[2]
    assert str(error.value) == f"Agent {name} cannot act in the OfAUser of mine:Env, expected {expected}."
