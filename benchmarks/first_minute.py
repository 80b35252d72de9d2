"""Time ``make demo`` of revisions, each in a fresh clone: the set-up, the first evaluation, the end.

Example:
    python benchmarks/first_minute.py 1e39fc4 HEAD
"""

import argparse
import subprocess
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
MILESTONES = {"set up": "[1/5]", "first evaluation": "Evaluation>", "trained": "[2/5]", "done": "Done"}
"""What the line begins with that ends each part."""


def time_demo(revision: str, variables: list[str], folder: Path) -> dict[str, float]:
    """Return the seconds from the start of ``make demo`` to each milestone; ``variables`` are make's, as NAME=VALUE.

    Raises:
        SystemExit: The demo failed.
    """
    subprocess.run(["git", "clone", "--quiet", ROOT, folder], check=True)
    subprocess.run(["git", "checkout", "--quiet", revision], cwd=folder, check=True)
    seconds: dict[str, float] = {}
    started = time.monotonic()
    with subprocess.Popen(
        ["make", "demo", *variables], cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as demo:
        assert demo.stdout is not None
        for line in demo.stdout:
            for name, start in MILESTONES.items():
                if line.strip().startswith(start):
                    seconds.setdefault(name, round(time.monotonic() - started, 1))
    if demo.returncode:
        raise SystemExit(f"make demo of {revision} failed.")
    return seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("revisions", nargs="+", metavar="REVISION")
    parser.add_argument("--seed", help="of the training (the revision's own)")
    parser.add_argument("--rounds", type=int, default=1, help="(%(default)s)")
    arguments = parser.parse_args()
    variables = [f"SEED={arguments.seed}"] if arguments.seed else []
    print(f"| revision | {' | '.join(MILESTONES)} |\n| --- |{' ---: |' * len(MILESTONES)}")
    for _ in range(arguments.rounds):
        for revision in arguments.revisions:
            with tempfile.TemporaryDirectory() as folder:
                seconds = time_demo(revision, variables, Path(folder) / "mountain-car")
            print(f"| {revision} | {' | '.join(f'{seconds[name]} s' for name in MILESTONES)} |", flush=True)


if __name__ == "__main__":
    main()
