"""Progress: of a job, a bar on a terminal and some of its log lines elsewhere; of any wait, a line every 15 seconds."""

import contextlib
import re
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any, Self

from tqdm import tqdm

TOTAL = re.compile(r"^Schedule> .*Improve steps=(\d+)")
HEATUP = re.compile(r"^Heatup> .*\bSteps=(\d+)")
TRAINING = re.compile(r"^Training> .*\bSteps=(\d+)")
TESTING = re.compile(r"^Testing> ")
EVALUATION = re.compile(r"^Evaluation> .*Evaluation reward=([-\d.e+]+).*\bSteps=(\d+)")
END_OF_TRAINING = re.compile(r"^(?:Early stopping|Best)> ")
FAST_PATH = re.compile(r"^Path> .*\bPath=accelerated")
MILESTONE = re.compile(r"^(?:Schedule|Path|Evaluation|Early stopping|Best|Checkpoint|Model|Error)\b")
SHORT_MILESTONE = re.compile(r"^(?:Schedule|Path|Evaluation|Early stopping|Best|Error)\b")
EVALUATION_VALUES = re.compile(r"\b(?:Evaluation reward|Steps|Seconds)=[^,]*")
SECONDS_BETWEEN_TRAINING_LINES = 2.0
SECONDS_OF_SILENCE = 15.0
"""After so long without a line, ``waiting_for`` prints one."""


class TrainingProgress:
    """Called with each line of a training job's log: counts environment steps; use as a context manager.

    It is a bar, if standard error is a terminal. Off one Training lines are printed at most every two seconds, and on
    the fast path, where an evaluation takes less than that, no Testing lines.
    """

    def __init__(self) -> None:
        self.bar: tqdm | None = tqdm(unit=" steps", unit_scale=True) if sys.stderr.isatty() else None
        self._heatup_steps = 0
        self._fast_path = False
        self._last_training_line = -SECONDS_BETWEEN_TRAINING_LINES

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        if self.bar is not None:
            self.bar.close()

    def __call__(self, line: str) -> None:
        """Take a line of the job's log: move the bar by it, or print it if there is no bar."""
        if self.bar is not None:
            self._advance(self.bar, line)
        elif self.consider_printing(line):
            print(f"  {line}", flush=True)

    def _advance(self, bar: tqdm, line: str) -> None:
        """Move the bar by what a line says."""
        if total := TOTAL.match(line):
            bar.reset(total=int(total[1]))
        elif heatup := HEATUP.match(line):
            self._heatup_steps = int(heatup[1])
        elif steps := TRAINING.match(line):
            bar.update(int(steps[1]) - self._heatup_steps - bar.n)  # the schedule's steps come after the heatup's
        elif evaluation := EVALUATION.match(line):
            bar.update(int(evaluation[2]) - bar.n)  # without the heatup's
            bar.set_postfix_str(f"evaluation reward {float(evaluation[1]):.2f}")
        elif END_OF_TRAINING.match(line):  # why the bar may end half-way
            bar.write(f"  {line}")

    def consider_printing(self, line: str) -> bool:
        """Take note of a line; return whether it is printed where there is no bar."""
        if FAST_PATH.match(line):
            self._fast_path = True
        if TRAINING.match(line):
            now = time.monotonic()
            if now - self._last_training_line < SECONDS_BETWEEN_TRAINING_LINES:
                return False
            self._last_training_line = now
            return True
        return bool(MILESTONE.match(line) or (TESTING.match(line) and not self._fast_path))


class ShortTrainingProgress(TrainingProgress):
    """A training job's progress on few lines: what is kept of it is elsewhere.

    Off a terminal it prints evaluations with their reward, steps and seconds, what ends the training, and a Training
    line after 15 seconds without another.
    """

    def __init__(self) -> None:
        super().__init__()
        self._last_line = time.monotonic()

    def __call__(self, line: str) -> None:
        values = EVALUATION_VALUES.findall(line) if EVALUATION.match(line) else []
        super().__call__(f"Evaluation> {', '.join(values)}" if values else line)

    def consider_printing(self, line: str) -> bool:
        now = time.monotonic()
        is_due = bool(TRAINING.match(line)) and now - self._last_line > SECONDS_OF_SILENCE
        if not is_due and not SHORT_MILESTONE.match(line):
            return False
        self._last_line = now
        return True


# --- Any wait --------------------------------------------------------------------------------------------------------
class _Output:
    """Standard output that knows when something was printed last."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream
        self.last = time.monotonic()

    def write(self, text: str) -> int:
        self.last = time.monotonic()
        return int(self._stream.write(text))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


_waits: list[tuple[str, float]] = []
"""What is waited for, and since when; the innermost wait is the last."""


@contextlib.contextmanager
def waiting_for(what: str) -> Iterator[None]:
    """Say on standard error what is waited for, and for how long, whenever the script is silent for 15 seconds.

    Waits may be nested: the innermost is named.

    Args:
        what: ends a sentence that begins with "Waiting for".
    """
    _waits.append((what, time.monotonic()))
    try:
        if len(_waits) > 1:
            yield
            return
        output, ended = _Output(sys.stdout), threading.Event()
        speaker = threading.Thread(target=_break_silence, args=(output, sys.stderr, ended), daemon=True)
        speaker.start()
        try:
            with contextlib.redirect_stdout(output):
                yield
        finally:
            ended.set()
            speaker.join()
    finally:
        _waits.pop()


def _break_silence(output: _Output, errors: Any, ended: threading.Event) -> None:
    while not ended.wait(max(0.0, output.last + SECONDS_OF_SILENCE - time.monotonic())):
        now = time.monotonic()
        if now - output.last < SECONDS_OF_SILENCE:
            continue
        output.last = now
        what, began = _waits[-1]
        tqdm.write(f"Waiting for {what}: {now - began:.0f} s", file=errors)  # above a bar, if there is one
        errors.flush()
