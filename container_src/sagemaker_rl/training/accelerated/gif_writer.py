"""GIFs of evaluations, written beside the training that follows: drawing an episode takes longer than playing it."""

from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

from sagemaker_rl.coach.recording import Recording, RenderError
from sagemaker_rl.job import outputs


@dataclass(frozen=True)
class RecordedEpisode:
    """An episode that becomes a GIF: its recording, its number in the run, and its return."""

    recording: Recording
    number: int
    score: float


class GifWriter:
    """Writes GIFs, one at a time, in a thread of its own."""

    def __init__(self) -> None:
        self._executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="gifs")
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
        self._writing = self._executor.submit(_write, episode)

    def wait(self) -> None:
        """Wait until what was submitted is written; raise what went wrong with it."""
        if self._writing is not None:
            self._writing.result()
            self._writing = None

    def close(self) -> None:
        """Wait, and end the thread."""
        self.wait()
        self._executor.shutdown()


def _write(episode: RecordedEpisode) -> None:
    from rl_coach import logger

    try:
        pictures = episode.recording.draw()
    except RenderError as error:
        outputs.metric_line("GIFs", GIFs="none", Reason=error)
        return
    logger.create_gif(pictures, name=f"episode-{episode.number}_score-{episode.score}")
    episode.recording.save_trace(episode.number)
