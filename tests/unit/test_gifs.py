"""Which episodes become a GIF."""

from sagemaker_rl.coach import repairs

repairs.apply()


def test_some_evaluations_are_recorded():
    from sagemaker_rl.gifs import FirstEpisodeOfEvaluation

    video_filter = FirstEpisodeOfEvaluation(every=3)
    assert [video_filter.begin_evaluation() for _ in range(7)] == [True, False, True, False, False, True, False]
    video_filter = FirstEpisodeOfEvaluation()
    assert [video_filter.begin_evaluation() for _ in range(4)] == [True] * 4


def test_coach_asks_step_by_step():
    from rl_coach.core_types import RunPhase
    from sagemaker_rl.gifs import FirstEpisodeOfEvaluation

    video_filter = FirstEpisodeOfEvaluation(every=2)
    answers = []
    for _ in range(3):
        assert not video_filter.should_dump(_phase=RunPhase.TRAIN)
        for _ in range(2):  # episodes
            answers.append(
                (video_filter.should_dump(_phase=RunPhase.TEST), video_filter.should_dump(True, _phase=RunPhase.TEST))
            )
    assert answers == [(True, True), (False, False)] * 2 + [(False, False)] * 2
    at_once = FirstEpisodeOfEvaluation(every=2)  # with no training before it
    assert [at_once.should_dump(ended, _phase=RunPhase.TEST) for ended in (False, True, False)] == [True, True, False]
    assert at_once.evaluations == 1
