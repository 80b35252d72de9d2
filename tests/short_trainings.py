"""One short training twice: by the installed rl_coach, and by the fast path from the same transitions and chance."""

import contextlib
import itertools
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import mxnet as mx
import numpy as np
import pandas as pd
from agent_presets import write_agent
from sagemaker_rl.coach.graph import agent_of, create_graph
from sagemaker_rl.coach.normalization import normalizations_of
from sagemaker_rl.coach.presets import import_preset

LENGTHS = (7, 12, 5, 16)
"""Steps of the episodes, in turn: 40 together."""
ENVIRONMENT = """
import gym, numpy as np

STEPS = []  # of every step: observation, reward, next observation, whether the episode has ended

class Own(gym.Env):
    observation_space = gym.spaces.Box(-9.0, 9.0, shape=(3,), dtype=np.float32)
    action_space = ACTIONS
    metadata = {"render.modes": []}
    steps = 0
    episode = -2  # Coach takes a step before all others
    state = np.array([0.3, -0.2, 0.5], dtype=np.float32)

    def seed(self, seed=None):
        self.random = np.random.RandomState(seed)
        return [seed]

    def reset(self, **options):
        if self.steps or self.episode == -2:
            self.episode += 1
        self.steps = 0
        return self.state.copy()  # where the last episode ended

    def step(self, action):
        before, push = self.state, float(np.sum(action))
        x, y, z = before
        moved = np.array([0.9 * x + 0.3 * np.sin(2 * y) + 0.1 * push, 0.7 * y - 0.4 * z + 0.05 * push, np.cos(3 * x)])
        self.state = (moved + 0.2 * self.random.normal(size=3)).astype(np.float32)
        self.steps += 1
        reward = float(self.state[0] - 0.5 * self.state[1] ** 2 + 0.3 * push)
        ended = self.steps == LENGTHS[self.episode % len(LENGTHS)]
        STEPS.append((before, reward, self.state, ended))
        return self.state.copy(), reward, ended, {}
"""
"""Episodes of LENGTHS; each begins where the one before it ended."""
ACTIONS = {
    "discrete": "gym.spaces.Discrete(3)",
    "box": "gym.spaces.Box(np.array([-1, -0.5]), np.array([0.5, 2]), dtype=np.float32)",
}
TINY_NETWORK = """
from rl_coach.architectures.layers import Dense
from rl_coach.core_types import TrainingSteps
from rl_coach.filters.filter import InputFilter
from rl_coach.filters.observation.observation_normalization_filter import ObservationNormalizationFilter
from rl_coach.filters.reward.reward_clipping_filter import RewardClippingFilter
from rl_coach.filters.reward.reward_rescale_filter import RewardRescaleFilter
from rl_coach.memories.memory import MemoryGranularity
from rl_coach.schedules import ConstantSchedule, LinearSchedule

algorithm, network = agent_params.algorithm, agent_params.network_wrappers["main"]
network.input_embedders_parameters["observation"].scheme = [Dense(8)]
network.middleware_parameters.scheme = [Dense(6)]
network.learning_rate = 0.01
network.batch_size = 8
schedule_params.heatup_steps = EnvironmentSteps(0)
agent_params.input_filter, agent_params.pre_network_filter = InputFilter(), InputFilter()
"""
NORMALIZED = """
agent_params.pre_network_filter.add_observation_filter("observation", "normalize", ObservationNormalizationFilter())
"""
TOLERANCE = 2e-5
"""Of float32 in other orders of summation, after some hundred gradient steps; relative to the largest value."""
SIGNALS = ("loss", "value_loss", "policy_loss", "entropy", "kl_divergence", "curr_learning_rate", "likelihood_ratio")
SIGNALS += ("clipped_likelihood_ratio", "value_targets", "state_values", "action_advantages")


@dataclass
class Chance:
    """What was decided by chance, in the order of its use: a random generator that decides the same again."""

    actions: list[Any] = field(default_factory=list)
    """Of every step, before they were clipped to the action space."""
    samples: list[np.ndarray] = field(default_factory=list)
    """DQN's: the numbers of the transitions of each batch, int64 ``(batch,)``."""
    orders: list[np.ndarray] = field(default_factory=list)
    """PPO's: the numbers of the transitions in the order in which an epoch trained on them, int64 ``(steps,)``."""
    replay_size: int = 0
    to_rows: Any = None
    """PPO's: from a transition's number in its phase to its row."""

    def random(self, shape: tuple[int, int]) -> np.ndarray:
        """Return what leads to the actions of DQN; in heatup, or where it explores with certainty for one step."""
        num_envs, size = shape
        draws = np.zeros(shape)
        draws[:, size // 2] = [(self.actions.pop(0) + 0.5) / 3 for _ in range(num_envs)]
        return draws

    def integers(self, limit: int, size: int) -> np.ndarray:
        """Return rows of a replay."""
        batches = [self.samples.pop(0) for _ in range(size // len(self.samples[0]))]
        return np.concatenate(batches) % self.replay_size

    def permutation(self, size: int) -> np.ndarray:
        order = self.to_rows(self.orders.pop(0))
        assert sorted(order) == list(range(size))
        return order


@dataclass
class Training:
    """What a training leaves."""

    graph_manager: Any
    run: Any
    policies: list[list[np.ndarray]]
    """PPO's: the parameters of the policy in every step, ``(1, size)`` each."""
    signals: dict[str, list[np.ndarray]]
    """Of each of SIGNALS the samples that it got."""

    @property
    def agent(self) -> Any:
        return agent_of(self.graph_manager)

    def weights(self, kind: str = "online_network") -> list[np.ndarray]:
        parameters = getattr(self.agent.networks["main"], kind).model.collect_params().values()
        return [p.data().asnumpy() for p in parameters if p.grad_req != "null" or kind == "target_network"]

    def table(self) -> pd.DataFrame:
        """Return Coach's CSV, with the row of every episode that has ended."""
        self.run.close()
        return pd.read_csv(self.agent.agent_logger.csv_path)

    def counters(self) -> list[Any]:
        """Return what was counted, and where the schedules are."""
        from rl_coach.core_types import EnvironmentEpisodes, EnvironmentSteps, RunPhase, TrainingSteps

        agent = self.agent
        counted = [agent.training_iteration, agent.total_steps_counter, agent.current_episode]
        for phase, unit in itertools.product(
            (RunPhase.HEATUP, RunPhase.TRAIN), (EnvironmentSteps, EnvironmentEpisodes, TrainingSteps)
        ):
            counted.append(self.graph_manager.total_steps_counters[phase][unit])
        schedules = (
            getattr(agent.exploration_policy, "epsilon_schedule", None),
            getattr(agent.ap.algorithm, "clipping_decay_schedule", None),
        )
        return [*counted, *(float(schedule.current_value) for schedule in schedules if schedule is not None)]


def make(
    folder: Path, agent: str, changes: str, actions: str, change: Callable[[Any], Any] = lambda graph_manager: None
) -> Any:
    """Return the graph manager of a preset for ENVIRONMENT, changed and its graph created."""
    folder.mkdir()
    preset = write_agent(folder, agent, changes)
    code = ENVIRONMENT.replace("ACTIONS", ACTIONS[actions]).replace("LENGTHS", str(LENGTHS))
    (folder / "code" / "own.py").write_text(code, encoding="utf-8")
    graph_manager = import_preset(preset)
    change(graph_manager)
    create_graph(graph_manager, folder, seed=3)
    sys.modules["own"].STEPS.clear()
    return graph_manager


def _record_signals(agent: Any) -> dict[str, list[np.ndarray]]:
    recorded: dict[str, list[np.ndarray]] = {name: [] for name in SIGNALS if hasattr(agent, name)}
    for name, samples in recorded.items():
        signal = getattr(agent, name)

        def add_sample(sample: Any, add: Any = signal.add_sample, samples: Any = samples) -> None:
            samples.append(np.array(sample, dtype=np.float64))
            add(sample)

        signal.add_sample = add_sample
    return recorded


@contextlib.contextmanager
def _recorded_orders(orders: list[np.ndarray]) -> Iterator[None]:
    """Record the order in which Coach's PPO trains on its transitions, in every epoch."""
    from rl_coach.core_types import Batch

    original = Batch.shuffle

    def shuffle(self: Any) -> None:
        original(self)
        orders.append(np.array([transition.info["number"] for transition in self.transitions]))

    Batch.shuffle = shuffle
    try:
        yield
    finally:
        Batch.shuffle = original


def train_by_coach(graph_manager: Any, steps: int) -> tuple[Training, Chance, list[tuple[Any, ...]]]:
    """Train by stock Coach for so many environment steps after heatup; return it, its chance and its transitions."""
    from rl_coach.core_types import EnvironmentSteps
    from sagemaker_rl.training.choice import StockRun

    agent, chance, numbers = agent_of(graph_manager), Chance(), itertools.count()
    policies: list[list[np.ndarray]] = []
    act, get_action, sample = agent.act, agent.exploration_policy.get_action, agent.memory.sample

    def recorded_act(*arguments: Any) -> Any:
        result = act(*arguments)
        chance.actions.append(agent.last_action_info.action)
        return result

    def recorded_get_action(values: Any) -> Any:
        policies.append([np.atleast_2d(value) for value in (values if isinstance(values, list) else [values])])
        return get_action(values)

    def recorded_sample(size: int) -> Any:
        batch = sample(size)
        chance.samples.append(np.array([transition.info["number"] for transition in batch]))
        return batch

    def numbered(transition: Any) -> Any:
        transition.add_info({"number": next(numbers)})
        return transition

    agent.act, agent.exploration_policy.get_action, agent.memory.sample = (
        recorded_act,
        recorded_get_action,
        recorded_sample,
    )
    agent.update_transition_before_adding_to_replay_buffer = numbered
    run, recorded = StockRun(graph_manager), _record_signals(agent)
    with _recorded_orders(chance.orders):
        run.heatup(graph_manager.heatup_steps)
        run.train_and_act(EnvironmentSteps(steps))
    return Training(graph_manager, run, policies, recorded), chance, list(sys.modules["own"].STEPS)


class RecordedEnvironments:
    """A batch of environments that lead to recorded transitions.

    In each phase of ``length`` steps the first environment plays the first part of them, the second the next.
    """

    def __init__(self, steps: list[tuple[Any, ...]], num_envs: int, length: int) -> None:
        self.num_envs = num_envs
        self._steps = steps
        self._part = length // num_envs
        self._count = 0

    def _numbers(self, count: int) -> np.ndarray:
        phase, step = divmod(count, self._part)
        return (phase * self.num_envs + np.arange(self.num_envs)) * self._part + step

    def to_rows(self, numbers: np.ndarray) -> np.ndarray:
        """Return the rows of a phase's transitions in a rollout ``(steps, environments)``."""
        environment, step = np.divmod(numbers % (self._part * self.num_envs), self._part)
        return step * self.num_envs + environment

    def reset(self) -> np.ndarray:
        return np.stack([self._steps[number][0] for number in self._numbers(0)])

    def step(self, actions: np.ndarray) -> Any:
        from sagemaker_rl.training.accelerated.vector_envs import Step

        _, rewards, reached, ended = map(
            np.array, zip(*[self._steps[number] for number in self._numbers(self._count)], strict=True)
        )
        self._count += 1
        following = self._numbers(self._count)
        goes_on = following[-1] < len(self._steps)
        observations = np.stack([self._steps[number][0] for number in following]) if goes_on else reached
        return Step(reached, observations, rewards, ended, np.zeros(self.num_envs, dtype=bool))


def train_by_ours(
    graph_manager: Any, steps: int, num_envs: int, chance: Chance, transitions: list[tuple[Any, ...]], in_numpy: bool
) -> Training:
    """Train on the fast path from recorded transitions and chance.

    Args:
        graph_manager: its graph created, with the weights from which Coach began.
        steps: of the environment, after heatup.
        num_envs: how many environments are stepped together.
        chance: Coach's; it is used up.
        transitions: Coach's, in order.
        in_numpy: whether the networks are computed in NumPy, as far as that knows them.
    """
    from rl_coach.core_types import EnvironmentSteps
    from sagemaker_rl.training.accelerated.support import run_class_of

    run = run_class_of(graph_manager)(graph_manager, num_envs, 3, lambda: None)
    agent = run.agent
    is_ppo = hasattr(run, "rollout")
    length = agent.ap.algorithm.num_consecutive_playing_steps.num_steps if is_ppo else num_envs
    run.envs = RecordedEnvironments(transitions, num_envs, length)
    run.observations = run.envs.reset()
    run.random = run.streams = chance
    policies: list[list[np.ndarray]] = []
    if is_ppo:
        run.learner = type(run.learner)(agent, chance, in_numpy)
        run.policy = run.learner.policy()
        chance.to_rows = run.envs.to_rows
        actions, taken = np.array(chance.actions), itertools.count()

        def sample(policy: list[np.ndarray]) -> np.ndarray:
            policies.append(policy)
            return actions[run.envs._numbers(next(taken))]

        run._sample = sample
    else:
        run.learner = type(run.learner)(agent, in_numpy)
        run.greedy.random = chance
        assert run.replay.size == agent.ap.memory.max_size[1]
        # Coach stores a transition when the next step begins, and trains after the first of a batch of steps.
        run.replay = type(run.replay)(run.replay.size + num_envs, run.observations.shape[1:])
        chance.replay_size = run.replay.size
    recorded = _record_signals(agent)
    run.heatup(graph_manager.heatup_steps)
    run.train_and_act(EnvironmentSteps(steps))
    return Training(graph_manager, run, policies, recorded)


def copy_weights(ours: Any, theirs: Any) -> None:
    """Give the networks of two agents, online and target, the weights of the second one's online network."""
    theirs.sync()
    source = theirs.networks["main"].online_network.model.collect_params().values()
    for kind in ("online_network", "target_network"):
        network = getattr(ours.networks["main"], kind)
        for parameter, weights in zip(network.model.collect_params().values(), source, strict=True):
            parameter.set_data(mx.nd.array(weights.data().asnumpy()))


def train_both(
    folder: Path, agent: str, changes: str, actions: str, steps: int, num_envs: int = 1, in_numpy: bool = True
) -> tuple[Training, Training]:
    """Return a training on the fast path, and the same by Coach."""
    ours = make(folder / "ours", agent, changes, actions)
    theirs = make(folder / "theirs", agent, changes, actions)  # the module of the environment is this one's now
    copy_weights(agent_of(ours), agent_of(theirs))
    trained, chance, transitions = train_by_coach(theirs, steps)
    return train_by_ours(ours, steps, num_envs, chance, transitions, in_numpy), trained


def close(ours: Any, theirs: Any) -> bool:
    """Tell whether two arrays agree within TOLERANCE."""
    ours, theirs = (np.asarray(array, dtype=np.float64) for array in (ours, theirs))
    return ours.shape == theirs.shape and bool(
        np.abs(ours - theirs).max(initial=0) <= TOLERANCE * max(1, np.abs(theirs).max(initial=0))
    )


def assert_same_networks(ours: Training, theirs: Training) -> None:
    for kind in ("online_network", "target_network"):
        if kind == "online_network" or not hasattr(ours.run, "rollout"):  # PPO's old policy is a network in Coach alone
            for our, their in zip(ours.weights(kind), theirs.weights(kind), strict=True):
                assert close(our, their), kind


def statistics_of(training: Training) -> list[Any]:
    return [
        array
        for each in normalizations_of(training.agent)
        for array in (each.running_observation_stats.mean, each.running_observation_stats.std)
    ]
