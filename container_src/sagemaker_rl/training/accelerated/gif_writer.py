"""GIFs of evaluations, written beside the training that follows: drawing an episode takes longer than playing it.

They are written in a process: a thread takes the interpreter's lock from the training, which got an eighth faster.
"""

import contextlib
import multiprocessing
import os
import signal
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass

from sagemaker_rl.coach.recording import Recording, RenderError
from sagemaker_rl.errors import InputError
from sagemaker_rl.job import outputs, stopping
from sagemaker_rl.training.accelerated import forks


@dataclass(frozen=True)
class RecordedEpisode:
    """An episode that becomes a GIF: its recording, its number in the run, and its return."""

    recording: Recording
    number: int
    score: float


class GifWriter:
    """Writes GIFs, one at a time, in a fork of this process that begins with the first of them."""

    def __init__(self) -> None:
        self._executor = ProcessPoolExecutor(
            max_workers=1,
            mp_context=multiprocessing.get_context("fork"),
            initializer=forks.begin,
            initargs=(os.getpid(), signal.SIG_IGN),
        )
        self._writing: Future[None] | None = None
        self.kept: RecordedEpisode | None = None
        """Of the last evaluation, whose result and checkpoint need not wait for its GIF."""

    def submit_kept(self) -> None:
        """Begin to write the GIF of the episode that is kept, if there is one."""
        self.wait()
        if self.kept is not None:
            self.submit(self.kept)
            self.kept = None

    def submit(self, episode: RecordedEpisode) -> None:
        """Begin to write the GIF and the trace of an episode, once the one before it is written."""
        self.wait()
        with stopping.blocked(), _told_in_one_sentence():
            self._writing = self._executor.submit(_write, episode)

    def wait(self) -> None:
        """Wait until what was submitted is written; raise what went wrong with it."""
        if self._writing is not None:
            with _told_in_one_sentence():
                self._writing.result()
            self._writing = None

    def close(self) -> None:
        """Wait, and end the process."""
        self.wait()
        self._executor.shutdown()


@contextlib.contextmanager
def _told_in_one_sentence() -> Iterator[None]:
    try:
        yield
    except BrokenProcessPool:
        raise InputError(
            "The process that writes GIFs was ended, as the system does it where memory is short, expected it to live "
            "as long as the job."
        ) from None


def _write(episode: RecordedEpisode) -> None:
    from rl_coach import logger

    try:
        pictures = episode.recording.draw()
    except RenderError as error:
        outputs.metric_line("GIFs", GIFs="none", Reason=error)
        return
    logger.create_gif(pictures, name=f"episode-{episode.number}_score-{episode.score}")
    episode.recording.save_trace(episode.number)
