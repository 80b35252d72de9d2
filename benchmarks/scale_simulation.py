"""What the cost model says of hosts that are not here: where efficiency falls below a half, and what steps cost.

Nothing here is measured. The model's parameters are; the network, the instances and their prices are assumptions, which
``bench_scale.py`` takes as options, too.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import scale_model
from scale_model import Cluster, Network, Schedule

MOST_RANKS = 1_000
LEAST_EFFICIENCY = 0.5
ENVIRONMENTS = (0.2, 1.0, 5.0, 20.0, 100.0)
"""Milliseconds of a step."""
BATCHES = (8_192, 65_536, 524_288)
"""Steps of a phase."""
SPREADS = (0.0, 0.3)
"""Standard deviation of an environment's step, as a share of it."""
STEPS_OF_A_COPY = 512
"""Of a phase, at least (PPORun.least_steps_of_a_copy), where there are fewer ranks than copies."""
MOST_COPIES = 64
"""PPORun.default_num_envs; more ranks take a copy each."""
BATCHES_OF_A_PHASE = 8
"""Gradient steps of an epoch, as in the preset of the continuous car."""


@dataclass(frozen=True)
class Instance:
    """A type of instance: ``cores`` are its vCPUs; US dollars per hour of training."""

    name: str
    cores: int
    price: float
    network: Network


# Prices: SageMaker training on demand, us-east-1, as known in 2025 (https://aws.amazon.com/sagemaker/pricing/), not
# looked up by this program. Bandwidth: "up to 10 Gbit/s" of both types (https://aws.amazon.com/ec2/instance-types/c5/),
# half of it assumed to last. Latency: 75 us by TCP between instances of a zone, an assumption within the 50 to 100 us
# that are usual without EFA.
TCP = Network(latency=75e-6, bandwidth=5e9 / 8)
INSTANCES = (
    Instance("ml.c5.xlarge", 4, 0.204, TCP),
    Instance("ml.c5.4xlarge", 16, 0.816, TCP),
)


def cluster_of(instance: Instance, ranks: int) -> Cluster:
    """Return so many ranks on hosts of a type, one for each vCPU."""
    return Cluster(ranks, instance.cores, instance.cores, instance.network)


def copies_of(batch: int, ranks: int) -> int:
    """Return how many copies are played: PPO's default, or one more for each rank until all have as many."""
    default = max(1, min(MOST_COPIES, batch // STEPS_OF_A_COPY))
    return ranks * math.ceil(default / ranks)


def phase_seconds(
    parameters: Mapping[str, float], instance: Instance, ranks: int, milliseconds: float, batch: int, spread: float
) -> float:
    """Return the seconds of a phase of ``batch`` steps, with its training and its evaluation."""
    schedule = Schedule(phase=batch, rows=batch // BATCHES_OF_A_PHASE)
    copies = copies_of(batch, ranks)
    terms = scale_model.phase(cluster_of(instance, ranks), schedule, copies, milliseconds / 1000, spread)
    return terms.seconds(parameters)


def efficiency(
    parameters: Mapping[str, float], instance: Instance, ranks: int, milliseconds: float, batch: int, spread: float
) -> float:
    """Return how many times faster so many ranks are than one, by their number."""
    one, many = (phase_seconds(parameters, instance, each, milliseconds, batch, spread) for each in (1, ranks))
    return one / many / ranks


def last_efficient(
    parameters: Mapping[str, float], instance: Instance, milliseconds: float, batch: int, spread: float
) -> int:
    """Return the number of ranks before efficiency first falls below a half; MOST_RANKS if it never does."""
    for ranks in _numbers():
        if efficiency(parameters, instance, ranks, milliseconds, batch, spread) < LEAST_EFFICIENCY:
            return max(1, ranks - 1)
    return MOST_RANKS


def dollars_per_million(
    parameters: Mapping[str, float], instance: Instance, hosts: int, milliseconds: float, batch: int
) -> float:
    """Return the price of a million environment steps on so many instances, with a rank for each vCPU."""
    seconds = phase_seconds(parameters, instance, hosts * instance.cores, milliseconds, batch, 0.0)
    return hosts * instance.price / 3600 * seconds * 1_000_000 / batch


def largest_part(
    parameters: Mapping[str, float], instance: Instance, ranks: int, milliseconds: float, batch: int, spread: float
) -> str:
    """Return what a phase loses most time with, of what more ranks do not make faster."""
    cluster, copies = cluster_of(instance, ranks), copies_of(batch, ranks)
    steps = math.ceil(batch / copies)
    rows = batch // BATCHES_OF_A_PHASE
    gradients = scale_model.gradient_step(cluster, rows) * (10 * BATCHES_OF_A_PHASE)
    policy = scale_model.Terms(policy=steps, policy_per_copy=steps * copies)
    straggler = scale_model.own_steps(ranks, copies, milliseconds / 1000, True, ranks, spread)
    even = scale_model.own_steps(1, math.ceil(copies / ranks), milliseconds / 1000, True, 1)
    parts = {
        "gradients": gradients.seconds(parameters),
        "policy and bookkeeping": policy.seconds(parameters),
        "messages": scale_model.gather(cluster, (copies + ranks) * scale_model.ROW_BYTES).seconds(parameters) * steps,
        "the slowest rank": (straggler.seconds(parameters) - even.seconds(parameters)) * steps,
        "evaluation": scale_model.evaluation(
            cluster, 4, scale_model.EPISODE_STEPS, milliseconds / 1000, spread
        ).seconds(parameters),
    }
    return max(parts, key=lambda name: parts[name])


def _numbers() -> Iterator[int]:
    """Yield the numbers of ranks that are tried: each to 64, then steps of a fiftieth."""
    ranks = 2
    while ranks <= MOST_RANKS:
        yield ranks
        ranks += max(1, ranks // 50 if ranks > MOST_COPIES else 1)
