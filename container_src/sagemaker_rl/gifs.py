"""Which episodes become a GIF."""

from typing import Any

from rl_coach.core_types import RunPhase, VideoDumpFilter


class FirstEpisodeOfEvaluation(VideoDumpFilter):
    """Coach's video filter that keeps the first episode of every evaluation: one GIF each, however many episodes."""

    def __init__(self) -> None:
        self.done = False

    def should_dump(self, episode_terminated: bool = False, **environment: Any) -> bool:
        """Tell whether the current step, or with ``episode_terminated`` the whole episode, is kept.

        ``environment`` holds the attributes of Coach's Environment.
        """
        if environment["_phase"] != RunPhase.TEST:
            self.done = False
            return False
        keep = not self.done
        if episode_terminated:
            self.done = True
        return keep
