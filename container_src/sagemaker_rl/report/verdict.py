"""The page's first sentences: did it fail, did it learn, how good is it."""

from typing import Any

import numpy as np

from sagemaker_rl.report.cars import PATIENCE
from sagemaker_rl.report.coach_csv import EVALUATION_REWARD
from sagemaker_rl.report.formatting import format_number, format_percent
from sagemaker_rl.report.optimum import find_optimum
from sagemaker_rl.report.run import Run

LEARNED_SHARE = 0.5
"""A run is said to have learned from this share on of the way from the first evaluation to the best known return.

A car that learns no more than to stand still goes an eighth of it.
"""
CLOSE_SHARE = 0.1
"""A policy is said to be within a regret that is at most this share of the best known return."""


def verdict(run: Run) -> list[str]:
    """Return what a reader wants to know first, a sentence each."""
    sentences = []
    if run.failure:
        sentences.append(f"The job failed: {run.failure}")
    if not run.is_evaluation:
        sentences += _sentences_on_learning(run)
    if run.evaluation:
        mean, std = (_format_json_number(run.evaluation.get(name)) for name in ("mean_return", "std_return"))
        episodes = run.evaluation.get("episodes", "?")
        sentences.append(f"This evaluation: mean return {mean}, standard deviation {std}, {episodes} episodes.")
    return sentences + _sentences_on_trial(run)


def _format_json_number(value: Any) -> str:
    return format_number(value) if isinstance(value, int | float) else "not a number"


def _sentences_on_learning(run: Run) -> list[str]:
    evaluations = run.series(EVALUATION_REWARD).values
    sentences = []
    if len(evaluations) > 1:
        sentences += _sentences_on_improvement(run, evaluations)
    elif len(evaluations) == 1:
        begin = "There was one evaluation" if run.has_ended else "One evaluation so far"
        sentences.append(f"{begin}: {format_number(evaluations[0])}.")
    elif not run.lost_evaluations:
        sentences.append("There was no evaluation." if run.has_ended else "There is no evaluation yet.")
    if run.lost_evaluations == 1:
        sentences.append("The last evaluation is no number.")
    elif run.lost_evaluations:
        sentences.append(f"The last {run.lost_evaluations} evaluations are no numbers.")
    return sentences


def _sentences_on_improvement(run: Run, evaluations: np.ndarray) -> list[str]:
    """Compare the first evaluation with the best, and, where it is known, with the best known return."""
    first, best, last = float(evaluations[0]), float(evaluations.max()), float(evaluations[-1])
    if best <= first:
        return [f"It did not get better than its first evaluation, {format_number(first)}."]
    change = f"from {format_number(first)} in the first evaluation to {format_number(best)}"
    without_judgement = f"The evaluation reward went {change} at best, {format_number(last)} at the end."
    optimum = find_optimum(run.environment)
    if optimum is None or optimum.mean <= first:
        return [without_judgement]
    share = (best - first) / (optimum.mean - first)
    if share >= LEARNED_SHARE:
        way = f"{format_percent(share)} of the way to the best known {optimum.mean:.2f}"
        return [f"It learned: {change} in the best, {way}."]
    way = f"{format_percent(share)} of the way from the first to the best known {optimum.mean:.2f}"
    learned = f"the {format_percent(LEARNED_SHARE)} that are called learned here"
    return [without_judgement, f"That is {way}, less than {learned}."]


def _sentences_on_trial(run: Run) -> list[str]:
    """Compare the returns of the unseen starts with the best known ones."""
    if run.trial is None:
        return []
    returns = run.trial.returns
    if not np.isfinite(returns).all():
        return [f"On {len(returns)} unseen starts its returns are not all finite numbers."]
    mean = f"On {len(returns)} unseen starts its mean return is {format_number(returns.mean())}"
    worst = f"The worst is {format_number(returns.min())}."
    best, regret = run.best_known, run.regret
    if best is None or regret is None:
        sentences = [f"{mean}. {worst}"]
    elif regret <= 0:
        sentences = [f"{mean}, as good as the best known {format_number(best)}."]
    elif regret <= CLOSE_SHARE * abs(best):
        sentences = [f"{mean}: within {regret:.2f} of the best known {format_number(best)}. {worst}"]
    else:
        sentences = [f"{mean}: {regret:.2f} below the best known {format_number(best)}. {worst}"]
    if run.timeouts:
        share = f"{run.timeouts} of the {len(returns)}"
        sentences.append(f"{share} never reached the flag: their episodes ended after {PATIENCE:,} steps.")
    return sentences
