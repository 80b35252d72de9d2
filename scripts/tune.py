"""Tune hyperparameters: create a SageMaker tuning job, which runs training jobs with different values of some of them.

Each of --range, --integer-range and --choices names a hyperparameter to tune; -p sets the others. With --wait it ends
with the best job, and with a report that compares the jobs, runs/NAME/report.html.

Examples:
    python scripts/tune.py --range training_learning_rate=1e-4:1e-2:log --range discount=0.99:0.9999:reverse-log --wait
    python scripts/tune.py --local --choices discount=0.99,0.999 --strategy Grid -p improve_steps=393216 --wait
    python scripts/tune.py --ranges ranges.json --max-jobs 20 --max-parallel-jobs 4 --early-stopping Auto
    python scripts/tune.py --range discount=0.99:0.9999 --warm-start EARLIER-TUNING-JOB
    python scripts/tune.py --range discount=0.99:0.9999 --dry-run       # the CreateHyperParameterTuningJob request
"""

from collections.abc import Sequence

from launch.cli import bounds, errors, options, parameter_ranges, values
from launch.sagemaker import request_files, session, training_requests, tuning_jobs, tuning_requests


def main(command_line: Sequence[str] | None = None) -> None:
    arguments = _parser().parse_args(command_line)
    request_files.check(arguments.request, "CreateHyperParameterTuningJob")
    name = tuning_requests.job_name(arguments)
    clients = session.connect(arguments)
    tuning_jobs.run(arguments, clients, tuning_requests.request(arguments, clients, name))


def _parser() -> options.Parser:
    parser = options.parser(__doc__)
    parameter_ranges.add_flags(parser)
    parser.add_argument(
        "--objective",
        choices=tuple(training_requests.METRICS),
        default="reward-evaluation",
        help="the metric whose last value is compared (%(default)s)",
    )
    parser.add_argument(
        "--objective-type",
        choices=tuning_requests.OBJECTIVE_TYPES,
        help="(Minimize for a loss, Maximize for others)",
    )
    parser.add_argument(
        "--strategy", choices=tuning_requests.STRATEGIES, help="(Bayesian; on this machine Random or Grid)"
    )
    bounds.add_number(parser, "--max-jobs", "training jobs in all (10; of a grid all combinations)")
    bounds.add_number(parser, "--max-parallel-jobs", "training jobs at once (2)")
    parser.add_argument(
        "--early-stopping", choices=("Off", "Auto"), default="Off", help="of jobs that are worse (%(default)s)"
    )
    bounds.add_number(parser, "--min-resource", "evaluations of a job at least, with Hyperband")
    bounds.add_number(parser, "--max-resource", "evaluations of a job at most, with Hyperband")
    bounds.add_number(parser, "--random-seed", "of the choice of values")
    parser.add_argument(
        "--warm-start", nargs="+", metavar="NAME", type=values.name, default=[], help="tuning jobs to learn from"
    )
    parser.add_argument("--warm-start-type", choices=tuning_requests.WARM_START_TYPES, help="(the first of them)")
    options.add_training_job(parser)
    parser.add_argument("--spot", action="store_true", help="managed Spot training; an interrupted job starts anew")
    bounds.add_number(parser, "--max-wait", "for Spot capacity, training included", unit="SECONDS")
    bounds.add_number(parser, "--processes-per-host", "ranks that train together on each (%(default)s)", default=1)
    return parser


if __name__ == "__main__":
    errors.run(main)
