"""The learner of clipped PPO (https://arxiv.org/abs/1707.06347): Coach's gradients and its optimizer's steps."""

from collections.abc import Callable
from typing import Any

import mxnet as mx
import numpy as np
from rl_coach.spaces import DiscreteActionSpace

from sagemaker_rl import cores
from sagemaker_rl.job.ranks import Ranks
from sagemaker_rl.training.accelerated.gradient_processes import GradientProcesses
from sagemaker_rl.training.accelerated.network import INPUT, DenseNetwork, GradientPass, NetworkGraph, to_mxnet
from sagemaker_rl.training.accelerated.optimizer import adam_for
from sagemaker_rl.training.accelerated.ppo_loss import LOSSES, Loss, StepResult, log_probs_and_entropy
from sagemaker_rl.training.accelerated.threads import Threads

ROWS = 4_096
"""How many rows are computed at a time: what a layer gives for them stays in a core's cache.

A batch is cut into such blocks, and their gradients are summed in the blocks' order, however many cores there are: the
weights are the same bit for bit.
"""
INPUTS = (INPUT, "actions", "old_log_probs", "advantages", "value_targets")
"""Of a gradient step: normalized states ``(batch, *shape)``, actions ``(batch, *shape)``, and ``(batch,)`` each."""


class PPOLearner:
    """Trains the network of a Coach ClippedPPOAgent as Coach does, in NumPy where that knows the network."""

    def __init__(
        self, agent: Any, random: np.random.Generator, in_numpy: bool = True, ranks: Ranks | None = None
    ) -> None:
        self.agent = agent
        self._ranks = ranks or Ranks()
        self.random = random
        self.algorithm = agent.ap.algorithm
        self.discrete = isinstance(agent.spaces.action, DiscreteActionSpace)
        self.batch_size = agent.ap.network_wrappers["main"].batch_size
        self.network = agent.networks["main"].online_network
        self.graph = NetworkGraph(self.network.model)
        self.dense = DenseNetwork.of(self.graph) if in_numpy else None
        self.optimizer = adam_for(self.network, self.dense)
        self._threads = Threads(cores.count())
        self._pass = GradientPass(self.dense, np.empty_like(self.dense.gradients)) if self.dense else None
        self._processes: GradientProcesses | None = None
        self._columns: list[np.ndarray] | None = None  # that the processes have
        self._fused: tuple[Loss, Any] | None = None

    def policy(self) -> Callable[[np.ndarray], list[np.ndarray]]:
        """Return a function from normalized states to the policy's parameters ``(batch, actions)``.

        For a continuous action mean and standard deviation, for a discrete one the probabilities.
        """
        if self.dense:
            return self.dense.function(range(1, len(self.graph.symbol)))
        return lambda states: self.heads(states)[1:]

    def heads(self, states: np.ndarray) -> list[np.ndarray]:
        """Return V ``(batch,)`` and the policy's parameters ``(batch, actions)`` for normalized states."""
        if self.dense:
            heads = self.dense.function(range(len(self.graph.symbol)))
            parts = blocks(len(states))
            share = self._ranks.share(len(parts)) if len(parts) >= self._ranks.size else range(len(parts))
            pieces = self._threads.map(lambda block: heads(states[block]), [parts[index] for index in share])
            value, *policy = (np.concatenate(head) for head in zip(*pieces, strict=True))
            if len(share) < len(parts):
                gathered = self._ranks.gather([value, *policy])
                value, *policy = (np.concatenate(head) for head in zip(*gathered, strict=True))
        else:
            value, *policy = (output.asnumpy() for output in self.network.model(to_mxnet(states)))
        return [value.reshape(-1), *policy]

    def gradient_step(self, columns: list[np.ndarray], rows: np.ndarray | None = None) -> StepResult:
        """Compute gradients on a batch and take one step of Coach's optimizer; see ``compute_gradients``."""
        result = self.compute_gradients(columns, rows)
        self.optimizer.step()
        return result

    def compute_gradients(self, columns: list[np.ndarray], rows: np.ndarray | None = None) -> StepResult:
        """Compute the gradients that the optimizer's next step takes.

        Args:
            columns: of a data set, see INPUTS; the same list has the same data.
            rows: the indices of those that are the batch; None for all.
        """
        loss = self._loss()
        if rows is None:
            rows = np.arange(len(columns[0]))
        if self.dense:
            return self._gradients_by_blocks(loss, columns, rows)
        graph = self._fused_graph(loss)
        with mx.autograd.record():
            total, losses, ratios = graph(*(to_mxnet(column[rows]) for column in columns))
        total.backward()
        return StepResult(*losses.asnumpy().tolist(), *ratios.asnumpy())

    def _gradients_by_blocks(self, loss: Loss, columns: list[np.ndarray], rows: np.ndarray) -> StepResult:
        """Write into the network's ``gradients`` the sum of those of the blocks, computed on all cores of all ranks.

        A batch of one block is computed by every rank.
        """
        assert self.dense is not None
        parts = blocks(len(rows))
        share = self._ranks.share(len(parts)) if len(parts) > 1 else range(1)
        gradients, results = self._processes_for(columns).compute(loss, rows, [parts[index] for index in share])
        if len(share) < len(parts):
            gathered = self._ranks.gather((gradients, results))
            gradients = np.concatenate([each for each, _ in gathered])
            results = [result for _, each in gathered for result in each]
        np.sum(gradients, axis=0, out=self.dense.gradients)
        return StepResult.sum(results)

    def _processes_for(self, columns: list[np.ndarray]) -> GradientProcesses:
        """Return the processes, which have the data set."""
        if columns is self._columns and self._processes:
            return self._processes
        if self._processes is None or not self._processes.fits(columns):
            self.close()
            count = min(cores.count(), len(blocks(self.batch_size)))
            assert self.dense is not None
            self._processes = GradientProcesses(count, columns, self.dense.weights, ROWS, self._compute_block)
        self._processes.take(columns)
        self._columns = columns
        return self._processes

    def _compute_block(
        self, loss: Loss, columns: list[np.ndarray], batch_size: int, gradients: np.ndarray
    ) -> StepResult:
        assert self._pass is not None
        result, head_gradients = loss.gradients(self._pass.forward(columns[0]), *columns[1:], batch_size=batch_size)
        self._pass.backward(head_gradients)
        gradients[...] = self._pass.gradients
        return result

    def close(self) -> None:
        """End the processes that compute gradients."""
        if self._processes:
            self._processes.close()
        self._processes = self._columns = None

    def _loss(self) -> Loss:
        """Return the loss with what is left of the clipping range by now."""
        epsilon = self.algorithm.clip_likelihood_ratio_using_epsilon
        value_weight, policy_weight = (head.loss_weight for head in self.network.model.output_heads)
        return Loss(
            discrete=self.discrete,
            epsilon=None if epsilon is None else epsilon * float(self.algorithm.clipping_decay_schedule.current_value),
            beta=self.algorithm.beta_entropy,
            value_weight=value_weight,
            policy_weight=policy_weight,
        )

    def _fused_graph(self, loss: Loss) -> Any:
        """Return network and loss as one hybridized MXNet graph."""
        if self._fused is None or self._fused[0] != loss:
            inputs = [mx.sym.var(name) for name in INPUTS]
            outputs = mx.sym.Group(loss.graph(mx.sym, list(self.graph.symbol), *inputs[1:]))
            block = mx.gluon.SymbolBlock(outputs, inputs, params=self.network.model.collect_params())
            block.hybridize(static_alloc=True, static_shape=True)
            self._fused = (loss, block)
        return self._fused[1]

    def train(
        self,
        states: np.ndarray,
        policy: list[np.ndarray],
        actions: np.ndarray,
        advantages: np.ndarray,
        value_targets: np.ndarray,
        check_stop: Callable[[], None],
    ) -> None:
        """Train ``optimization_epochs`` times on a data set, as ClippedPPOAgent.train_network does.

        Args:
            states: normalized, float32 ``(steps, *shape)``.
            policy: its parameters for these states, as ``heads`` returns them.
            actions: as taken, before they were clipped to the action space.
            advantages: standardized, ``(steps,)``.
            value_targets: ``(steps,)``.
            check_stop: called before every gradient step.
        """
        if not self.discrete:
            actions = actions.astype(np.float32)
        old_log_probs, _ = log_probs_and_entropy(np, self.discrete, policy, actions)
        floats = (old_log_probs, advantages, value_targets)
        columns = [states, actions, *(column.astype(np.float32) for column in floats)]
        for epoch in range(self.algorithm.optimization_epochs):
            order = self.random.permutation(len(states))
            results = []
            for start in range(0, len(states) - self.batch_size + 1, self.batch_size):
                check_stop()
                results.append(self.gradient_step(columns, order[start : start + self.batch_size]))
            self._log(epoch, results, value_targets)
        self.publish()

    def publish(self) -> None:
        """Give Coach's own network the weights."""
        if self.dense:
            self.dense.push()

    def pull(self) -> None:
        """Take the weights from Coach's own network."""
        if self.dense:
            self.dense.pull()

    def _log(self, epoch: int, results: list[StepResult], value_targets: np.ndarray) -> None:
        """Give an epoch's numbers to the signals that Coach's agent gives them to, and print Coach's line."""
        agent = self.agent
        mean = {name: float(np.mean([getattr(result, name) for result in results])) for name in LOSSES}
        agent.loss.add_sample(mean["total_loss"])
        agent.value_loss.add_sample(mean["value_loss"])
        agent.policy_loss.add_sample(mean["policy_loss"])
        agent.curr_learning_rate.add_sample(self.optimizer.learning_rate)
        agent.value_targets.add_sample(value_targets)
        agent.likelihood_ratio.add_sample(np.concatenate([result.ratios for result in results]))
        agent.clipped_likelihood_ratio.add_sample(np.concatenate([result.clipped_ratios for result in results]))
        if epoch == self.algorithm.optimization_epochs - 1:
            agent.entropy.add_sample(mean["entropy_loss"])
            agent.kl_divergence.add_sample(0.0)  # as Coach has it without KL regularization
        print(
            f"Policy training> Surrogate loss={mean['policy_loss']}, KL divergence=[0.], "
            f"Entropy=[{mean['entropy_loss']}], training epoch={epoch}, "
            f"learning_rate={self.optimizer.learning_rate}"
        )


def blocks(rows: int) -> list[slice]:
    """Return the blocks of ROWS into which so many rows are cut, the last perhaps of fewer."""
    return [slice(start, min(start + ROWS, rows)) for start in range(0, rows, ROWS)]
