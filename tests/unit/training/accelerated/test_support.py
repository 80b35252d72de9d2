"""What the fast path does not implement runs on stock Coach."""

import pytest
from graphs import make_graph
from jobs import DQN, PPO


@pytest.mark.parametrize(
    ("preset", "changes", "reason"),
    [
        (PPO, {}, None),
        (PPO, {"agent_params__network_wrappers__main__clip_gradients": 40.0}, "clip_gradients is set"),
        (PPO, {"agent_params__network_wrappers__main__optimizer_type": "RMSProp"}, "the optimizer is RMSProp"),
        (PPO, {"agent_params__network_wrappers__main__l2_regularization": 0.1}, "l2_regularization is set"),
        (PPO, {"agent_params__algorithm__policy_gradient_rescaler": "a_value"}, "policy_gradient_rescaler is"),
        (
            PPO,
            {"agent_params__algorithm__estimate_state_value_using_gae": 0},
            "estimate_state_value_using_gae is False",
        ),
        (PPO, {"agent_params__algorithm__num_consecutive_training_steps": 2}, "num_consecutive_training_steps is 2"),
        (PPO, {"agent_params__exploration__evaluation_noise_percentage": 0.1}, None),
        (PPO, {"env_params__frame_skip": 5}, None),
        (PPO, {"env_params__random_initialization_steps": 3}, "random_initialization_steps is 3"),
        (PPO, {"env_params__max_over_num_frames": 2}, "max_over_num_frames is 2"),
        (PPO, {"improve_steps:EnvironmentEpisodes": 5}, None),
        (DQN, {}, None),
        (DQN, {"agent_params__exploration__evaluation_epsilon": 0.05}, None),
        (DQN, {"agent_params__algorithm__act_for_full_episodes": 1}, "act_for_full_episodes is True"),
        (
            DQN,
            {"agent_params__memory__allow_duplicates_in_batch_sampling": 0},
            "allow_duplicates_in_batch_sampling is False",
        ),
        (
            DQN,
            {"agent_params__algorithm__num_consecutive_playing_steps:EnvironmentEpisodes": 1},
            "num_consecutive_playing_steps is EnvironmentEpisodes",
        ),
    ],
)
def test_an_option_that_the_fast_path_lacks_goes_to_stock_coach(tmp_path, preset, changes, reason):
    from sagemaker_rl.training.accelerated.support import reason_for_stock

    answer = reason_for_stock(make_graph(tmp_path, preset, **changes))
    assert answer is None if reason is None else reason in answer
