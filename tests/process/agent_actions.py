"""Print what the trained agent does: run as a program, since Coach names parameters by how many networks came before.

Usage: agent_actions.py PRESET CHECKPOINT_FOLDER OBSERVATIONS.npy ACTIONS.npy [one-episode]

Each observation is the first of an episode, or with ``one-episode`` follows the one before.
"""

import sys
from pathlib import Path

import numpy as np
from sagemaker_rl.coach.graph import create_graph
from sagemaker_rl.coach.presets import find_preset, import_preset
from sagemaker_rl.job.ml_paths import MLPaths
from sagemaker_rl.training import checkpoints


def main(preset: str, checkpoint: str, observations_file: str, actions_file: str, episodes: str = "") -> None:
    graph_manager = import_preset(find_preset(preset, MLPaths(Path(checkpoint))))
    create_graph(graph_manager, Path(actions_file).parent, seed=0, evaluate_only=1)
    checkpoints.restore(graph_manager, Path(checkpoint), preset)
    from rl_coach.core_types import EnvResponse, RunPhase

    agent = graph_manager.level_managers[0].acting_agent()
    space = graph_manager.environments[0].action_space
    actions = []
    with graph_manager.phase_context(RunPhase.TEST):
        for index, observation in enumerate(np.load(observations_file)):
            if index == 0 or not episodes:
                agent.reset_internal_state()
            agent.observe(EnvResponse(next_state={"observation": observation}, reward=0, game_over=False))
            actions.append(np.atleast_1d(space.clip_action_to_space(agent.act().action)))
        agent.num_evaluation_episodes_completed = 1
    np.save(actions_file, np.array(actions))


if __name__ == "__main__":
    main(*sys.argv[1:])
