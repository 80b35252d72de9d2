"""The ranks of a job: processes, on one host or several, that train one policy together by MPI.

Every rank knows all that has been collected, and decides the same. What takes long is shared out: the copies of the
environment, and the blocks of a batch whose gradients are computed. A rank does its share and is told the others'.

mpi4py (https://mpi4py.readthedocs.io) is imported only where mpirun has started several processes.
"""

import atexit
import functools
import os
import shutil
import signal
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sagemaker_rl.errors import InputError
from sagemaker_rl.job import outputs, stopping
from sagemaker_rl.job.ml_paths import MLPaths
from sagemaker_rl.job.stopping import Stopped

if TYPE_CHECKING:  # it reads the environment when it is imported, which is not prepared yet
    import numpy as np

SECONDS_OF_THE_FIRST = 2.0
"""In which the first rank says why the job fails, where all find the same: the others wait so long with theirs."""


class Ranks:
    """A process that trains alone; MPIRanks has the same members for several."""

    rank = 0
    size = 1

    def __init__(self) -> None:
        self.questions: dict[str, Callable[[], bool]] = {}
        """What ranks act on together though each may find it at another time: a signal, a clock."""

    def share(self, number: int, rank: int | None = None) -> range:
        """Return a rank's share of so many things, this one's if none is named: some in a row, perhaps none.

        The first rank has the first thing, if there is any.
        """
        rank = self.rank if rank is None else rank
        first, end = (-(-each * number // self.size) for each in (rank, rank + 1))
        return range(first, end)

    def agreed(self, question: str) -> bool:
        """Return whether any rank says yes, as far as all of them know; see ``VectorEnv.step`` of RankedEnvs."""
        return self.questions[question]()

    def any_of(self, answer: bool) -> bool:
        """Ask all ranks, which call this together, and return whether one of them says yes."""
        return answer

    def gather(self, part: Any) -> list[Any]:
        """Return what each rank has called this with, in the order of the ranks; every rank gets it."""
        return [part]

    def decide(self, value: Any) -> Any:
        """Return what the first rank has called this with."""
        return value

    def rows(self, part: "np.ndarray", lengths: Sequence[int]) -> "np.ndarray":
        """Return the arrays of all ranks one after the other, ``(sum(lengths), *shape)``.

        Args:
            part: of this rank, ``(lengths[rank], *shape)``.
            lengths: of each rank's.
        """
        return part


class MPIRanks(Ranks):
    """The processes that mpirun has started."""

    def __init__(self) -> None:
        super().__init__()
        from mpi4py import MPI

        self._communicator = MPI.COMM_WORLD
        self.rank, self.size = self._communicator.rank, self._communicator.size
        self.answers = 0
        """What the ranks have answered last, a bit for each question."""

    def ask(self) -> int:
        """Return what this rank answers now, a bit for each of the questions."""
        return sum(answer() << bit for bit, answer in enumerate(self.questions.values()))

    def agreed(self, question: str) -> bool:
        return bool(self.answers >> list(self.questions).index(question) & 1)

    def any_of(self, answer: bool) -> bool:
        return any(self.gather(answer))

    def gather(self, part: Any) -> list[Any]:
        return list(self._communicator.allgather(part))

    def decide(self, value: Any) -> Any:
        return self._communicator.bcast(value)

    def rows(self, part: "np.ndarray", lengths: Sequence[int]) -> "np.ndarray":
        import numpy as np

        part = np.ascontiguousarray(part)
        whole = np.empty((sum(lengths), *part.shape[1:]), part.dtype)
        row_bytes = part.dtype.itemsize * int(np.prod(part.shape[1:]))
        sizes = [length * row_bytes for length in lengths]
        self._communicator.Allgatherv(part.reshape(-1).view(np.uint8), (whole.reshape(-1).view(np.uint8), sizes))
        return whole


def are_several() -> bool:
    """Tell whether mpirun has started this process as one of several."""
    return int(os.environ.get("OMPI_COMM_WORLD_SIZE", "1")) > 1


@functools.cache
def of_this_job() -> Ranks:
    """Return the ranks that this process is one of."""
    return MPIRanks() if are_several() else Ranks()


def _move_aside() -> None:
    """Have this rank write into a folder of its own that goes when it ends, and say nothing but its errors.

    The job's input is the same.
    """
    real, own = MLPaths.from_environment(), Path(tempfile.mkdtemp(prefix="rank-"))
    atexit.register(shutil.rmtree, own, ignore_errors=True)
    for name in ("input", "code"):
        (own / name).symlink_to(real.root / name)
    os.environ["SAGEMAKER_BASE_DIR"] = str(own)
    with open(os.devnull, "wb") as nothing:
        os.dup2(nothing.fileno(), 1)


def run(job: Callable[[], None], forget_paths: Callable[[], object]) -> None:
    """Run ``job``, which no rank may leave alone: others would wait for it for ever.

    The first rank alone writes and speaks for the job; the others do the same where nobody sees it. Where all find the
    same fault the first one says so, and ends the others.

    Args:
        job: of this rank.
        forget_paths: called where the job's folders become others.

    Raises:
        InputError: The user's code has ended one of several ranks, as if all were done.
    """
    if are_several():
        # A rank that is through waits in MPI for the others. Killed there by a signal, it would take them along.
        atexit.register(stopping.ignore)
        if of_this_job().rank:
            _move_aside()
            forget_paths()
    try:
        job()
    except Stopped:
        if are_several():
            os._exit(128 + signal.SIGTERM)  # mpirun ends the others
        raise
    except BaseException as error:
        if are_several():
            _end_others_with_this_one()
            if of_this_job().rank:
                time.sleep(SECONDS_OF_THE_FIRST)
            if isinstance(error, SystemExit) and error.code in (0, None):
                raise InputError(
                    f"Rank {of_this_job().rank} was ended by sys.exit({error.code or ''}) while others went on."
                ) from None
        raise


def _end_others_with_this_one() -> None:
    """Have MPI end the job when this process ends: else it would wait for the others, and they for it.

    ``python -m mpi4py`` does the same, but a shell script may have started this process.
    """
    from mpi4py import run

    run.set_abort_status(1)


def only_first_trains(reason: str) -> bool:
    """Return whether this rank has nothing to do, where the job is trained by the first alone; say so in the log."""
    ranks = of_this_job()
    if ranks.size > 1:
        outputs.metric_line("Hosts", Ranks=ranks.size, Training_on="the first rank, on algo-1, alone", Reason=reason)
    return ranks.rank > 0
