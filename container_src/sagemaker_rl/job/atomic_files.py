"""Files that appear whole or not at all."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a path beside ``path`` to write to; in the end it takes the place of ``path``, after an error it is removed.

    Raises:
        OSError: It cannot be moved: what ``path`` held stays.
    """
    staged = path.with_name(f".{path.name}.tmp")
    try:
        yield staged
        os.replace(staged, path)
    except BaseException:
        with contextlib.suppress(OSError):
            staged.unlink()
        raise
