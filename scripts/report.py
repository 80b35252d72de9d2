"""Write the report of a job, or of several beside each other, as one HTML file.

It answers: did they learn, how good are they, what do they do where? Each run is a job's name, a folder that fetch.py
or the demo filled, or the job's folder in S3. Of several, the curves are drawn over each other, and a table compares
them.

Examples:
    python scripts/report.py runs/latest                       # what the demo has left
    python scripts/report.py --local rl-mountain-car-2026-11-23-10-00-00-000000
    python scripts/report.py JOB ANOTHER-JOB --output compared.html
    python scripts/report.py s3://bucket/prefix/rl-mountain-car-2026-11-23-10-00-00-000000
"""

import json
from collections.abc import Sequence
from pathlib import Path

from launch.aws.clients import Clients
from launch.aws.storage import Storage, join
from launch.cli import errors, options, values
from launch.cli.errors import UsageError
from launch.project import runs_folder
from launch.sagemaker import report, results, session


def main(command_line: Sequence[str] | None = None) -> None:
    parser = options.parser(__doc__)
    parser.add_argument("runs", nargs="+", metavar="RUN", help="a job's name, its folder, or s3://bucket/prefix/JOB")
    parser.add_argument("--output", type=Path, help="the file; default: report.html in the run's folder, or here")
    arguments = parser.parse_args(command_line)
    if len(arguments.runs) > report.MAX_RUNS:
        raise UsageError(f"There are {len(arguments.runs)} runs, expected at most {report.MAX_RUNS}.")
    clients = session.connect(arguments)
    if arguments.dry_run:
        print(json.dumps([{"Report": {"Of": arguments.runs}}], indent=2))
        return
    if arguments.output:
        values.check_target("--output", arguments.output)
    folders = [fetch(run, clients) for run in arguments.runs]
    output = arguments.output or (folders[0] if len(folders) == 1 else Path()) / "report.html"
    report.write([folder.resolve() for folder in folders], output.resolve())
    print(f"Report: {output.resolve()}")


def fetch(run: str, clients: Clients) -> Path:
    """Return the folder of a run; fetch its files if they are not here.

    Raises:
        UsageError: There is no such run.
    """
    if Path(run).is_dir():
        if not (Path(run) / "output").is_dir() and not (Path(run) / report.DESCRIPTION_FILE).is_file():
            raise UsageError(f"The run is {run}, which has no output/ in it, expected the folder of a job.")
        return Path(run)
    if run.startswith("s3://"):
        folder = runs_folder() / run.rstrip("/").rpartition("/")[2]
        if not results.fetch(Storage(clients), join(run, "output"), folder):
            raise UsageError(f"There is nothing at {join(run, 'output')}, expected s3://bucket/prefix/JOB of a job.")
        return folder
    if not values.NAME.fullmatch(run):
        raise UsageError(f"The run is {run!r}, expected a job's name, its folder, or s3://bucket/prefix/JOB.")
    return report.fetch_job(clients, run)


if __name__ == "__main__":
    errors.run(main)
