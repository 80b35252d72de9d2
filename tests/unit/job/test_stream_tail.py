"""The end of standard error, kept while it passes on: in a process of its own, whose descriptors are real."""

import subprocess
import sys

from jobs import CONTAINER_SRC

PROGRAM = """
import subprocess, sys
from sagemaker_rl.job import stream_tail
from sagemaker_rl.job.stream_tail import BYTES_KEPT, STDERR, StreamTail
{before}

with StreamTail(STDERR) as tail:
    print("of this process", file=sys.stderr)
    {inside}
print("after it", file=sys.stderr)
print(len(tail.text) <= BYTES_KEPT + 16 * 1024, tail.text.endswith("the end\\n"), "of this process" in tail.text)
{after}
"""


def run(inside: str, after: str = "", before: str = "") -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", PROGRAM.format(inside=inside, after=after, before=before)]
    return subprocess.run(
        command, env={"PYTHONPATH": str(CONTAINER_SRC)}, capture_output=True, text=True, check=True, timeout=30
    )


def test_it_passes_on_what_children_write():
    done = run("""subprocess.run(["sh", "-c", "echo of a child >&2; echo the end >&2"])""")
    assert done.stderr == "of this process\nof a child\nthe end\nafter it\n"
    assert done.stdout == "True True True\n"


def test_it_keeps_the_end_and_passes_all_on():
    done = run("""subprocess.run(["sh", "-c", "seq 100000 >&2; echo the end >&2"])""")
    assert len(done.stderr.splitlines()) == 100_003
    assert done.stdout == "True True False\n"


def test_a_process_left_behind_does_not_hold_it_up():
    start = """left = subprocess.Popen(["sh", "-c", "echo the end >&2; exec sleep 60"], stdout=subprocess.DEVNULL)"""
    done = run(start, "left.kill()", before="stream_tail.SECONDS_TO_FINISH /= 10")  # within the timeout
    assert "after it" in done.stderr
    assert done.stdout == "True True True\n"


def test_what_this_process_still_holds_is_kept_too():
    program = (
        "import sys\nfrom sagemaker_rl.job.stream_tail import STDOUT, StreamTail\n"
        "with StreamTail(STDOUT) as tail:\n    sys.stdout.write('held')\n"
        "print(repr(tail.text), file=sys.stderr)"
    )
    environment = {"PYTHONPATH": str(CONTAINER_SRC)}
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, timeout=30)
    assert (done.stdout, done.stderr) == ("held", "'held'\n")
