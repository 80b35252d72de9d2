"""What Coach's networks need changed on MXNet: agents that pass no fetches, missing heads, the KL penalty of PPO.

``repairs.apply`` calls ``repair_networks``. Each repair names the upstream line that it mends, and what happens without
it; paths are below ``rl_coach/architectures/mxnet_components/`` where they name no other folder.
"""

from collections.abc import Callable
from typing import Any


def repair_networks() -> None:
    """Apply every repair; MXNet and Coach can be imported by now."""
    for repair in (
        _accumulate_without_fetches,
        _build_missing_heads,
        _translate_an_activation_once,
        _name_inputs,
        _rescale_no_clipping_by_default,
        _keep_the_loss_of_a_ppo_head,
        _compute_kl_in_a_graph,
        _report_kl_without_its_weight,
        _log_ppos_decaying_learning_rate,
    ):
        repair()


def _accumulate_without_fetches() -> None:
    """Let agents leave out ``additional_fetches``, and give the targets of several heads as a tuple.

    Upstream: architecture.py:212 iterates the default, None; utils.py:122 takes a tuple for the target of one head.
    Without it: ``TypeError: 'NoneType' object is not iterable`` in the first training of NStepQ, PPO, PolicyGradients
    and ActorCritic, ``AssertionError: Data length doesn't match schema`` in that of Bootstrapped DQN.
    """
    from rl_coach.architectures.mxnet_components.architecture import MxnetArchitecture

    original = MxnetArchitecture.accumulate_gradients

    def accumulate_gradients(
        self: Any,
        inputs: Any,
        targets: Any,
        additional_fetches: Any = None,
        importance_weights: Any = None,
        no_accumulation: bool = False,
    ) -> Any:
        targets = list(targets) if isinstance(targets, tuple) else targets
        return original(self, inputs, targets, additional_fetches or [], importance_weights, no_accumulation)

    MxnetArchitecture.accumulate_gradients = accumulate_gradients


def _build_missing_heads() -> None:
    """Build the heads of heads.py.

    Upstream: general_network.py:309. Without it: ``KeyError: "Unsupported head type: <class '...'>"``.
    """
    from rl_coach.architectures.mxnet_components import general_network

    from sagemaker_rl.coach.heads import HEADS

    original = general_network._get_output_head

    def get_output_head(
        head_params: Any,
        head_idx: int,
        head_type_index: int,
        agent_params: Any,
        spaces: Any,
        network_name: str,
        is_local: bool,
    ) -> Any:
        for parameters, head in HEADS.items():
            if isinstance(head_params, parameters):
                return head(
                    agent_parameters=agent_params,
                    spaces=spaces,
                    network_name=network_name,
                    head_type_idx=head_type_index,
                    loss_weight=head_params.loss_weight,
                    is_local=is_local,
                    activation_function=head_params.activation_function,
                    dense_layer=head_params.dense_layer,
                )
        return original(head_params, head_idx, head_type_index, agent_params, spaces, network_name, is_local)

    general_network._get_output_head = get_output_head


def _translate_an_activation_once() -> None:
    """Leave the activation of a head as it is once it has MXNet's name.

    Upstream: general_network.py:338 translates a head's activation, and :267 translates the result again. Without it:
    ``AssertionError: Activation function must be one of the following`` for a head with the activation none or selu.
    """
    from rl_coach.architectures.mxnet_components import general_network

    original = general_network._get_activation

    def get_activation(name: str | None) -> str | None:
        return name if name in (None, "softrelu") else original(name)

    general_network._get_activation = get_activation


def _name_inputs() -> None:
    """Tell agents the names of a network's inputs.

    Upstream: rl_coach/agents/ppo_agent.py:226 asks TensorFlow's network for them. Without it: ``AttributeError:
    'GeneralMxnetNetwork' object has no attribute 'inputs'`` in PPO's first training.
    """
    from rl_coach.architectures.mxnet_components.architecture import MxnetArchitecture

    def inputs(self: Any) -> list[str]:
        return [embedder.embedder_name for embedder in self.model.nets[0].input_embedders]

    MxnetArchitecture.inputs = property(inputs)


def _rescale_no_clipping_by_default() -> None:
    """Let PPO leave out the factor of the clipping range, which only clipped PPO has.

    Upstream: heads/ppo_head.py:349 and :484 want it of both. Without it: ``AssertionError: agent_input length doesn't
    match schema`` in PPO's first training.
    """
    from rl_coach.architectures.mxnet_components import utils

    original = utils.get_loss_agent_inputs

    def get_loss_agent_inputs(inputs: dict[str, Any], head_type_idx: int, loss: Any) -> Any:
        wanted = loss.input_schema.agent_inputs
        given = sum(name.startswith(f"output_{head_type_idx}_") for name in inputs)
        if wanted[-1:] == ["clip_param_rescaler"] and given == len(wanted) - 1:
            inputs = {**inputs, f"output_{head_type_idx}_{given}": 1.0}
        return original(inputs, head_type_idx, loss)

    utils.get_loss_agent_inputs = get_loss_agent_inputs


def _keep_the_loss_of_a_ppo_head() -> None:
    """Let PPO read and change the weight of the KL penalty in the loss that trains.

    Upstream: heads/ppo_head.py:691 changes the loss that the last forward pass made (heads/head.py:209), not the one
    that the network trains with, and has no ``kl_coefficient`` for rl_coach/agents/ppo_agent.py:333. Without it:
    ``AttributeError: 'PPOHead' object has no attribute 'kl_coefficient'``, and a penalty that never adapts.
    """
    from rl_coach.architectures.mxnet_components.heads.ppo_head import PPOHead

    original = PPOHead.loss

    def loss(self: Any) -> Any:
        return self._loss[0] if self._loss else original(self)

    def kl_coefficient(self: Any) -> float:
        return float(loss(self).kl_coefficient.data().asscalar())  # a number: PPO changes an array in its place

    PPOHead.loss = loss
    PPOHead.kl_coefficient = property(kl_coefficient)
    PPOHead.kl_coefficient_ph = None  # TensorFlow's placeholder, which MXNet's set_variable_value ignores


def _compute_kl_in_a_graph() -> None:
    """Compute the KL divergence of two normal distributions in arrays and in symbols alike.

    Upstream: heads/ppo_head.py:164 calls ``mx.nd.batch_dot`` whatever ``F`` is. Without it: ``AssertionError: Argument
    lhs must have NDArray type`` in the first training of PPO in a box.
    """
    from rl_coach.architectures.mxnet_components.heads.ppo_head import MultivariateNormalDist

    def kl_div(self: Any, alt_dist: Any) -> Any:
        """Return ``KL(self || alt_dist)`` of shape ``(batch,)``, of covariances ``(batch, n, n)``."""
        F = self.F
        precision = F.linalg.potri(F.linalg.potrf(alt_dist.sigma))
        trace = (precision * self.sigma).sum(axis=-1).sum(axis=-1)  # of their product: both are symmetric
        distance = (alt_dist.mean - self.mean).expand_dims(-1)
        mahalanobis = F.batch_dot(F.batch_dot(distance, precision, transpose_a=True), distance).reshape_like(trace)
        return 0.5 * (trace + mahalanobis - self.num_var + self.log_det(alt_dist.sigma) - self.log_det(self.sigma))

    MultivariateNormalDist.kl_div = kl_div


def _report_kl_without_its_weight() -> None:
    """Report the KL divergence that PPO compares with its target, not the penalty for it.

    Upstream: heads/ppo_head.py:434 and :583 report ``kl_div_loss``, weighted and with the penalty for high values;
    TensorFlow's head reports the divergence. Without it: the penalty's weight shrinks whenever it is small.
    """
    from rl_coach.architectures.mxnet_components.heads import ppo_head

    discrete = ppo_head.ClippedPPOLossDiscrete.loss_forward
    continuous = ppo_head.ClippedPPOLossContinuous.loss_forward

    def reported(losses: Any, divergence: Callable[[], Any], regularized: bool) -> Any:
        if not regularized:
            return losses
        return [(divergence() if name == ppo_head.LOSS_OUT_TYPE_KL else value, name) for value, name in losses]

    # Coach finds the arguments by their names.
    def discrete_loss(
        self: Any,
        F: Any,
        new_policy_probs: Any,
        actions: Any,
        old_policy_probs: Any,
        clip_param_rescaler: Any,
        advantages: Any,
        kl_coefficient: Any,
    ) -> Any:
        def divergence() -> Any:
            old, new = (
                ppo_head.CategoricalDist(self.num_actions, probs, F=F) for probs in (old_policy_probs, new_policy_probs)
            )
            return old.kl_div(new).mean()

        losses = discrete(
            self, F, new_policy_probs, actions, old_policy_probs, clip_param_rescaler, advantages, kl_coefficient
        )
        return reported(losses, divergence, self.use_kl_regularization)

    def continuous_loss(
        self: Any,
        F: Any,
        new_policy_means: Any,
        new_policy_stds: Any,
        actions: Any,
        old_policy_means: Any,
        old_policy_stds: Any,
        clip_param_rescaler: Any,
        advantages: Any,
        kl_coefficient: Any,
    ) -> Any:
        def divergence() -> Any:
            log_ratios = F.log(new_policy_stds) - F.log(old_policy_stds)
            squares = F.square(old_policy_stds) + F.square(old_policy_means - new_policy_means)
            return (log_ratios + squares / (2 * F.square(new_policy_stds)) - 0.5).sum(axis=-1).mean()

        losses = continuous(
            self,
            F,
            new_policy_means,
            new_policy_stds,
            actions,
            old_policy_means,
            old_policy_stds,
            clip_param_rescaler,
            advantages,
            kl_coefficient,
        )
        return reported(losses, divergence, self.use_kl_regularization)

    ppo_head.ClippedPPOLossDiscrete.loss_forward = discrete_loss
    ppo_head.ClippedPPOLossContinuous.loss_forward = continuous_loss


def _log_ppos_decaying_learning_rate() -> None:
    """Let PPO log a learning rate that decays.

    Upstream: rl_coach/agents/ppo_agent.py:303 reads ``self.ap.learning_rate``, which nothing sets. Without it:
    ``AttributeError: 'PPOAgentParameters' object has no attribute 'learning_rate'`` in the first training of a PPO
    whose critic has a ``learning_rate_decay_rate``.
    """
    from rl_coach.agents.ppo_agent import PPOAgent

    original = PPOAgent.train_policy_network

    def train_policy_network(self: Any, dataset: Any, epochs: int) -> Any:
        rate = self.networks["critic"].online_network.current_learning_rate
        object.__setattr__(self.ap, "learning_rate", rate)  # Coach's parameters refuse a new name
        return original(self, dataset, epochs)

    PPOAgent.train_policy_network = train_policy_network
