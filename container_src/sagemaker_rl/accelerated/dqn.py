"""DQN (https://www.cs.toronto.edu/~vmnih/docs/dqn.pdf) on batches: Coach's mathematics, a graph for a gradient step."""

from collections.abc import Callable
from typing import Any

import mxnet as mx
import numpy as np

from sagemaker_rl.accelerated.run import AcceleratedRun

MOST_ENVIRONMENTS = 4
"""More would only spread the same number of steps thinner: the first aimless episodes of each have to end first."""


class FusedTDLoss(mx.gluon.HybridBlock):
    """Both networks and Coach's loss as one graph.

    Coach's target equals the prediction for every action but the one taken (agents/dqn_agent.py), so only its error
    counts, in a mean over batch and actions (heads/q_head.py: L2Loss).
    """

    def __init__(self, online: Any, target: Any, actions: int, discount: float, weight: float) -> None:
        super().__init__()
        self.register_child(online)
        self.register_child(target)
        self._networks = [online, target]  # in a list, so that their parameters keep Coach's names
        self._actions, self._discount, self._weight = actions, discount, weight

    def hybrid_forward(self, F, states, next_states, actions, rewards, goes_on):  # type: ignore[no-untyped-def]
        """Return the loss (1,), and the predicted values of the actions taken ``(batch,)``."""
        online, target = self._networks
        following = F.max(F.BlockGrad(target(next_states)[0]), axis=1)
        wanted = rewards + goes_on * self._discount * following
        predicted = F.pick(online(states)[0], actions, axis=1)
        return 0.5 * self._weight / self._actions * F.mean(F.square(predicted - wanted)), predicted


class Replay:
    """The last ``size`` transitions, as arrays; a uniform sample may hold one twice, as Coach's does."""

    def __init__(self, size: int, shape: tuple[int, ...]) -> None:
        self.size = size
        self.count = 0
        self.states = np.empty((size, *shape), dtype=np.float32)
        self.next_states = np.empty((size, *shape), dtype=np.float32)
        self.actions = np.empty(size, dtype=np.int64)
        self.rewards = np.empty(size, dtype=np.float64)
        self.goes_on = np.empty(size, dtype=np.float64)

    def __len__(self) -> int:
        return min(self.count, self.size)

    def add(self, *columns: np.ndarray) -> None:
        """Add a batch of transitions: states, next states, actions, rewards, and 0 where an episode ended, else 1."""
        rows = np.arange(self.count, self.count + len(columns[0])) % self.size
        arrays: tuple[np.ndarray, ...] = (self.states, self.next_states, self.actions, self.rewards, self.goes_on)
        for array, column in zip(arrays, columns, strict=True):
            array[rows] = column
        self.count += len(rows)

    def sample(self, size: int, random: np.random.Generator) -> tuple[np.ndarray, ...]:
        """Return ``size`` transitions, as the columns of ``add``."""
        rows = random.integers(len(self), size=size)
        return self.states[rows], self.next_states[rows], self.actions[rows], self.rewards[rows], self.goes_on[rows]


class DQNLearner:
    """Trains a Coach DQNAgent's own parameters with its own optimizer."""

    def __init__(self, agent: Any) -> None:
        self.network = agent.networks["main"].online_network
        (head,) = self.network.model.output_heads
        target = agent.networks["main"].target_network.model
        actions = len(agent.spaces.action.actions)
        self.loss = FusedTDLoss(self.network.model, target, actions, agent.ap.algorithm.discount, head.loss_weight)
        self.loss.hybridize(static_alloc=True, static_shape=True)

    def action_values(self, states: np.ndarray) -> np.ndarray:
        """Return Q, float32 ``(batch, actions)``, for normalized states."""
        (values,) = self.network.model(mx.nd.array(states, dtype=np.float32))
        return values.asnumpy()

    def compute_gradients(self, batch: list[Any]) -> tuple[float, np.ndarray]:
        """Compute gradients on a batch (see FusedTDLoss) into the network's own; return loss and predicted values."""
        with mx.autograd.record():
            loss, predicted = self.loss(*batch)
        loss.backward()
        return float(loss.asscalar()), predicted.asnumpy()

    def gradient_step(self, batch: list[Any]) -> tuple[float, np.ndarray]:
        """Compute gradients and take one step of Coach's optimizer."""
        result = self.compute_gradients(batch)
        self.network.trainer.update(batch_size=1)
        return result


class DQNRun(AcceleratedRun):
    """Trains and evaluates a Coach DQNAgent on batches of environments.

    ``num_consecutive_playing_steps`` are played as one or a few steps of the whole batch, where stock Coach plays them
    one after the other; then come the same gradient steps.
    """

    def __init__(self, graph_manager: Any, num_envs: int, seed: int | None, check_stop: Callable[[], None]) -> None:
        super().__init__(graph_manager, min(num_envs, MOST_ENVIRONMENTS), seed, check_stop)
        self.learner = DQNLearner(self.agent)
        self.replay = Replay(self.agent.ap.memory.max_size[1], self.observations.shape[1:])
        self.actions = len(self.agent.spaces.action.actions)

    def best_actions(self, observations: np.ndarray) -> np.ndarray:
        return self.learner.action_values(self.normalize(observations)).argmax(axis=1)

    def heatup(self, steps: Any) -> None:
        from rl_coach.core_types import EnvironmentSteps, RunPhase

        counter = self.graph_manager.total_steps_counters[RunPhase.HEATUP]
        with self.graph_manager.phase_context(RunPhase.HEATUP):
            while counter[EnvironmentSteps] < steps.num_steps:
                self.check_stop()
                self._play(self.random.integers(self.actions, size=self.envs.num_envs))
                counter[EnvironmentSteps] += self.envs.num_envs

    def play_and_learn(self) -> None:
        for normalization in self.normalizations:  # Coach's statistics grow with every observation that is acted on
            normalization.push_val(self.observations)
        greedy = self.best_actions(self.observations)
        exploration = self.agent.exploration_policy
        at_random = self.random.random(len(greedy)) < exploration.epsilon_schedule.current_value
        for _ in range(len(greedy)):
            exploration.epsilon_schedule.step()
        self._play(np.where(at_random, self.random.integers(self.actions, size=len(greedy)), greedy))
        agent = self.agent
        due = agent.last_training_phase_step + agent.ap.algorithm.num_consecutive_playing_steps.num_steps
        if agent.total_steps_counter >= due:
            agent.last_training_phase_step = agent.total_steps_counter
            self._train()

    def _play(self, actions: np.ndarray) -> None:
        observations = self.observations
        reached, rewards, ended = self.step(actions)
        self.replay.add(observations, reached, actions, rewards, ~ended)

    def _train(self) -> None:
        agent, batch_size = self.agent, self.agent.ap.network_wrappers["main"].batch_size
        gradient_steps = agent.ap.algorithm.num_consecutive_training_steps
        # All the samples of this training at once: one call each to normalize them and to hand them to MXNet.
        states, next_states, *rest = self.replay.sample(gradient_steps * batch_size, self.random)
        columns = [self.normalize(states), self.normalize(next_states), *rest]
        arrays = [mx.nd.array(column, dtype=np.float32) for column in columns]
        for index in range(gradient_steps):
            self.check_stop()
            rows = slice(index * batch_size, (index + 1) * batch_size)
            agent.training_iteration += 1
            loss, predicted = self.learner.gradient_step([array[rows] for array in arrays])
            agent.loss.add_sample(loss)
            agent.q_values.add_sample(predicted)
            agent.curr_learning_rate.add_sample(agent.ap.network_wrappers["main"].learning_rate)
            if agent._should_update_online_weights_to_target():
                for network in agent.networks.values():
                    network.update_target_network(agent.ap.algorithm.rate_for_copying_weights_to_target)

    def _end_episode(self, index: int) -> None:
        super()._end_episode(index)
        self.keep_losses()
