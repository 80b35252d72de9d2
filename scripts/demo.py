"""The whole way on this machine: train, evaluate, export, serve, predict, and drive a car through the endpoint.

Examples:
    python scripts/demo.py
    python scripts/demo.py --preset preset-mountain-car-dqn --seed 1
    python scripts/demo.py --engine docker -p improve_steps=40000
"""

import argparse
import json
from pathlib import Path

from launch import project
from launch.cli import errors
from launch.local import attached
from launch.sagemaker.demo import Demo, parse_hyperparameter


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--preset", default="preset-mountain-car-continuous-clipped-ppo", help="(%(default)s)")
    parser.add_argument("--engine", choices=tuple(attached.ENGINES), default="process", help="(%(default)s)")
    parser.add_argument("--seed", default="0", help="of the training run (%(default)s)")
    parser.add_argument("--runs", type=Path, default=project.ROOT / "runs", help="where results go (runs/)")
    parser.add_argument(
        "-p", dest="hyperparameters", metavar="NAME=VALUE", action="append", default=[], help="a hyperparameter"
    )
    arguments = parser.parse_args()
    hyperparameters = {
        **dict(parse_hyperparameter(text) for text in arguments.hyperparameters),
        "RLCOACH_PRESET": arguments.preset,
        "seed": arguments.seed,
        "save_model": "1",
    }
    job = project.unique_name(project.BASE_NAME)
    folder = arguments.runs / job
    summary = Demo(attached.make_engine(arguments.engine), job, arguments.preset, folder).run(hyperparameters)
    (folder / "summary.json").write_text(json.dumps(summary, indent=2) + "\n", encoding="utf-8")
    print(
        f"Done: {folder} has model.tar.gz, output/, evaluation/, report.html, reward.png, episode.gif and summary.json"
    )


if __name__ == "__main__":
    errors.run(main)
