"""Coach's video filters on the fast path, which records the first episode of an evaluation and no other."""

from typing import Any

from rl_coach.core_types import (
    AlwaysDumpFilter,
    EveryNEpisodesDumpFilter,
    MaxDumpFilter,
    RunPhase,
    SelectedPhaseOnlyDumpFilter,
)
from rl_coach.utils import force_list

from sagemaker_rl.gifs import FirstEpisodeOfEvaluation
from sagemaker_rl.job import outputs
from sagemaker_rl.training.state_file import State

KNOWN = (
    AlwaysDumpFilter,
    EveryNEpisodesDumpFilter,
    FirstEpisodeOfEvaluation,
    MaxDumpFilter,
    SelectedPhaseOnlyDumpFilter,
)
"""Filters that ask no more of the environment than the phase, and an episode's number and return."""


class VideoFilters:
    """The filters of a preset, asked about the first episode of each evaluation, in Coach's order.

    A filter that compares episodes (MaxDumpFilter, EveryNEpisodesDumpFilter) compares those; the log says so.
    """

    def __init__(self, visualization: Any) -> None:
        """Take the filters.

        Args:
            visualization: Coach's VisualizationParameters, of which ``unsupported`` has nothing to say.
        """
        self._visualization = visualization
        self._filters = force_list(visualization.video_dump_filters or [])
        if visualization.dump_gifs and [type(f) for f in self._filters] != [FirstEpisodeOfEvaluation]:
            outputs.metric_line("GIFs", GIFs="the first episode of an evaluation, where the video filters keep it")

    @staticmethod
    def unsupported(visualization: Any) -> str | None:
        """Return what the filters ask for and the fast path does not have; None if nothing."""
        if not visualization.dump_gifs:
            return None
        filters = force_list(visualization.video_dump_filters or [])
        for video_filter in filters:
            if type(video_filter) not in KNOWN:
                return f"the video filter is {type(video_filter).__name__}"
        if not any(_keeps_evaluations_alone(video_filter) for video_filter in filters):
            return "the video filters keep episodes of training, too"
        return None

    def state(self) -> State:
        """Return what the filters remember of earlier episodes."""
        return {
            "filters": [
                {name: value for name, value in vars(each).items() if isinstance(value, bool | int | float)}
                for each in self._filters
            ]
        }

    def restore(self, state: State) -> None:
        """Give the filters what ``state`` returned."""
        for each, remembered in zip(self._filters, state["filters"], strict=True):
            vars(each).update(remembered)

    def begin_evaluation(self, episode: int) -> bool:
        """Return whether the first episode of an evaluation is to be recorded.

        Args:
            episode: its number in the run, from 0.
        """
        if not self._visualization.dump_gifs:
            return False
        for video_filter in self._filters:
            _ask(video_filter, RunPhase.TRAIN, episode, 0.0, False)  # as Coach does between two evaluations
        return all(_ask(video_filter, RunPhase.TEST, episode, 0.0, False) for video_filter in self._filters)

    def keep(self, episode: int, episode_return: float) -> bool:
        """Return whether a recorded episode becomes a GIF.

        Args:
            episode: as ``begin_evaluation`` got it.
            episode_return: undiscounted.
        """
        return all(_ask(video_filter, RunPhase.TEST, episode, episode_return, True) for video_filter in self._filters)


def _keeps_evaluations_alone(video_filter: Any) -> bool:
    if isinstance(video_filter, SelectedPhaseOnlyDumpFilter):
        return set(video_filter.run_phases) <= {RunPhase.TEST}
    return isinstance(video_filter, FirstEpisodeOfEvaluation)


def _ask(video_filter: Any, phase: RunPhase, episode: int, episode_return: float, has_ended: bool) -> bool:
    """Ask a filter with the attributes of Coach's Environment that the known ones read."""
    return bool(
        video_filter.should_dump(
            episode_terminated=has_ended,
            _phase=phase,
            episode_idx=episode,
            total_reward_in_current_episode=episode_return,
        )
    )
