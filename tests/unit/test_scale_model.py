"""The mathematics of the benchmark's cost model, against closed forms; nothing is measured."""

import math
import sys

import numpy as np
import pytest
from jobs import ROOT

sys.path.append(str(ROOT / "benchmarks"))

import scale_model
import scale_simulation
from scale_model import PARAMETERS, Cluster, Network
from scale_simulation import Instance

KNOWN = {name: 1e-6 * (index + 1) for index, name in enumerate(PARAMETERS)}
NOTHING = dict.fromkeys(PARAMETERS, 0.0)
ALONE = Instance("one core each", 1, 3.6, Network(latency=0.0, bandwidth=math.inf))


def synthetic_points():
    points = [
        {"workers": workers, "number": number, "kind": kind, "milliseconds": milliseconds, "copies": copies}
        for workers in ("processes", "ranks")
        for number in (1, 2, 4, 8, 16)
        for kind in ("sleeping", "burning")
        for milliseconds in (0.0, 0.2, 5.0)
        for copies in (16, 64)
    ]
    for number in (1, 2, 8):
        points += [{"workers": "ranks", "number": number, "kind": "gradient", "rows": rows} for rows in (512, 16_384)]
        points += [{"workers": "ranks", "number": number, "kind": "message", "bytes": size} for size in (2_048, 10**6)]
        points.append({"workers": "ranks", "number": number, "kind": "job", "milliseconds": 5.0, "copies": 64})
    points = [point for point in points if (point["kind"], point["number"]) != ("message", 1)]
    for point in points:
        seconds = scale_model.terms_of(point, cores=2).seconds(KNOWN)
        if point["kind"] in ("message", "gradient"):
            point["seconds"] = seconds
        else:
            point["steps_per_second"] = (2_048 if point["kind"] == "job" else point["copies"]) / seconds
    return points


def test_a_fit_recovers_the_parameters_that_made_its_points():
    points = synthetic_points()
    fitted = scale_model.fit(points, cores=2)
    assert fitted == pytest.approx(KNOWN, rel=1e-6)
    assert max(abs(error) for _, _, error in scale_model.compare(points, fitted, cores=2)) < 1e-9


def test_least_squares_are_never_negative_and_no_worse_than_at_any_corner():
    random = np.random.default_rng(0)
    for _ in range(20):
        matrix, target = random.normal(size=(12, 4)), random.normal(size=12)
        solution = scale_model.non_negative_least_squares(matrix, target)
        assert (solution >= 0).all()
        corners = []
        for chosen in range(16):
            columns = [column for column in range(4) if chosen >> column & 1]
            found = np.linalg.lstsq(matrix[:, columns], target, rcond=None)[0]
            if (found >= 0).all():
                corners.append(np.linalg.norm(matrix[:, columns] @ found - target))
        assert np.linalg.norm(matrix @ solution - target) == pytest.approx(min(corners))


@pytest.mark.parametrize(
    ("number", "expected"),
    [(1, 0.0), (2, 1 / math.sqrt(math.pi)), (3, 1.5 / math.sqrt(math.pi)), (1_000, 3.24144)],
)
def test_the_expected_maximum_of_normal_numbers(number, expected):
    assert scale_model.expected_maximum(number) == pytest.approx(expected, abs=1e-4)


def test_ranks_that_only_step_their_environments_are_all_efficient():
    for ranks in (1, 2, 16, 64):
        assert scale_model.step(Cluster(ranks, 1_000), 64, 0.005).seconds(NOTHING) == pytest.approx(0.005 * 64 / ranks)
    for ranks in (2, 8, 512):  # each evaluation of four episodes is shared by four ranks at most, so there are none
        schedule = scale_model.Schedule(phase=65_536, rows=8_192, episodes=0)
        one, many = (
            scale_model.phase(Cluster(each, 1_000), schedule, 512, 0.005).seconds(NOTHING) for each in (1, ranks)
        )
        assert one / many / ranks == pytest.approx(1)


def test_what_every_rank_computes_takes_turns_where_there_are_fewer_cores():
    parameters = NOTHING | {"policy": 0.001}
    assert scale_model.step(Cluster(8, 2), 8, 0.0).seconds(parameters) == pytest.approx(0.004)
    assert scale_model.step(Cluster(8, 8), 8, 0.0).seconds(parameters) == pytest.approx(0.001)
    assert scale_model.step(Cluster(8, 2, 2), 8, 0.0).seconds(parameters) == pytest.approx(0.001)


def test_a_message_between_hosts_takes_its_hops_and_its_bytes():
    cluster = Cluster(32, 4, 4, Network(latency=0.0001, bandwidth=1e6))
    assert scale_model.gather(cluster, 1_000).seconds(NOTHING) == pytest.approx(3 * 0.0001 + 0.001)
    assert scale_model.gather(cluster, 0).seconds(NOTHING | {"hop": 1e-5}) == pytest.approx(3 * 0.0001 + 2e-5)


def test_blocks_of_a_batch_are_shared_and_a_single_one_is_not():
    parameters = NOTHING | {"gradient_per_row": 1e-6}

    def seconds(ranks, rows):
        return scale_model.gradient_step(Cluster(ranks, ranks, 1), rows).seconds(parameters)

    assert [seconds(ranks, 4_096) for ranks in (1, 4)] == pytest.approx([0.004096, 0.004096])
    assert scale_model.gradient_step(Cluster(1, 1), 16_384).seconds(parameters) == pytest.approx(0.016384)
    assert scale_model.gradient_step(Cluster(4, 1, 1), 16_384).seconds(parameters) == pytest.approx(0.004096)
    assert scale_model.gradient_step(Cluster(16, 1, 1), 16_384).seconds(parameters) == pytest.approx(0.004096)


def test_efficiency_falls_below_a_half_where_a_hand_computes_it():
    # 64 copies of 1 ms, and 2 ms of policy: one rank takes 66 ms, R ranks 64 / R + 2, so efficiency is
    # 66 / (64 + 2 R): 0.516 of 32 ranks and 0.508 of 33 if copies could be cut. They cannot: 33 ranks play 66.
    parameters = NOTHING | {"policy": 0.002}
    copies = [scale_simulation.copies_of(65_536, ranks) for ranks in (1, 32, 33, 100)]
    assert copies == [64, 64, 66, 100]
    seconds = {
        ranks: scale_model.step(Cluster(ranks, 1, 1), copies, 0.001).seconds(parameters) / copies
        for ranks, copies in ((1, 64), (32, 64), (64, 64))
    }
    assert seconds[1] / seconds[32] / 32 == pytest.approx(66 / 128)
    assert seconds[1] / seconds[64] / 64 == pytest.approx(66 / 192)


def test_a_serial_part_ends_efficiency_at_its_own_share_of_the_time(monkeypatch):
    # Playing takes 65,536 * 1 ms, what follows takes 0.65536 s: efficiency is 101 / (100 + R), a half at R = 102.
    monkeypatch.setattr(scale_simulation, "copies_of", lambda batch, ranks: ranks)
    monkeypatch.setattr(scale_model, "evaluation", lambda *arguments: scale_model.Terms())
    parameters = NOTHING | {"phase": 0.65536}
    assert scale_simulation.efficiency(parameters, ALONE, 64, 1.0, 65_536, 0.0) == pytest.approx(101 / 164)
    assert 100 <= scale_simulation.last_efficient(parameters, ALONE, 1.0, 65_536, 0.0) <= 104
    assert scale_simulation.last_efficient(NOTHING, ALONE, 1.0, 524_288, 0.0) >= 512


def test_steps_cost_what_their_seconds_cost(monkeypatch):
    monkeypatch.setattr(scale_model, "evaluation", lambda *arguments: scale_model.Terms())
    # 3.6 dollars an hour are 0.001 a second; a million steps of 1 ms take 1,000 s, however many hosts share them.
    for hosts in (1, 16):
        assert scale_simulation.dollars_per_million(NOTHING, ALONE, hosts, 1.0, 65_536) == pytest.approx(1.0)


def test_a_straggler_takes_the_noise_of_all_its_steps():
    terms = scale_model.own_steps(2, 8, 0.01, True, 2, spread=0.1)
    expected = 4 * 0.01 + 2 * (0.001 + 0.003) / math.sqrt(math.pi)
    assert terms.seconds(NOTHING | {"straggler": 0.003}) == pytest.approx(expected)
