"""Evaluation on the fast path: episodes of a policy, played as one batch."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from sagemaker_rl.coach.recording import Recording, RenderError
from sagemaker_rl.training.accelerated.copy_streams import CopyStreams
from sagemaker_rl.training.accelerated.vector_envs import VectorEnv


@dataclass(frozen=True)
class Episodes:
    """Episodes that were played: their undiscounted returns, all their environment steps, and the first's recording.

    ``no_pictures`` is the reason why it could not be recorded, though it was asked for; else empty.
    """

    returns: list[float]
    steps: int
    recording: Recording | None
    no_pictures: str = ""


class Evaluator:
    """Plays a policy in environments of its own; their start states and the policy's noise are streams of their own."""

    def __init__(
        self,
        make_batch: Callable[[int, int | None], VectorEnv],
        seed: int,
        policy: Callable[[int, CopyStreams], Callable[[np.ndarray], np.ndarray]],
        check_stop: Callable[[], None],
    ) -> None:
        """Prepare to play.

        Args:
            make_batch: returns so many copies of the environment, seeded.
            seed: of the start states and of the noise.
            policy: returns, for a number of environments and what noise is drawn from, the function that acts in them:
                observations ``(batch, *shape)`` to actions.
            check_stop: called in every step; may raise.
        """
        self.make_batch = make_batch
        self.seed = seed
        self.policy = policy
        self.check_stop = check_stop
        self._envs: VectorEnv | None = None
        self._noise = self._begin_noise(0)

    def play(self, episodes: int, same_starts: bool = False, record: bool = False) -> Episodes:
        """Play episodes.

        Args:
            episodes: how many.
            same_starts: whether to restart the streams of start states and noise; a number of episodes other than last
                time's restarts them in any case.
            record: whether to record the first episode.
        """
        envs = self._prepare_envs(episodes, same_starts)
        act = self.policy(episodes, self._noise)
        observations = envs.reset()
        returns = np.zeros(episodes)
        running = np.ones(episodes, dtype=bool)
        steps = 0
        recording = Recording() if record else None
        no_pictures = ""
        while running.any():
            self.check_stop()
            actions = act(observations)
            if recording is not None and running[0]:
                recording.trace.add(observations[0], envs.own_action(actions[0]))
                try:
                    if recording.count_step():
                        recording.append(envs.view(0))
                except RenderError as error:
                    recording, no_pictures = None, str(error)
            step = envs.step(actions)
            observations = step.observations
            returns += step.rewards * running
            steps += int(running.sum())
            running &= ~step.dones
        return Episodes([float(episode_return) for episode_return in returns], steps, recording, no_pictures)

    def _prepare_envs(self, episodes: int, same_starts: bool) -> VectorEnv:
        """Return an environment for each episode, new or reseeded where ``play`` asks for it."""
        if self._envs is None or self._envs.num_envs != episodes:
            self._envs = self.make_batch(episodes, self.seed)
            self._noise = self._begin_noise(episodes)
        elif same_starts:
            self._envs.seed(self.seed)
            self._noise = self._begin_noise(episodes)
        return self._envs

    def _begin_noise(self, episodes: int) -> CopyStreams:
        return CopyStreams(self.seed, range(episodes))
