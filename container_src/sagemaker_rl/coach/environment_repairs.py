"""What Coach's gym environment needs changed: a user's environment is checked, and a GIF that fails costs no job."""

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from sagemaker_rl.coach import environments, networks, written_files
from sagemaker_rl.coach.recording import RenderError, do_without_gifs, render

MAKER = "sagemaker_rl.coach.levels:make_environment"
"""As a level of Coach."""


def repair_environments() -> None:
    """Apply every repair of this module; see ``repairs.apply``."""
    _check_what_environments_give()
    _watch_what_environments_write()
    _train_on_without_pictures()
    _check_networks_before_they_are_built()


def _check_what_environments_give() -> None:
    """Let Coach's gym environment play an AgentEnv: spaces, observations and rewards are checked, actions translated.

    Upstream: environments/gym_environment.py:284, which makes an environment, resets it and takes a step before anyone
    else sees it. It is given MAKER as a class by its path, and so makes whatever a level names (coach/levels.py).
    Without it: ``gym.error.NameNotFound`` for an id of gymnasium, ``UnboundLocalError`` or ``SystemExit`` where a space
    is unknown, a Discrete space that is counted from 0 wherever it starts, and actions of another dtype or shape than
    the space's.
    """
    from rl_coach.environments.gym_environment import GymEnvironment

    init = GymEnvironment.__init__

    def init_checked(
        self: Any,
        level: Any,
        frame_skip: int,
        visualization_parameters: Any,
        *args: Any,
        additional_simulator_parameters: dict[str, Any] | None = None,
        observation_space_type: Any = None,
        **options: Any,
    ) -> None:
        self._level = str(level)
        self._parameters = additional_simulator_parameters or {}
        self._dimensions = environments.dimensions_of(observation_space_type)
        init(
            self,
            MAKER,
            frame_skip,
            visualization_parameters,
            *args,
            additional_simulator_parameters={
                "level": self._level,
                "parameters": self._parameters,
                "pictures": bool(visualization_parameters.dump_gifs),
            },
            observation_space_type=observation_space_type,
            **options,
        )

    def get(self: Any) -> Any:
        return self._checked_env

    def set_checked(self: Any, env: Any) -> None:
        self.env_id, self.additional_simulator_parameters = self._level, self._parameters
        is_checked = isinstance(getattr(env, "env", None), environments.AgentEnv)  # Coach's own wrapper, of Atari
        self._checked_env = env if is_checked else environments.AgentEnv(env, self._level, self._dimensions)

    GymEnvironment.__init__ = init_checked
    GymEnvironment.env = property(get, set_checked)


def _watch_what_environments_write() -> None:
    """Keep in ``written_files`` which files an environment has opened for writing, as it was made or since.

    Upstream: environments/gym_environment.py, which makes, resets and steps it. Without it: nobody knows before there
    are several copies, whose files would be the same.
    """
    from rl_coach.environments.gym_environment import GymEnvironment

    def watched(method: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(method)
        def watch(self: Any, *args: Any, **options: Any) -> Any:
            with written_files.watching() as paths:
                result = method(self, *args, **options)
            self.written_files = self.written_files or paths
            return result

        return watch

    GymEnvironment.written_files = []
    for name in ("__init__", "_take_action", "_restart_environment_episode"):
        setattr(GymEnvironment, name, watched(getattr(GymEnvironment, name)))


def _train_on_without_pictures() -> None:
    """Do without GIFs where ``render`` fails or draws no picture.

    Upstream: environments/gym_environment.py:520, ``self.env.render(mode='rgb_array')``. Without it: the job ends at
    its first evaluation, by a GIF that nobody needs.
    """
    from rl_coach.environments.gym_environment import GymEnvironment

    def get_rendered_image(self: Any) -> np.ndarray | None:
        try:
            return render(self.env, self.env_id)
        except RenderError as error:
            do_without_gifs(self.visualization_parameters, str(error))
            return None

    GymEnvironment.get_rendered_image = get_rendered_image


def _check_networks_before_they_are_built() -> None:
    """Refuse a network whose inputs or heads do not fit the environment's spaces in one sentence.

    Upstream: level_manager.py:148, where ``build`` has agents build their networks. Without it: ``ValueError: The key
    for the input embedder (observation) must match one of the following keys``, or ``NotImplementedError: The action
    space does not have an explicit actions list``.
    """
    from rl_coach.environments.gym_environment import GymEnvironment
    from rl_coach.level_manager import LevelManager

    build = LevelManager.build

    def build_checked(self: Any, spaces_definition: Any = None) -> None:
        if isinstance(self.environment, GymEnvironment):
            for agent in self.agents.values():
                networks.check_networks(agent, self.environment, self.environment.env_id)
        build(self, spaces_definition)

    LevelManager.build = build_checked
