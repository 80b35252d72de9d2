"""Write the report of one job, or of several beside each other, from the folders that they left.

python write-report.py runs/JOB [runs/ANOTHER ...] [--output report.html]
"""

import argparse
import sys
from pathlib import Path

from sagemaker_rl.report import page
from sagemaker_rl.report.run import DESCRIPTION_FILE, Run


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", type=Path, nargs="+", help="each with an output/ in it")
    parser.add_argument("--output", type=Path, default=Path(page.FILE), help="(%(default)s)")
    arguments = parser.parse_args()
    for folder in arguments.folders:
        if not (folder / "output").is_dir() and not (folder / DESCRIPTION_FILE).is_file():
            sys.exit(f"Error: {folder} has no output/, expected the folder of a job.")
    page.write([Run.read(folder) for folder in arguments.folders], arguments.output)


if __name__ == "__main__":
    main()
