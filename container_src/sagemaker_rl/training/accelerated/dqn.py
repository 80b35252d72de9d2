"""DQN (https://www.cs.toronto.edu/~vmnih/docs/dqn.pdf) on batches of transitions, with Coach's mathematics."""

from collections.abc import Callable
from typing import Any

import mxnet as mx
import numpy as np
from rl_coach.core_types import EnvironmentSteps, RunPhase
from rl_coach.memories.memory import MemoryGranularity
from rl_coach.memories.non_episodic.experience_replay import ExperienceReplay

from sagemaker_rl.training.accelerated.copy_streams import CopyStreams
from sagemaker_rl.training.accelerated.explorations import LONGEST_HOLD, EpsilonGreedy, evaluation_policy
from sagemaker_rl.training.accelerated.network import INPUT, DenseNetwork, NetworkGraph, to_mxnet
from sagemaker_rl.training.accelerated.optimizer import adam_for
from sagemaker_rl.training.accelerated.options import first_difference
from sagemaker_rl.training.accelerated.run import AcceleratedRun
from sagemaker_rl.training.state_file import State, checked

INPUTS = (INPUT, "next_states", "actions", "rewards", "not_done")
"""Of a gradient step: normalized states ``(batch, *shape)`` twice, then ``(batch,)`` each."""


class Replay:
    """The last ``size`` transitions, as arrays; a uniform sample may hold one twice, as Coach's does."""

    def __init__(self, size: int, shape: tuple[int, ...]) -> None:
        self.size = size
        self.count = 0
        self.states = np.empty((size, *shape), dtype=np.float32)
        self.next_states = np.empty((size, *shape), dtype=np.float32)
        self.actions = np.empty(size, dtype=np.int64)
        self.rewards = np.empty(size, dtype=np.float32)
        self.not_done = np.empty(size, dtype=np.float32)

    def __len__(self) -> int:
        return min(self.count, self.size)

    def add(self, *columns: np.ndarray) -> None:
        """Add a batch of transitions: states, next states, actions, rewards, and 0 where the next state is an end."""
        rows = np.arange(self.count, self.count + len(columns[0])) % self.size
        for array, column in zip(self._arrays(), columns, strict=True):
            array[rows] = column
        self.count += len(rows)

    def _arrays(self) -> tuple[np.ndarray, ...]:
        return self.states, self.next_states, self.actions, self.rewards, self.not_done

    def sample(self, size: int, random: np.random.Generator) -> tuple[np.ndarray, ...]:
        """Return ``size`` transitions, as the columns of ``add``."""
        rows = random.integers(len(self), size=size)
        return self.states[rows], self.next_states[rows], self.actions[rows], self.rewards[rows], self.not_done[rows]

    def state(self) -> State:
        """Return what has been added so far, as columns."""
        return {"count": self.count, "columns": [array[: len(self)] for array in self._arrays()]}

    def restore(self, state: State) -> None:
        """Take what ``state`` returned, of a replay of the same size."""
        self.count = int(state["count"])
        for array, column in zip(self._arrays(), state["columns"], strict=True):
            array[: len(self)] = checked(column, array[: len(self)])


class DQNLearner:
    """Trains the network of a Coach DQNAgent as Coach does, in NumPy where that knows the network.

    Coach's target equals the prediction for every action but the one taken (agents/dqn_agent.py), so only its error
    counts, in a mean over batch and actions (heads/q_head.py: L2Loss).
    """

    def __init__(self, agent: Any, in_numpy: bool = True) -> None:
        self.wrapper = agent.networks["main"]
        self.network = self.wrapper.online_network
        self.discount = agent.ap.algorithm.discount
        (head,) = self.network.model.output_heads
        self.weight = head.loss_weight / len(agent.spaces.action.actions)
        self.graph, self.target_graph = (
            NetworkGraph(network.model) for network in (self.network, self.wrapper.target_network)
        )
        self.dense = DenseNetwork.of(self.graph) if in_numpy else None
        self.dense_target = DenseNetwork.of(self.target_graph) if self.dense else None
        self.optimizer = adam_for(self.network, self.dense)
        self._block = None if self.dense else self._fuse()

    def action_values(self, states: np.ndarray) -> np.ndarray:
        """Return Q, float32 ``(batch, actions)``, for normalized states."""
        if self.dense:
            return self.dense.forward(states)[0]
        return self.network.model(to_mxnet(states))[0].asnumpy()

    def compute_gradients(self, batch: list[np.ndarray]) -> tuple[float, np.ndarray]:
        """Compute the gradients that the optimizer's next step takes, on a batch (see INPUTS).

        Returns:
            The loss, and the predicted values of the actions taken, ``(batch,)``.
        """
        if self._block is not None:
            with mx.autograd.record():
                loss, predicted = self._block(*map(to_mxnet, batch))
            loss.backward()
            return float(loss.asscalar()), predicted.asnumpy()
        assert self.dense is not None and self.dense_target is not None
        states, next_states, actions, rewards, not_done = batch
        next_values = self.dense_target.forward(next_states)[0].max(axis=1)
        values = self.dense.forward(states)[0]
        rows = np.arange(len(actions))
        predicted = values[rows, actions]
        errors = predicted - (rewards + not_done * np.float32(self.discount) * next_values)
        value_gradients = np.zeros(values.shape, dtype=np.float32)
        value_gradients[rows, actions] = errors * np.float32(self.weight / len(actions))
        self.dense.backward([value_gradients])
        return 0.5 * self.weight * float(errors @ errors) / len(actions), predicted

    def _fuse(self) -> Any:
        """Return both networks and the loss as one hybridized MXNet graph."""
        _, next_states, actions, rewards, not_done = inputs = [mx.sym.var(name) for name in INPUTS]
        for parameter in self.target_graph.parameters.values():
            parameter.grad_req = "null"  # it is copied to, never trained; else MXNet carries zeros back through it
        next_values = mx.sym.max(self.target_graph.symbol[0](**{INPUT: next_states}), axis=1)
        targets = rewards + not_done * self.discount * next_values
        predicted = mx.sym.pick(self.graph.symbol[0], actions, axis=1)
        loss = 0.5 * self.weight * mx.sym.mean(mx.sym.square(predicted - targets))
        parameters = mx.gluon.ParameterDict()
        for graph in (self.graph, self.target_graph):
            parameters.update(graph.parameters)
        block = mx.gluon.SymbolBlock(mx.sym.Group([loss, predicted]), inputs, params=parameters)
        block.hybridize(static_alloc=True, static_shape=True)
        return block

    def gradient_step(self, batch: list[np.ndarray]) -> tuple[float, np.ndarray]:
        """Compute gradients and take one step of Coach's optimizer."""
        result = self.compute_gradients(batch)
        self.optimizer.step()
        return result

    def update_target(self, rate: float) -> None:
        """Move the target network's weights to the online network's by ``rate``, at 1 all the way."""
        if self.dense and self.dense_target:
            self.dense_target.weights += np.float32(rate) * (self.dense.weights - self.dense_target.weights)
        else:
            self.wrapper.update_target_network(rate)

    def publish(self) -> None:
        """Give Coach's own networks the weights."""
        if self.dense and self.dense_target:
            self.dense.push()
            self.dense_target.push()

    def close(self) -> None:
        """Do nothing: one process computes the gradients of so small a batch."""

    def pull(self) -> None:
        """Take the weights from Coach's own networks."""
        if self.dense and self.dense_target:
            self.dense.pull()
            self.dense_target.pull()


class DQNRun(AcceleratedRun):
    """Trains and evaluates a Coach DQNAgent on batches of environments.

    ``num_consecutive_playing_steps`` are played as one or a few steps of the whole batch, where stock Coach plays them
    one after the other; then come the same gradient steps.
    """

    default_num_envs = 16
    least_steps_of_a_copy = 1  # transitions are learnt from one by one

    @staticmethod
    def unsupported(agent: Any) -> str | None:
        algorithm, memory = agent.ap.algorithm, agent.memory
        heads = [type(head).__name__ for head in agent.networks["main"].online_network.model.output_heads]
        options = {
            "heads_parameters": (heads, ["QHead"]),
            "memory": (type(memory), ExperienceReplay),
            "memory.max_size": (agent.ap.memory.max_size[0], MemoryGranularity.Transitions),
            "allow_duplicates_in_batch_sampling": (memory.allow_duplicates_in_batch_sampling, True),
            "load_memory_from_file_path": (agent.ap.memory.load_memory_from_file_path, None),
            "num_consecutive_playing_steps": (type(algorithm.num_consecutive_playing_steps), EnvironmentSteps),
            "act_for_full_episodes": (algorithm.act_for_full_episodes, False),
            "store_transitions_only_when_episodes_are_terminated": (
                algorithm.store_transitions_only_when_episodes_are_terminated,
                False,
            ),
            "create_target_network": (agent.ap.network_wrappers["main"].create_target_network, True),
        }
        if difference := first_difference(options):
            return difference
        if not agent.ap.memory.max_size[1]:
            return "memory.max_size has no limit"
        if type(agent.exploration_policy) not in LONGEST_HOLD:
            return f"the exploration is {type(agent.exploration_policy).__name__}"
        return None

    def begin_learning(self) -> None:
        self.learner: DQNLearner = DQNLearner(self.agent)
        self.replay = Replay(self.agent.ap.memory.max_size[1], self.observations.shape[1:])
        self.greedy = EpsilonGreedy(self.agent.exploration_policy, self.envs.num_envs, self.streams)

    def best_actions(self, observations: np.ndarray) -> np.ndarray:
        return self.learner.action_values(self.normalize(observations)).argmax(axis=1)

    def evaluation_policy(self, num_envs: int, random: CopyStreams) -> Callable[[np.ndarray], np.ndarray]:
        return evaluation_policy(self.agent.exploration_policy, num_envs, random, self.best_actions)

    def learning_state(self) -> State:
        return {
            "optimizer": self.learner.optimizer.state(),
            "replay": self.replay.state(),
            "held": self.greedy.state(),
        }

    def restore_learning(self, state: State) -> None:
        self.learner.optimizer.restore(state["optimizer"])
        self.replay.restore(state["replay"])
        self.greedy.restore(state["held"])

    def cut_episodes(self, where: np.ndarray) -> None:
        self.greedy.held.drop(where)

    def heatup(self, steps: Any) -> None:
        by_network = self.agent.ap.algorithm.heatup_using_network_decisions
        self.is_heating_up = True
        self.play(RunPhase.HEATUP, steps, self._explore if by_network else self._act_at_random)
        self.phase_end, self.is_heating_up = None, False

    def _act_at_random(self) -> None:
        actions = len(self.agent.spaces.action.actions)
        self._step_and_store((self.streams.random((self.envs.num_envs, 1))[:, 0] * actions).astype(np.int64))

    def play_and_learn(self) -> None:
        self._explore()
        agent = self.agent
        self.greedy.step_schedule(self.envs.num_envs)
        playing_steps = agent.ap.algorithm.num_consecutive_playing_steps.num_steps
        steps = agent.total_steps_counter - agent.last_training_phase_step
        if steps >= playing_steps:
            # The steps by which a batch has gone beyond the phase belong to the next one: there are as many gradient
            # steps for every environment step as on stock Coach, however many environments there are.
            agent.last_training_phase_step = agent.total_steps_counter - steps % playing_steps
            self._train()

    def _explore(self) -> None:
        """Take a step in every environment by the exploration policy."""
        self.count_for_normalization(self.observations)  # Coach counts every observation that is acted on
        epsilon = self.agent.exploration_policy.get_control_param()
        self._step_and_store(self.greedy.act(epsilon, lambda: self.best_actions(self.observations)))

    def _step_and_store(self, actions: np.ndarray) -> None:
        observations = self.observations
        step = self.step(actions)
        goes_on = ~step.dones | step.truncated  # a time limit says nothing about the state in which it ends an episode
        self.replay.add(observations, step.final_observations, actions, step.rewards, goes_on)
        self.greedy.held.drop(step.dones)

    def _train(self) -> None:
        agent, batch_size = self.agent, self.agent.ap.network_wrappers["main"].batch_size
        gradient_steps = agent.ap.algorithm.num_consecutive_training_steps
        states, next_states, *rest = self.replay.sample(gradient_steps * batch_size, self.random)
        columns = [self.normalize(states), self.normalize(next_states), *rest]  # of all gradient steps at once
        for index in range(gradient_steps):
            self.check_stop_late()
            rows = slice(index * batch_size, (index + 1) * batch_size)
            agent.training_iteration += 1
            loss, predicted = self.learner.gradient_step([column[rows] for column in columns])
            agent.loss.add_sample(loss)
            agent.q_values.add_sample(predicted)
            agent.curr_learning_rate.add_sample(self.learner.optimizer.learning_rate)
            if agent._should_update_online_weights_to_target():
                self.learner.update_target(agent.ap.algorithm.rate_for_copying_weights_to_target)

    def _end_episode(self, index: int) -> None:
        super()._end_episode(index)
        self.keep_losses()
