"""Which episodes become a GIF."""

from typing import Any

from rl_coach.core_types import RunPhase, VideoDumpFilter


class FirstEpisodeOfEvaluation(VideoDumpFilter):
    """Coach's video filter that keeps the first episode of an evaluation: one GIF, however many episodes.

    ``every`` leaves out evaluations: with 5 it is the first evaluation, the fifth, the tenth, and so on.
    """

    def __init__(self, every: int = 1) -> None:
        self.every = every
        self.evaluations = 0
        self.keeping: bool | None = None
        """Whether the evaluation's current episode is kept; None between two evaluations."""

    def begin_evaluation(self) -> bool:
        """Count an evaluation; return whether its first episode is kept."""
        self.evaluations += 1
        return self.evaluations == 1 or self.evaluations % self.every == 0

    def should_dump(self, episode_terminated: bool = False, **environment: Any) -> bool:
        """Tell whether the current step, or with ``episode_terminated`` the whole episode, is kept.

        ``environment`` holds the attributes of Coach's Environment.
        """
        if environment["_phase"] != RunPhase.TEST:
            self.keeping = None
            return False
        if self.keeping is None:
            self.keeping = self.begin_evaluation()
        keep = self.keeping
        if episode_terminated:
            self.keeping = False
        return keep
