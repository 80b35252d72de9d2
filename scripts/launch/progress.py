"""Shows how far a training job is: a bar on a terminal, its own metric lines elsewhere."""

import re
import sys

from tqdm import tqdm

TOTAL = re.compile(r"^Schedule> .*Improve steps=(\d+)")
STEPS = re.compile(r"^(?:Training|Evaluation)> .*\bSteps=(\d+)")
EVALUATION = re.compile(r"^Evaluation> .*Evaluation reward=([-\d.e+]+)")
SHOWN = re.compile(r"^(?:Schedule|Training|Testing|Evaluation|Checkpoint|Model|Error)\b")


class TrainingProgress:
    """Called with each line of a job's log; use as a context manager."""

    def __init__(self) -> None:
        self._bar: tqdm | None = tqdm(unit=" steps", unit_scale=True) if sys.stderr.isatty() else None

    def __enter__(self) -> "TrainingProgress":
        return self

    def __exit__(self, *exception: object) -> None:
        if self._bar is not None:
            self._bar.close()

    def __call__(self, line: str) -> None:
        if self._bar is None:
            if SHOWN.match(line):
                print(f"  {line}", flush=True)
            return
        if total := TOTAL.match(line):
            self._bar.reset(total=int(total[1]))
        if steps := STEPS.match(line):
            self._bar.update(int(steps[1]) - self._bar.n)
        if evaluation := EVALUATION.match(line):
            self._bar.set_postfix_str(f"evaluation reward {float(evaluation[1]):.2f}")
