"""What early stopping saves of the bundled presets' trainings, and what it costs in return: each seed with and without.

::

    python benchmarks/early_stopping.py --seeds 11 12 13

No value of the presets was chosen by the default seeds. A policy's return is its mean over 100 unseen starts.
"""

import argparse
import statistics
import tempfile
from pathlib import Path

import training_job

PRESETS = {"continuous": "preset-mountain-car-continuous-clipped-ppo", "discrete": "preset-mountain-car-dqn"}
SEEDS = (*range(11, 16), *range(21, 31))
KINDS: dict[str, dict[str, str]] = {"whole schedule": {"early_stopping_patience": "0"}, "as the preset says": {}}


def main() -> None:
    """Run all jobs, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cars", nargs="+", choices=PRESETS, default=list(PRESETS))
    parser.add_argument("--seeds", nargs="+", type=int, default=SEEDS, help="(default: 11 to 15, 21 to 30)")
    parser.add_argument("--patience", type=int, nargs="+", default=[], help="compare these with the preset's")
    options = parser.parse_args()
    kinds = KINDS | {f"patience {number}": {"early_stopping_patience": str(number)} for number in options.patience}
    print("| car | training | seeds | final return: worst seed | median | evaluations, mean | job, s, median |")
    print("| --- | --- | ---: | ---: | ---: | ---: | ---: |")
    with tempfile.TemporaryDirectory() as folder:
        for car in options.cars:
            for kind, hyperparameters in kinds.items():
                given = {"RLCOACH_PRESET": PRESETS[car], **hyperparameters}
                jobs = [
                    training_job.run({**given, "seed": str(seed)}, Path(folder) / "log", car) for seed in options.seeds
                ]
                returns = [statistics.fmean(job.final_returns) for job in jobs]
                print(
                    f"| {car} | {kind} | {len(jobs)} | {min(returns):.2f} | {statistics.median(returns):.2f} | "
                    f"{statistics.fmean(len(job.evaluations) for job in jobs):.1f} | "
                    f"{statistics.median(job.seconds for job in jobs):.1f} |",
                    flush=True,
                )


if __name__ == "__main__":
    main()
