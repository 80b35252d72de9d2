"""The documents: their pages, the code and the commands in them, and a fresh copy of the repository to run them in."""

import os
import re
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import psutil
from jobs import ROOT

MACHINERY = ("PYTEST_", "RL_", "AWS_", "SAGEMAKER_", "VIRTUAL_ENV", "PYTHONPATH")
"""Prefixes of environment variables that a user's shell has not."""
SECONDS_PER_PAGE = 600
SECONDS_TO_END = 15
NOT_RUN = {
    ("README.md", "make test"): "these are the tests",
    ("README.md", "python scripts/push_images.py"): "tests/aws/test_push_images.py pushes to a registry",
    ("docs/aws.md", "python scripts/push_images.py"): "tests/aws/test_push_images.py pushes to a registry",
    (
        "docs/aws.md",
        "python scripts/stop.py $JOB",
    ): "the local AWS server's jobs have ended; test_walk_through.py stops one",
    (
        "docs/aws.md",
        "python scripts/deploy.py $JOB --endpoint-name cars-later --async --autoscale 0:4",
    ): "the local AWS server has no queue; tests/aws/test_async_inference.py has the requests",
    (
        "docs/aws.md",
        "python scripts/predict.py --async --endpoint-name cars-later --file observations.csv",
    ): "the local AWS server has no queue; tests/aws/test_async_inference.py asks it",
    (
        "docs/aws.md",
        "python scripts/tune.py --range training_learning_rate=1e-4:1e-2:log"
        " --range discount=0.99:0.9999:reverse-log --wait",
    ): "the local AWS server does not tune; tests/aws/test_tune.py has the request, and follows a tuning job",
    (
        "docs/local-mode.md",
        "python scripts/tune.py --local --range training_learning_rate=3e-4:3e-2:log"
        " --range discount=0.99:0.9999:reverse-log --max-jobs 4 --random-seed 1"
        " -p seed=1 -p improve_steps=393216 --wait",
    ): "a minute; tests/aws/test_tune.py tunes shorter jobs",
    (
        "docs/serving.md",
        "python -m pytest -q tests/serving/attacks --server $URL",
    ): "tests/serving/attacks are run at a server of their own",
    (
        "docs/serving.md",
        "python tests/serving/attacks/mixed_load.py --minutes 10",
    ): "tests/serving/attacks/test_attack_drivers.py runs it for seconds",
    (
        "docs/serving.md",
        "python tests/serving/attacks/memory_limits.py --model car",
    ): "tests/container/test_memory_limits.py runs a part of it",
    ("docs/aws.md", "python scripts/build_in_codebuild.py"): "tests/aws/test_codebuild.py runs the build's commands",
    (
        "docs/training.md",
        "PYTHONPATH=container_src python -m sagemaker_rl.report.optimum",
    ): "value iteration for minutes",
    (
        "docs/scale-out.md",
        "python scripts/train.py --local --instance-count 2 --wait -p seed=1 -p improve_steps=393216",
    ): "tests/aws/test_two_hosts.py trains on two hosts",
    (
        "docs/scale-out.md",
        "python scripts/train.py --instance-count 4 --processes-per-host 2 --wait",
    ): "the local AWS server runs no jobs; tests/unit/launch/test_hosts.py has the request",
    ("docs/local-mode.md", "make images"): "tests/container/ builds both images",
    ("docs/local-mode.md", "docker/base/build_base.sh"): "changes the engine's base image",
    (
        "docs/local-mode.md",
        "docker build --platform linux/amd64 -f docker/training/Dockerfile -t mountain-car-training .",
    ): "moves the tag of an image that other tests use",
    (
        "docs/local-mode.md",
        "local_test/train_local.sh mountain-car-training",
    ): "tests/container/ runs the three scripts",
    ("docs/local-mode.md", "local_test/serve_local.sh mountain-car-serving"): "tests/container/ runs the three scripts",
    (
        "docs/local-mode.md",
        "local_test/predict.sh local_test/payloads/batch.csv text/csv",
    ): "tests/container/ runs the three scripts",
    ("CONTRIBUTING.md", "git clone REPOSITORY mountain-car && cd mountain-car"): "the copy stands in for the clone",
    ("CONTRIBUTING.md", "make test"): "these are the tests",
    ("CONTRIBUTING.md", "make test PYTEST_ARGS=tests/unit"): "these are the tests",
    ("CONTRIBUTING.md", "make lint"): "runs before the tests",
    ("CONTRIBUTING.md", "make mutation"): "an hour",
    (
        "CONTRIBUTING.md",
        'make mutation MUTATION_ARGS="--only container_src/sagemaker_rl/job/ --tests tests/unit/job --size 40"',
    ): "minutes",
    ("CONTRIBUTING.md", "docker/lock.sh"): "asks a package index",
    ("benchmarks/README.md", "make bench"): "an hour",
    ("benchmarks/README.md", "make bench-scale"): "minutes",
    ("benchmarks/README.md", 'make bench-scale BENCH_ARGS="--only model"'): "draws the plot anew",
    ("benchmarks/README.md", "make bench QUICK=1"): "minutes",
    ("benchmarks/README.md", "make bench BENCH_ARGS=--reuse"): "trains what is not measured yet",
    ("benchmarks/README.md", 'make bench BENCH_ARGS="--systems=ours-continuous,sb3-ppo --seeds=2"'): "minutes",
    ("benchmarks/README.md", "make bench BENCH_ARGS=--systems=cartpole"): "half an hour",
    ("benchmarks/README.md", "make images && make bench-serving"): "minutes, and needs Java",
    ("benchmarks/README.md", "python benchmarks/serving_batches.py"): "minutes",
    (
        "benchmarks/README.md",
        "make bench BENCH_ARGS=--systems=ours-continuous,ours-notebook,ours-discrete",
    ): "minutes",
    ("benchmarks/README.md", "python benchmarks/early_stopping.py --seeds 11 12 13 14 15 21 22 23 24 25"): "minutes",
    (
        "benchmarks/README.md",
        "python benchmarks/early_stopping.py --cars continuous --patience 2 --seeds $(seq 11 15) $(seq 21 40)",
    ): "half an hour",
    ("benchmarks/README.md", "python benchmarks/interruptions.py"): "minutes",
    ("benchmarks/README.md", "python benchmarks/interruptions.py --engine docker"): "minutes",
    ("benchmarks/README.md", "python benchmarks/checkpoint_cost.py --repeats 2"): "minutes",
    ("benchmarks/README.md", "python benchmarks/first_minute.py 1e39fc4 3b22b84 HEAD --rounds 2"): "minutes",
}
"""Commands that no test of the documents runs, and why. On the page they say what they need, or how long they take."""


@dataclass(frozen=True)
class Command:
    """A command on a page: a ``$`` line of a console block, or a whole block of shell script.

    Attributes:
        page: path from the repository's root.
        line: number of its first line on the page.
        text: what a shell runs, without the comment at its end.
        comment: the comment.
    """

    page: str
    line: int
    text: str
    comment: str = ""

    @property
    def is_left_out(self) -> bool:
        """Whether the page says that the command needs what a reader may not have, or takes long."""
        return self.comment.startswith(("needs ", "takes "))


@dataclass(frozen=True)
class Page:
    """A Markdown file of the repository, by its path from the root."""

    name: str

    @property
    def text(self) -> str:
        return (ROOT / self.name).read_text(encoding="utf-8")

    @property
    def prose(self) -> str:
        """The page without its blocks of code."""
        return re.sub(r"^ *```.*?^ *```", "", self.text, flags=re.MULTILINE | re.DOTALL)

    def blocks(self) -> list[tuple[int, str, str]]:
        """Return the blocks of code: number of the first line of code, language, code."""
        fences = re.finditer(r"^```(\w*)\n(.*?)^```$", self.text, flags=re.MULTILINE | re.DOTALL)
        return [(self.text.count("\n", 0, fence.start()) + 2, fence[1], fence[2]) for fence in fences]

    def commands(self) -> list[Command]:
        """Return the commands in their order."""
        commands = []
        for first, language, code in self.blocks():
            if language == "sh":
                commands.append(Command(self.name, first, code.rstrip()))
            elif language == "console":
                for number, line in enumerate(code.splitlines(), first):
                    if match := re.fullmatch(r"\$ (.*?)(?:\s+# (.*))?", line):
                        commands.append(Command(self.name, number, match[1], match[2] or ""))
        return commands

    def code(self) -> list[str]:
        """Return all that is written as code: commands, and what stands between backticks in a line."""
        return [command.text for command in self.commands()] + re.findall(r"`([^`\n]+)`", self.prose)


def tracked_files() -> list[str]:
    """Return the files of the repository as they are now, those not committed yet among them."""
    listing = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    names = subprocess.check_output(listing, cwd=ROOT, text=True).splitlines()
    return [name for name in names if (ROOT / name).is_file()]


PAGES = [Page(name) for name in tracked_files() if name.endswith(".md")]


def copy_repository(target: Path) -> Path:
    """Copy the repository as a clone has it, with this environment as its ``.venv``."""
    for name in tracked_files():
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, target / name)
    # A folder of links: what would make the environment anew removes the links, and not what they lead to.
    environment = target / ".venv"
    environment.mkdir()
    for path in Path(sys.prefix).iterdir():
        (environment / path.name).symlink_to(path)
    for stamp in ("ready", "tested"):  # to make, the environment is newer than the lock files
        (environment / stamp).unlink(missing_ok=True)
        (environment / stamp).touch()
    return target


def users_environment() -> dict[str, str]:
    """Return the environment of a shell that runs jobs and endpoints as processes of this machine."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(MACHINERY)}
    return {
        **kept,
        "RL_LOCAL_ENGINE": "process",
        "AWS_EC2_METADATA_DISABLED": "true",
        "NO_PROXY": "127.0.0.1,localhost",
        "no_proxy": "127.0.0.1,localhost",
    }


def run_commands(page: Page, copy: Path, environment: dict[str, str]) -> str:
    """Run a page's commands in one shell, in their order, in a copy of the repository; return what they printed.

    A question is answered by yes.

    Raises:
        AssertionError: A command failed, or a process is left running.
    """
    lines = ["set -e -o pipefail"]
    for command in page.commands():
        if not command.is_left_out:
            shown = f"+ {command.page}:{command.line}: {command.text.splitlines()[0]}"
            lines += [f"printf '%s\\n' '{shown.replace(chr(39), '')}'", command.text]
    script, output = copy / ".commands.sh", copy / ".commands.log"
    script.write_text("\n".join(lines) + "\n", encoding="utf-8")
    with output.open("w") as log, subprocess.Popen(["yes"], stdout=subprocess.PIPE) as yes:
        try:
            shell = subprocess.run(
                ["bash", str(script)],
                cwd=copy,
                env=environment,
                stdin=yes.stdout,
                stdout=log,  # no pipe: an endpoint that goes on would keep it open
                stderr=log,
                timeout=SECONDS_PER_PAGE,
            )
        finally:
            yes.kill()
            left = end_processes_of(copy)
    printed = output.read_text(encoding="utf-8")
    assert shell.returncode == 0, printed[-5000:]
    assert not left, left
    return printed


def end_processes_of(folder: Path) -> list[str]:
    """Return the command lines of processes that work in a folder and do not end by themselves; end them."""
    deadline = time.monotonic() + SECONDS_TO_END
    while (left := _processes_of(folder)) and time.monotonic() < deadline:
        time.sleep(0.2)
    command_lines = []
    for process in left:
        try:
            command_lines.append(" ".join(process.cmdline()))
            process.kill()
        except psutil.NoSuchProcess:
            continue
    return command_lines


def _processes_of(folder: Path) -> list[psutil.Process]:
    processes = []
    for process in psutil.process_iter():
        try:
            works_there = Path(process.cwd()).is_relative_to(folder) or str(folder) in " ".join(process.cmdline())
        except psutil.Error:
            continue
        if works_there and process.pid != os.getpid() and process.status() != psutil.STATUS_ZOMBIE:
            processes.append(process)
    return processes
