"""A cost model of training in ranks: what each part of the work takes, as a sum of named terms.

Every term is a coefficient, known from how the work is shared out, times a parameter in seconds, fitted to what
``bench_scale.py`` has measured. The parameters:

========================  =============================================================================================
``copy``                  Python's part of the step of one copy of an environment: checks, wrappers, filters
``oversleep``             how much later than asked a sleeping step wakes up
``stretch``               of a second within steps, how much longer it takes: a processor wakes up from deeper sleep
                          after a longer one, and computes less where the system takes its time
``wake``                  of a sleeping step, for each worker that has no core of its own: another may be computing
``policy``                policy and bookkeeping of a step of the batch, whatever its size; every rank does it
``policy_per_copy``       the same by copy
``pipe``                  of a job that steps copies in processes: to send them all a message, and to get the answers
``pipe_of_process``       the same by process
``hop``                   the latency of a message between two ranks of a host; a gather takes log2(ranks) hops
``byte``                  of a gathered message
``switch``                of a gather, for each rank that has no core of its own: it has to get its turn
``spin``                  of a step, for the same ranks: who has finished waits on a processor that others could use
``straggler``             the standard deviation of what a step of one copy takes, from step to step and rank to rank
``gradient``              a gradient step, whatever its size; every rank does it
``gradient_per_row``      the same by row of a block
``phase``                 what follows a phase of playing but the gradient steps: advantages, checkpoint, log
========================  =============================================================================================

On a machine with fewer cores than ranks, what each rank computes takes ranks / cores times as long (``crowding``). On
hosts with a core for each rank that factor is 1.
"""

import functools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

PARAMETERS = (
    "copy",
    "oversleep",
    "stretch",
    "wake",
    "policy",
    "policy_per_copy",
    "pipe",
    "pipe_of_process",
    "hop",
    "byte",
    "switch",
    "spin",
    "straggler",
    "gradient",
    "gradient_per_row",
    "phase",
)
BLOCK_ROWS = 4_096
"""Of a batch, whose blocks ranks share (sagemaker_rl/training/accelerated/ppo_learner.py)."""
ROW_BYTES = 27
"""Of a copy's step in a message: four float32, a float64, three bytes (ranked_envs.py)."""
GRADIENT_BYTES = 4 * (1_249 + 1_282)
"""Of a block's gradients in a message: two networks, 4 - 32 - 32 - 1 and 4 - 32 - 32 - 2, in float32."""
RATIO_BYTES = 8
"""Of a row beside its block's gradients: the likelihood ratio and the clipped one, float32 (ppo_loss.py)."""
EPISODE_STEPS = 100
"""Of the slow environment."""
OUTLIER = 0.1
"""Relative error from which on a point has less weight in the fit."""
REWEIGHTINGS = 30


@dataclass(frozen=True)
class Network:
    """Between hosts: seconds of latency, and bytes per second."""

    latency: float
    bandwidth: float


CONTAINERS = Network(latency=25e-6, bandwidth=1e9)
"""Between containers of this machine: a gather of two by TCP takes 25 us, measured without load."""


@dataclass(frozen=True)
class Cluster:
    """Where ranks run: how many in all, how many and how many cores on each host, and what is between hosts."""

    ranks: int
    cores: int
    ranks_per_host: int | None = None
    network: Network | None = None

    @property
    def on_host(self) -> int:
        """Return the ranks of one host."""
        return min(self.ranks, self.ranks_per_host or self.ranks)

    @property
    def crowding(self) -> float:
        """Return how many times longer takes what all ranks of a host compute at the same time."""
        return max(1.0, self.on_host / self.cores)


class Terms:
    """Seconds as a sum: ``known`` ones, and ``coefficients`` ``(len(PARAMETERS),)`` of the parameters."""

    def __init__(self, known: float = 0.0, **coefficients: float) -> None:
        self.known = known
        self.coefficients = np.array([coefficients.get(name, 0.0) for name in PARAMETERS])

    def __add__(self, other: "Terms") -> "Terms":
        total = Terms(self.known + other.known)
        total.coefficients = self.coefficients + other.coefficients
        return total

    def __mul__(self, times: float) -> "Terms":
        product = Terms(self.known * times)
        product.coefficients = self.coefficients * times
        return product

    def seconds(self, parameters: Mapping[str, float]) -> float:
        """Return the sum."""
        return self.known + float(self.coefficients @ [parameters[name] for name in PARAMETERS])


@functools.cache
def expected_maximum(number: int) -> float:
    """Return the expected maximum of so many independent standard normal numbers: 0 of 1, 0.564 of 2, 3.24 of 1,000.

    The mean of a number that is never above 10 (the tenth deviation is not seen) is 10 less the integral of its
    distribution, which is F^n, F being the normal one.
    """
    x = np.linspace(-10, 10, 4_001)
    distribution = np.array([0.5 * (1 + math.erf(each / math.sqrt(2))) for each in x]) ** number
    return 10 - float(((distribution[1:] + distribution[:-1]) / 2 * np.diff(x)).sum())


def gather(cluster: Cluster, total_bytes: float) -> Terms:
    """Return a message that every rank gets from all."""
    if cluster.ranks == 1:
        return Terms()
    hosts = math.ceil(cluster.ranks / cluster.on_host)
    terms = Terms(
        hop=math.ceil(math.log2(cluster.on_host)),
        byte=total_bytes * cluster.crowding,
        switch=max(0, cluster.on_host - cluster.cores),
    )
    if hosts > 1 and cluster.network:
        hops = math.ceil(math.log2(hosts))
        terms += Terms(hops * cluster.network.latency + total_bytes / cluster.network.bandwidth)
    return terms


def own_steps(workers: int, copies: int, seconds: float, sleeping: bool, cores: float, spread: float = 0.0) -> Terms:
    """Return what the slowest worker takes to step its share of the copies once.

    Args:
        workers: among which the copies are shared.
        copies: in all.
        seconds: of an environment's step.
        sleeping: whether the step waits; else it computes.
        cores: that the workers share.
        spread: the standard deviation of a step of an environment, as a share of ``seconds``, besides what is fitted.
    """
    own = math.ceil(copies / workers)
    used = min(workers, copies)
    # Where steps wait, one worker computes while others sleep: only those that never sleep take each other's time.
    computed = max(own, copies / cores) if not (sleeping and seconds) else own
    slowest = expected_maximum(used) * math.sqrt(own)
    return Terms(
        (own if sleeping else computed) * seconds + slowest * spread * seconds,
        copy=computed,
        oversleep=own if sleeping and seconds else 0,
        stretch=(own if sleeping else computed) * seconds,
        wake=own * max(0.0, used - cores) if sleeping and seconds else 0,
        straggler=slowest,
    )


def step(cluster: Cluster, copies: int, seconds: float, sleeping: bool = True, spread: float = 0.0) -> Terms:
    """Return a step of all copies in ranks; see ``own_steps``."""
    hosts = cluster.ranks / cluster.on_host
    policy = Terms(
        policy=cluster.crowding,
        policy_per_copy=copies * cluster.crowding,
        spin=max(0, cluster.on_host - cluster.cores),
    )
    own = own_steps(cluster.ranks, copies, seconds, sleeping, cluster.cores * hosts, spread)
    return policy + own + gather(cluster, (copies + cluster.ranks) * ROW_BYTES)


def step_in_processes(processes: int, cores: int, copies: int, seconds: float, sleeping: bool) -> Terms:
    """Return a step of all copies in processes of one job, or in the job's own process where that is one."""
    own = own_steps(processes, copies, seconds, sleeping, cores)
    pipes = {"pipe": 1.0, "pipe_of_process": float(processes)} if processes > 1 else {}
    return own + Terms(policy=1, policy_per_copy=copies, **pipes)


def gradient_step(cluster: Cluster, rows: int) -> Terms:
    """Return a gradient step: each rank computes its share of the blocks, on as many processes as it has cores."""
    blocks = math.ceil(rows / BLOCK_ROWS)
    processes = max(1.0, cluster.cores / cluster.on_host)
    if blocks == 1:
        return Terms(gradient=cluster.crowding, gradient_per_row=rows * cluster.crowding)
    own = math.ceil(blocks / cluster.ranks)
    working = min(cluster.on_host, blocks)  # those that have a block; the others wait
    in_a_row = max(math.ceil(own / processes), own * working / cluster.cores)
    message = gather(cluster, blocks * GRADIENT_BYTES + rows * RATIO_BYTES) + gather(cluster, 0)  # its lengths first
    return Terms(gradient=cluster.crowding, gradient_per_row=in_a_row * rows / blocks) + message


def evaluation(cluster: Cluster, episodes: int, steps: int, seconds: float, spread: float = 0.0) -> Terms:
    """Return an evaluation of so many episodes of so many sleeping steps, played as one batch."""
    return step(cluster, episodes, seconds, True, spread) * steps


@dataclass(frozen=True)
class Schedule:
    """Of a training: steps of a phase, rows of a gradient step, epochs, and the evaluation after every phase."""

    phase: int
    rows: int
    epochs: int = 10
    episodes: int = 4
    episode_steps: int = EPISODE_STEPS


JOB = Schedule(phase=2_048, rows=512)
"""That of scale/preset-slow.py."""


def phase(cluster: Cluster, schedule: Schedule, copies: int, seconds: float, spread: float = 0.0) -> Terms:
    """Return a phase of playing (sleeping steps), training and evaluation."""
    gradients = schedule.epochs * (schedule.phase // schedule.rows)
    return (
        step(cluster, copies, seconds, True, spread) * math.ceil(schedule.phase / copies)
        + gradient_step(cluster, schedule.rows) * gradients
        + evaluation(cluster, schedule.episodes, schedule.episode_steps, seconds, spread)
        + Terms(phase=cluster.crowding)
    )


# --- From points to parameters ---------------------------------------------------------------------------------------


def terms_of(point: Mapping[str, Any], cores: int) -> Terms:
    """Return the terms of what a point has measured on a machine of so many cores."""
    number, kind, seconds = point["number"], point["kind"], point.get("milliseconds", 0.0) / 1000
    in_ranks = point["workers"] == "ranks"
    cluster = Cluster(number, cores)
    if kind == "policy":
        return Terms(policy=1, policy_per_copy=point["copies"])
    if kind == "message":
        return gather(cluster, point["bytes"])
    if kind == "gradient":
        return gradient_step(cluster, point["rows"])
    if kind == "evaluation":
        return evaluation(cluster, point["episodes"], EPISODE_STEPS, seconds)
    if kind == "job":
        terms = phase(cluster, JOB, point["copies"], seconds)
        if not in_ranks and number > 1:  # a host each, on the same cores
            hops = math.ceil(math.log2(number)) * CONTAINERS.latency
            terms += Terms(hops * (JOB.phase / point["copies"] + EPISODE_STEPS))
        return terms
    if in_ranks:
        return step(cluster, point["copies"], seconds, kind == "sleeping")
    return step_in_processes(number, cores, point["copies"], seconds, kind == "sleeping")


def measured_seconds(point: Mapping[str, Any]) -> float:
    """Return the seconds that ``terms_of`` a point are to add up to: a batch's step, or what its kind names."""
    if "steps_per_second" not in point:
        return float(point["seconds"])
    return (JOB.phase if point["kind"] == "job" else point["copies"]) / float(point["steps_per_second"])


def fit(points: Sequence[Mapping[str, Any]], cores: int) -> dict[str, float]:
    """Return the parameters, none negative, with the least sum of relative errors: squared to OUTLIER, plain beyond it.

    Something else that ran during a measurement so has less weight (Huber, https://doi.org/10.1214/aoms/1177703732; by
    least squares whose weights are those of the errors before).

    Args:
        points: measured ones; those of one worker are worth as much as those of many.
        cores: of the machine.
    """
    terms = [terms_of(point, cores) for point in points]
    measured = np.array([measured_seconds(point) for point in points])
    matrix = np.array([each.coefficients for each in terms]) / measured[:, None]
    missing = 1 - np.array([each.known for each in terms]) / measured
    weights = np.ones(len(points))
    for _ in range(REWEIGHTINGS):
        solution = non_negative_least_squares(matrix * weights[:, None], missing * weights)
        weights = np.sqrt(np.minimum(1, OUTLIER / np.maximum(np.abs(matrix @ solution - missing), 1e-12)))
    return dict(zip(PARAMETERS, map(float, solution), strict=True))


def non_negative_least_squares(matrix: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Return x of no negative number with the least ``|matrix @ x - target|``, ``(columns,)``.

    By Lawson and Hanson's active sets (Solving Least Squares Problems, 1974, chapter 23), on columns of length 1.
    """
    lengths = np.linalg.norm(matrix, axis=0)
    scaled = matrix / np.where(lengths > 0, lengths, 1)
    solution = np.zeros(matrix.shape[1])
    positive = np.zeros(matrix.shape[1], dtype=bool)
    while True:
        slope = scaled.T @ (target - scaled @ solution)
        slope[positive] = -np.inf
        if positive.all() or slope.max() < 1e-9:
            return np.asarray(solution / np.where(lengths > 0, lengths, 1))
        positive[slope.argmax()] = True
        while True:
            wanted = np.zeros_like(solution)
            wanted[positive] = np.linalg.lstsq(scaled[:, positive], target, rcond=None)[0]
            if (wanted[positive] > 0).all():
                solution = wanted
                break
            falling = positive & (wanted <= 0)
            share = (solution[falling] / (solution[falling] - wanted[falling])).min()
            solution = solution + share * (wanted - solution)
            positive &= solution > 1e-15
            solution[~positive] = 0.0


def compare(
    points: Sequence[Mapping[str, Any]], parameters: Mapping[str, float], cores: int
) -> list[tuple[Mapping[str, Any], float, float]]:
    """Return each point with its predicted seconds, and the error as a share of the measured ones."""
    rows = []
    for point in points:
        predicted, measured = terms_of(point, cores).seconds(parameters), measured_seconds(point)
        rows.append((point, predicted, predicted / measured - 1))
    return rows
