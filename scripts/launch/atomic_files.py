"""Files that appear whole or not at all, also where several processes write the same one."""

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

PRIVATE = 0o600


@contextlib.contextmanager
def replacing(path: Path, mode: int = 0o644) -> Iterator[Path]:
    """Give a new file beside ``path`` to write to; in the end it takes the place of ``path``, after an error it goes.

    The folder is made. Until then the file is its owner's alone.

    Args:
        path: of the file.
        mode: who may read it, by default everybody; PRIVATE for what may hold secrets.

    Raises:
        OSError: The file cannot be made or moved: what ``path`` held stays.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    os.close(handle)
    staged = Path(name)
    try:
        yield staged
        staged.chmod(mode)
        os.replace(staged, path)
    except BaseException:
        with contextlib.suppress(OSError):
            staged.unlink()
        raise
