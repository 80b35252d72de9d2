"""Jobs that are killed at random moments, again and again, beside the same jobs that are not: the weights of both.

::

    python benchmarks/interruptions.py --engine docker --interruptions 20 --seeds 1

Each job is started on a new ``/opt/ml``, as SageMaker does it with a Spot job, with what the copier has brought to
"S3" by then: it copies file by file, in random order, all the time, and is cut where it is when the job is
interrupted, perhaps within a file. Half the interruptions are SIGKILL; before the others there is SIGTERM.
"""

import argparse
import hashlib
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import training_job

IMAGE = "mountain-car-training:latest"
PRESETS = ("preset-mountain-car-continuous-clipped-ppo", "preset-mountain-car-dqn", "preset-corridor")
"""The project's own, and that of the custom environment of the tests, which has no random numbers."""
OWN_ENVIRONMENT = training_job.ROOT / "tests" / "resources" / "custom_environment"
SECONDS_TO_STOP = 60.0
"""After SIGTERM, before SIGKILL; SageMaker waits 120."""
CHUNK = 65_536


@dataclass
class Outcome:
    """A job that came to its end: after how many interruptions and seconds, and the digest of its weights."""

    interruptions: int
    seconds: float
    digest: str


class Process:
    """A training job on this machine: a container of the training image, or a process."""

    def __init__(self, engine: str, ml: Path) -> None:
        self._container = f"interruptions-{os.getpid()}-{random.getrandbits(32):08x}" if engine == "docker" else ""
        command = [sys.executable, "-m", "sagemaker_rl.training_container", "train"]
        environment = {**os.environ, "SAGEMAKER_BASE_DIR": str(ml), "PYTHONPATH": str(training_job.CONTAINER_SRC)}
        if self._container:
            options = ["--rm", "--name", self._container, "--network=none", "--hostname", "localhost"]
            command = ["docker", "run", *options, "--volume", f"{ml}:/opt/ml", IMAGE, "train"]
        with (ml / "log").open("wb") as log:
            self._process = subprocess.Popen(command, env=environment, stdout=log, stderr=subprocess.STDOUT)

    def wait(self, seconds: float | None) -> bool:
        """Wait for the end, so many seconds at most; return whether it has ended."""
        try:
            self._process.wait(seconds)
            return True
        except subprocess.TimeoutExpired:
            return False

    def send(self, number: signal.Signals) -> None:
        """Send a signal."""
        if self._container:
            command = ["docker", "kill", "--signal", number.name, self._container]
            subprocess.run(command, capture_output=True)
        else:
            self._process.send_signal(number)

    @property
    def status(self) -> int:
        """The exit status of one that has ended."""
        return self._process.returncode


class Copier:
    """Copies a folder's files to another, in random order, again and again, until it is cut."""

    def __init__(self, source: Path, target: Path, random_numbers: random.Random) -> None:
        self._source, self._target, self._random = source, target, random_numbers
        self._cut = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def cut(self) -> None:
        """Stop, in the middle of a file perhaps."""
        self._cut.set()
        self._thread.join()

    def finish(self) -> None:
        """Copy all there is, as SageMaker does where a job has ended by itself."""
        self.cut()
        shutil.copytree(self._source, self._target, dirs_exist_ok=True)

    def _run(self) -> None:
        while not self._cut.wait(0.05):
            try:
                files = [file for file in self._source.rglob("*") if file.is_file()]
            except FileNotFoundError:  # the job removes an old checkpoint at this moment
                continue
            for file in self._random.sample(files, len(files)):
                try:
                    self._copy(file, self._target / file.relative_to(self._source))
                except FileNotFoundError:  # the job has removed it meanwhile
                    continue

    def _copy(self, file: Path, target: Path) -> None:
        if target.exists() and target.stat().st_mtime >= file.stat().st_mtime:
            return
        with file.open("rb") as source:
            target.parent.mkdir(parents=True, exist_ok=True)
            with target.open("wb") as copy:
                while chunk := source.read(CHUNK):
                    if self._cut.is_set():
                        return
                    copy.write(chunk)


def run(engine: str, preset: str, seed: int, interruptions: int, random_numbers: random.Random) -> Outcome:
    """Run a job to its end, and interrupt it so many times before.

    Raises:
        RuntimeError: It failed.
    """
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        synced = Path(folder) / "s3"
        synced.mkdir()
        for attempt in range(interruptions + 1):
            ml = Path(folder) / str(attempt)
            ml.mkdir()
            training_job.write_inputs(ml, {"RLCOACH_PRESET": preset, "seed": str(seed)})
            shutil.copytree(synced, ml / "checkpoints")
            if preset == "preset-corridor":
                shutil.copytree(OWN_ENVIRONMENT, ml / "code")
            copier = Copier(ml / "checkpoints", synced, random_numbers)
            process = Process(engine, ml)
            # Later and later: a job needs seconds to begin, and is to get somewhere.
            moment = random_numbers.uniform(0.0, 4.0 + 0.2 * attempt) if attempt < interruptions else None
            ended = process.wait(moment)
            if not ended and random_numbers.random() < 0.5:
                process.send(signal.SIGTERM)
                ended = process.wait(SECONDS_TO_STOP if random_numbers.random() < 0.5 else 0.2)
            if ended:
                copier.finish()
            else:
                process.send(signal.SIGKILL)
                process.wait(None)
                copier.cut()
            log = (ml / "log").read_text(encoding="utf-8", errors="replace")
            if ended and process.status not in (0, -signal.SIGTERM, 143):
                raise RuntimeError(f"the job failed:\n{log}")
            if attempt == interruptions:
                return Outcome(attempt, time.monotonic() - began, digest_of(ml / "model"))
            shutil.rmtree(ml)
    raise AssertionError("the last attempt is not interrupted")


def digest_of(model: Path) -> str:
    """Return the SHA-256 of a policy's parameters."""
    (parameters,) = model.glob("*.params")
    return hashlib.sha256(parameters.read_bytes()).hexdigest()


def main() -> None:
    """Run each preset and seed once at once and once interrupted, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--engine", choices=("process", "docker"), default="process")
    parser.add_argument("--presets", nargs="+", default=PRESETS)
    parser.add_argument("--seeds", type=int, default=1, help="how many, from 0 (default: %(default)s)")
    parser.add_argument("--interruptions", type=int, default=20, help="of each job (default: %(default)s)")
    options = parser.parse_args()
    print("| preset | seed | interruptions | s at once | s interrupted | weights, SHA-256 | the same |")
    print("| --- | ---: | ---: | ---: | ---: | --- | --- |")
    same = True
    for preset in options.presets:
        for seed in range(options.seeds):
            random_numbers = random.Random(f"{preset} {seed}")  # noqa: S311
            at_once = run(options.engine, preset, seed, 0, random_numbers)
            other = run(options.engine, preset, seed, options.interruptions, random_numbers)
            same &= at_once.digest == other.digest
            print(
                f"| {preset} | {seed} | {other.interruptions} | {at_once.seconds:.0f} | {other.seconds:.0f} | "
                f"{other.digest[:12]} | {'yes' if at_once.digest == other.digest else at_once.digest[:12]} |",
                flush=True,
            )
    sys.exit(0 if same else 1)


if __name__ == "__main__":
    main()
