"""A program's end in one sentence, from its exit status and the end of its standard error."""

import pytest
from sagemaker_rl.job import exit_reasons

TRACEBACK = """Traceback (most recent call last):
  File "/opt/ml/code/main.py", line 9, in <module>
    read()
  File "/opt/ml/code/main.py", line 4, in read
    raise ValueError("no column speed")
ValueError: no column speed
"""
CHAINED = """Traceback (most recent call last):
  File "main.py", line 2, in <module>
    {}["speed"]
    ~~^^^^^^^^^
KeyError: 'speed'

During handling of the above exception, another exception occurred:

Traceback (most recent call last):
  File "main.py", line 4, in <module>
    raise tables.MissingColumn("speed")
tables.MissingColumn: speed
"""
SYNTAX_ERROR = """  File "/opt/ml/code/main.py", line 2
    x = (
        ^
SyntaxError: '(' was never closed
"""
UNDER_MPIRUN = """[1,1]<stderr>:Traceback (most recent call last):
[1,1]<stderr>:  File "main.py", line 1, in <module>
[1,1]<stderr>:    1 / 0
[1,1]<stderr>:ZeroDivisionError: division by zero
--------------------------------------------------------------------------
Primary job  terminated normally, but 1 process returned
a non-zero exit code.
--------------------------------------------------------------------------
"""
FINALIZER = """Exception ignored in: <function Simulator.__del__ at 0x7f>
Traceback (most recent call last):
  File "own.py", line 7, in __del__
AttributeError: 'Simulator' object has no attribute 'socket'
"""
CAUGHT_LONG_AGO = TRACEBACK + "".join(f"step {number}\n" for number in range(100))


@pytest.mark.parametrize(
    ("status", "stderr", "reason"),
    [
        (1, TRACEBACK, "main.py failed with ValueError: no column speed"),
        (1, CHAINED, "main.py failed with tables.MissingColumn: speed"),
        (1, SYNTAX_ERROR, "main.py failed with SyntaxError: '(' was never closed"),
        (1, UNDER_MPIRUN, "main.py failed with ZeroDivisionError: division by zero"),
        (1, TRACEBACK + FINALIZER, "main.py failed with ValueError: no column speed"),
        (1, FINALIZER + TRACEBACK, "main.py failed with ValueError: no column speed"),
        (1, TRACEBACK + "expected: speed\n", "main.py failed with ValueError: no column speed expected: speed"),
        (1, TRACEBACK.replace("ValueError: no column speed", "AssertionError"), "main.py failed with AssertionError"),
        (1, TRACEBACK.replace("\n", "\r\n"), "main.py failed with ValueError: no column speed"),
        (1, CAUGHT_LONG_AGO, "main.py ended with exit status 1: step 99"),
        (2, FINALIZER, "main.py ended with exit status 2; see the log."),
        (
            2,
            "usage: main.py\nmain.py: error: no --speed\n\n",
            "main.py ended with exit status 2: main.py: error: no --speed",
        ),
        (1, "10%|#\r100%|##########\nno rows\n", "main.py ended with exit status 1: no rows"),
        (1, "10%|#\r100%|##########", "main.py ended with exit status 1: 100%|##########"),
        (1, "\x1b[31mno rows\x1b[0m\n", "main.py ended with exit status 1: no rows"),
        (3, "", "main.py ended with exit status 3; see the log."),
        (-9, TRACEBACK, "main.py was killed by signal 9, perhaps out of memory."),
        (137, "Killed\n", "main.py was killed by signal 9, perhaps out of memory."),
        (-11, "", "main.py was killed by signal 11 (segmentation fault)."),
        (134, "", "main.py was killed by signal 6 (aborted)."),
        (255, "", "main.py ended with exit status 255; see the log."),
    ],
)
def test_why_a_program_failed(status, stderr, reason):
    assert exit_reasons.program_reason("main.py", status, stderr) == reason


RULE = "-" * 74 + "\n"
ABORTED = f"{RULE}Primary job  terminated normally, but 1 process returned\na non-zero exit code.\n{RULE}"
NOTICED = "mpirun noticed that process rank {} with PID 24 on node {} exited on signal {} ({}).\n"
LOST = f"""{RULE}ORTE has lost communication with a remote daemon.

  HNP daemon   : [[41208,0],0] on node algo-1
  Remote daemon: [[41208,0],1] on node algo-2

This is usually due to either a failure of the TCP network
{RULE}"""

LEFT = f"""{RULE}mpirun has exited due to process rank 1 with PID 0 on
node algo-2 exiting improperly. There are three reasons this could occur:
{RULE}"""


@pytest.mark.parametrize(
    ("output", "reason"),
    [
        (
            ABORTED + RULE + NOTICED.format(1, "algo-2", 9, "Killed") + RULE,
            "Rank 1 of main.py on algo-2 was killed by signal 9, perhaps out of memory.",
        ),
        (
            RULE + NOTICED.format(12, "algo-1", 11, "Segmentation fault") + RULE,
            "Rank 12 of main.py on algo-1 was killed by signal 11 (segmentation fault).",
        ),
        (
            RULE + NOTICED.format(1, "algo-2", 9, "Killed").replace(" exited on signal", "\nexited on\nsignal") + RULE,
            "Rank 1 of main.py on algo-2 was killed by signal 9, perhaps out of memory.",
        ),
        (
            f"MXNet start using engine: NaiveEngine\n{LEFT}",
            "Rank 1 of main.py on algo-2 ended by itself, with exit status 0, while others went on.",
        ),
        (f"{TRACEBACK}{LEFT}", "main.py failed with ValueError: no column speed"),
        (f"Error: It is red.\n{LEFT}", "It is red."),
        (f"before\n{LOST}", "Host algo-2 of the job was lost while main.py ran; its ranks end with it."),
        (
            f"root@algo-2: Permission denied (publickey).\n{RULE}ORTE was unable to reliably start daemons.\n{RULE}",
            "The ranks of main.py cannot be started on another host: Permission denied (publickey).",
        ),
        (
            "Host key verification failed.\n",
            "The ranks of main.py cannot be started on another host: Host key verification failed.",
        ),
        (f"Error: It is red.\nError: It is blue.\n{ABORTED}", "It is red."),
        (
            f"started\n{RULE}mpirun detected that\n\n  Process name: [[9,1],3]\n  Exit code:    7\n{RULE}",
            "Rank 3 of main.py ended with exit status 7; see the log.",
        ),
        (
            f"{TRACEBACK}{RULE}  Process name: [[9,1],3]\n  Exit code:    1\n{RULE}",
            "main.py failed with ValueError: no column speed",
        ),
        (
            "mpirun: Error: unknown option \"--wrong\"\nType 'mpirun --help' for usage.\n",
            'mpirun does not take hyperparameter sagemaker_mpi_custom_mpi_options: Error: unknown option "--wrong"',
        ),
        (f"{TRACEBACK}{ABORTED}", "main.py failed with ValueError: no column speed"),
        (f"{RULE}MPI_ABORT was invoked on rank 1\n{RULE}", "main.py ended with exit status 1; see the log."),
        (f"\x1b[31mError: It is red.\x1b[0m\n{ABORTED}", "It is red."),
    ],
)
def test_why_ranks_failed(output, reason):
    assert exit_reasons.ranks_reason("main.py", 1, output) == reason


def test_a_module_that_is_missing_is_named_with_what_to_do():
    stderr = TRACEBACK.replace("ValueError: no column speed", "ModuleNotFoundError: No module named 'scipy.signal'")
    assert exit_reasons.program_reason("main.py", 1, stderr) == (
        "main.py failed with ModuleNotFoundError: No module named 'scipy.signal' in the source or in the image: name "
        "its package in requirements.txt, or install it in an image of your own (docs/environments.md)."
    )


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (ValueError("no column speed"), "no column speed"),
        (ValueError("no column:\n  speed\n\n  position"), "no column: speed position"),
        (ValueError(), ""),
        (
            RuntimeError(
                'Traceback (most recent call last):\n  File "../src/op.cc", line 8\nRuntimeError: Check failed'
            ),
            "Check failed",
        ),
    ],
)
def test_an_exceptions_own_words(error, words):
    assert exit_reasons.own_words(error) == words
