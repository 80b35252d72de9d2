"""Measures points of the scale, in this process or in the ranks that mpirun has started: ``rollout.py POINTS``.

POINTS is a JSON list of objects with ``kind`` (burning, sleeping, policy, message, gradient or evaluation) and what
that kind takes. All are measured in one start of the program, since sixteen ranks take twenty seconds to begin on two
cores. The first rank prints an event for each.
"""

import contextlib
import json
import os
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from events import emit

SECONDS = 0.6
"""Of each of the REPEATS; the median counts."""
REPEATS = 3
LEAST_STEPS = 3
"""Of the batch of copies, in each repeat."""
WARM_UP_STEPS = 3
POLICY_STEPS = 100
"""Of which an episode ends with one, and is counted and logged."""
POLICY_REPEATS = 7


def main() -> None:
    """Measure what the first argument names, one after the other."""
    from sagemaker_rl.coach.presets import prepare_environment
    from sagemaker_rl.job import ranks

    prepare_environment()
    job = ranks.of_this_job()
    if job.rank:  # as in a job: one rank speaks
        with open(os.devnull, "wb") as nothing:
            os.dup2(nothing.fileno(), 1)
    measures: dict[str, Callable[..., dict[str, float]]] = {
        "policy": policy,
        "message": message,
        "gradient": gradient,
        "evaluation": evaluation,
    }
    for point in json.loads(sys.argv[1]):
        figures = measures.get(point["kind"], rollout)(job, **point)
        emit("point", **point, ranks=job.size, **figures)


def rollout(job: Any, kind: str, milliseconds: float, copies: int, processes: int = 1) -> dict[str, float]:
    """Return steps per second of a batch of copies, acting without learning, and what the ranks' messages take.

    Returns:
        ``steps_per_second``; of the time of a step, as a mean of all ranks: ``communication`` (the share within
        messages, waiting included), and, from a pass of its own with a barrier before each message, ``waiting`` (the
        share at the barrier, for the slowest rank) and ``message`` (the share after it); ``straggler``, the seconds
        between the mean rank's arrival at the barrier and the last one's.
    """
    run = begin(job, copies, milliseconds, kind == "burning", processes)
    for _ in range(WARM_UP_STEPS):
        run.play_and_learn()
    started = time.perf_counter()
    for _ in range(LEAST_STEPS):
        run.play_and_learn()
    seconds = (time.perf_counter() - started) / LEAST_STEPS
    steps = job.decide(max(LEAST_STEPS, round(SECONDS / seconds)))
    plain = [timed_steps(job, run, steps, with_barrier=False) for _ in range(REPEATS)]
    seconds = statistics.median(timed["seconds"] for timed in plain)
    figures = {"steps_per_second": copies / seconds}
    if job.size > 1:
        split = timed_steps(job, run, steps, with_barrier=True)
        communication = statistics.median(timed["communication"] for timed in plain)
        figures |= {"communication": communication / seconds, "straggler": split["straggler"]}
        figures |= {name: split[name] / split["seconds"] for name in ("waiting", "message")}
    run.close()
    return figures


def timed_steps(job: Any, run: Any, steps: int, with_barrier: bool) -> dict[str, float]:
    """Take steps together; return seconds of a step: in all, in messages, at barriers, and those of the straggler."""
    job.any_of(False)  # all begin at once
    with messages_of(job, with_barrier) as arrivals:
        started = time.perf_counter()
        for _ in range(steps):
            run.play_and_learn()
        seconds = time.perf_counter() - started
    import numpy as np  # late: the environment is prepared by then

    arrived, passed, told = np.array(arrivals or [(0.0, 0.0, 0.0)]).T
    # Clocks of ranks on different hosts differ: what is compared is how long each has worked since the last message.
    worked = np.array(job.gather(arrived[1:] - told[:-1]))
    waiting, message = (np.mean(job.gather(float(part.sum()))) for part in (passed - arrived, told - passed))
    return {
        "seconds": seconds / steps,
        "communication": (waiting + message) / steps,
        "waiting": waiting / steps,
        "message": message / steps,
        "straggler": float((worked.max(axis=0) - worked.mean(axis=0)).sum()) / steps if worked.size else 0.0,
    }


@contextlib.contextmanager
def messages_of(job: Any, with_barrier: bool) -> Iterator[list[tuple[float, float, float]]]:
    """Note of every message when this rank arrives, when all have, and when it has been told, in seconds.

    Without a barrier nobody knows when all have arrived: the second time is the first.
    """
    times: list[tuple[float, float, float]] = []
    barrier = job._communicator.Barrier if with_barrier and job.size > 1 else lambda: None

    def timed(method: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any) -> Any:
            arrived = time.perf_counter()
            barrier()
            passed = time.perf_counter() if with_barrier else arrived
            result = method(*arguments)
            times.append((arrived, passed, time.perf_counter()))
            return result

        return call

    own = {name: timed(getattr(job, name)) for name in ("rows", "gather")}
    for name, method in own.items():
        setattr(job, name, method)
    try:
        yield times
    finally:
        for name in own:
            delattr(job, name)


def policy(job: Any, kind: str, copies: int) -> dict[str, float]:
    """Return the seconds of a step of all copies that are not spent in the environments: policy and bookkeeping."""
    run = begin(job, copies, milliseconds=0.0, burning=True, processes=1)
    step, inside = run.envs.step, [0.0]

    def timed_step(actions: Any) -> Any:
        started = time.perf_counter()
        result = step(actions)
        inside[0] += time.perf_counter() - started
        return result

    run.envs.step = timed_step
    run.play_and_learn()
    shares = []
    for _ in range(POLICY_REPEATS):
        inside[0], started = 0.0, time.perf_counter()
        for _ in range(POLICY_STEPS):
            run.play_and_learn()
        shares.append((time.perf_counter() - started - inside[0]) / POLICY_STEPS)
    run.close()
    return {"seconds": statistics.median(shares)}


def message(job: Any, kind: str, bytes: int) -> dict[str, float]:
    """Return the seconds of a message that every rank gets from all, of so many bytes together."""
    import numpy as np

    lengths = [len(job.share(bytes, rank)) for rank in range(job.size)]
    part = np.zeros(lengths[job.rank], np.uint8)
    return {"seconds": repeated(job, lambda: job.rows(part, lengths))}


def gradient(job: Any, kind: str, rows: int) -> dict[str, float]:
    """Return the seconds of a gradient step with so many rows."""
    import numpy as np

    run = begin(job, copies=1, milliseconds=0.0, burning=True, processes=1)
    run.learner.batch_size = rows  # by which it begins as many processes as there are blocks
    random = np.random.default_rng(0)
    columns = [
        random.normal(size=(rows, 4)).astype(np.float32),
        random.integers(2, size=rows),
        *(random.normal(size=rows).astype(np.float32) * 0.01 - 0.7 for _ in range(3)),
    ]
    indices = random.permutation(rows)
    seconds = repeated(job, lambda: run.learner.gradient_step(columns, indices))
    run.close()
    return {"seconds": seconds}


def evaluation(job: Any, kind: str, milliseconds: float, episodes: int) -> dict[str, float]:
    """Return the seconds of an evaluation of so many episodes of sleeping steps."""
    run = begin(job, copies=1, milliseconds=milliseconds, burning=False, processes=1)
    seconds = repeated(job, lambda: run.evaluator.play(episodes, same_starts=True), least=1)
    run.close()
    return {"seconds": seconds}


def repeated(job: Any, act: Callable[[], Any], least: int = 10) -> float:
    """Return the median seconds of what all ranks do together, in REPEATS of about SECONDS."""
    act()
    job.any_of(False)
    started = time.perf_counter()
    for _ in range(least):
        act()
    times = job.decide(max(least, round(SECONDS * least / (time.perf_counter() - started))))
    medians = []
    for _ in range(REPEATS):
        job.any_of(False)
        started = time.perf_counter()
        for _ in range(times):
            act()
        medians.append((time.perf_counter() - started) / times)
    return statistics.median(medians)


def begin(job: Any, copies: int, milliseconds: float, burning: bool, processes: int) -> Any:
    """Return a PPORun that never trains by itself, with copies of the slow environment."""
    from sagemaker_rl.coach.graph import create_graph
    from sagemaker_rl.coach.presets import import_preset

    graph_manager = import_preset(Path(__file__).parent / "preset-slow.py")
    from rl_coach.core_types import EnvironmentSteps, RunPhase
    from sagemaker_rl.training.accelerated.ppo import PPORun

    graph_manager.env_params.additional_simulator_parameters = {"milliseconds": milliseconds, "burning": burning}
    graph_manager.agent_params.algorithm.num_consecutive_playing_steps = EnvironmentSteps(2**23)
    create_graph(graph_manager, Path.cwd(), seed=0)
    run = PPORun(graph_manager, copies, 0, lambda: None, processes, job)
    graph_manager.phase = RunPhase.TRAIN
    return run


if __name__ == "__main__":
    main()
