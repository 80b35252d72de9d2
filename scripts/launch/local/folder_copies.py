"""Copies of a folder that a job writes into, kept while it runs."""

import os
from pathlib import Path

from launch.aws.storage import Storage, join
from launch.cli.errors import UsageError


class FolderCopy:
    """Copies files that are new or have changed to an address, one by one; what is removed stays there.

    SageMaker does so with ``/opt/ml/checkpoints``:
    https://docs.aws.amazon.com/sagemaker/latest/dg/model-checkpoints.html

    Args:
        storage: copies.
        folder: that the job writes into; it need not be there yet.
        uri: of the copy.
    """

    def __init__(self, storage: Storage, folder: Path, uri: str) -> None:
        self._storage, self._folder, self._uri = storage, folder, uri
        self._copied: dict[Path, tuple[int, int]] = {}

    def update(self) -> None:
        """Copy what has changed since the last call.

        Raises:
            UsageError: The address cannot be written.
        """
        # os.walk passes over a folder that is removed while it looks; Path.rglob raises.
        for folder, _, names in os.walk(self._folder):
            for path in (Path(folder, name) for name in sorted(names)):
                try:
                    self._copy(path)
                except (FileNotFoundError, UsageError):
                    if path.exists():
                        raise  # else the job has replaced or removed it meanwhile

    def _copy(self, path: Path) -> None:
        status = path.stat()
        version = (status.st_mtime_ns, status.st_size)
        if self._copied.get(path) != version:
            self._storage.upload(path, join(self._uri, path.relative_to(self._folder).as_posix()))
            self._copied[path] = version
