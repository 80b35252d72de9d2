"""Coach's video filters, as the fast path asks them, and as stock Coach does."""

from types import SimpleNamespace

import pytest
from sagemaker_rl.coach import repairs

repairs.apply()


def visualization(names, dump_gifs=True):
    """Return VisualizationParameters with filters, as in ``AlwaysDumpFilter()``, written in a preset."""
    from rl_coach import core_types
    from rl_coach.base_parameters import VisualizationParameters
    from sagemaker_rl.gifs import FirstEpisodeOfEvaluation

    class Own(core_types.VideoDumpFilter):
        pass

    known = {**vars(core_types), "FirstEpisodeOfEvaluation": FirstEpisodeOfEvaluation, "Own": Own}
    parameters = VisualizationParameters(dump_gifs=dump_gifs)
    if names != "default":
        parameters.video_dump_filters = eval(names, known)  # of this file
    return parameters


TEST = "SelectedPhaseOnlyDumpFilter(RunPhase.TEST)"
TRAINING_TOO = "the video filters keep episodes of training, too"


@pytest.mark.parametrize(
    ("names", "reason"),
    [
        ("default", None),
        ("[FirstEpisodeOfEvaluation(every=5)]", None),
        (f"[AlwaysDumpFilter(), {TEST}]", None),
        (f"[{TEST}, EveryNEpisodesDumpFilter(5)]", None),
        (TEST, None),
        ("[SelectedPhaseOnlyDumpFilter([RunPhase.TEST])]", None),
        ("[SelectedPhaseOnlyDumpFilter([RunPhase.TRAIN, RunPhase.TEST])]", TRAINING_TOO),
        ("[AlwaysDumpFilter()]", TRAINING_TOO),
        ("[MaxDumpFilter()]", TRAINING_TOO),
        ("[]", TRAINING_TOO),
        (f"[{TEST}, Own()]", "the video filter is Own"),
    ],
)
def test_what_keeps_episodes_of_training_is_stock_coachs(names, reason):
    from sagemaker_rl.training.accelerated.video_filters import VideoFilters

    assert VideoFilters.unsupported(visualization(names)) == reason
    assert VideoFilters.unsupported(visualization(names, dump_gifs=False)) is None


EVALUATIONS = [(9, 1.0), (19, 3.0), (29, 2.0), (39, 3.0), (49, 5.0)]
"""Number and return of the first episode of each."""


@pytest.mark.parametrize(
    ("names", "kept"),
    [
        ("default", [9, 19, 49]),  # a new maximum
        (f"[{TEST}]", [9, 19, 29, 39, 49]),
        (f"[{TEST}, EveryNEpisodesDumpFilter(15)]", [19, 39]),
        ("[FirstEpisodeOfEvaluation(every=2)]", [9, 19, 39]),
        (f"[{TEST}, FirstEpisodeOfEvaluation()]", [9, 19, 29, 39, 49]),
    ],
)
def test_filters_are_asked_about_the_first_episode_of_each_evaluation(names, kept):
    from sagemaker_rl.training.accelerated.video_filters import VideoFilters

    filters = VideoFilters(visualization(names))
    answers = [
        episode for episode, score in EVALUATIONS if filters.begin_evaluation(episode) and filters.keep(episode, score)
    ]
    assert answers == kept


def test_without_gifs_nothing_is_recorded(capsys):
    from sagemaker_rl.training.accelerated.video_filters import VideoFilters

    parameters = visualization("default")
    filters = VideoFilters(parameters)
    assert capsys.readouterr().out.startswith("GIFs> GIFs=the first episode of an evaluation, where the video")
    parameters.dump_gifs = False  # as where render() fails
    assert not filters.begin_evaluation(0)
    VideoFilters(parameters)
    VideoFilters(visualization("[FirstEpisodeOfEvaluation()]"))
    assert not capsys.readouterr().out


@pytest.mark.parametrize(("every", "kept"), [(1, [0, 1, 2, 3, 4, 5, 6, 7]), (3, [2, 5]), (4, [3, 7])])
def test_stock_coach_keeps_one_episode_of_n(every, kept):
    from rl_coach.core_types import EveryNEpisodesDumpFilter
    from rl_coach.environments.environment import Environment

    asks = Environment.should_dump_video_of_the_current_episode
    environment = SimpleNamespace(
        visualization_parameters=visualization("[]"), last_episode_images=[], _phase=None, episode_idx=0
    )
    environment.visualization_parameters.video_dump_filters = EveryNEpisodesDumpFilter(every)
    answers = []
    for environment.episode_idx in range(8):
        for _ in range(3):
            asks(environment, episode_terminated=False)
        if asks(environment, episode_terminated=True):
            answers.append(environment.episode_idx)
    assert answers == kept
