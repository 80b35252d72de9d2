"""The folder that a job sees as ``/opt/ml``, and the archives that SageMaker makes of it.

https://docs.aws.amazon.com/sagemaker/latest/dg/your-algorithms-training-algo-running-container.html
"""

import gzip
import json
import tarfile
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from launch.atomic_files import replacing
from launch.cli.errors import UsageError


def write_config(ml: Path, request: Mapping[str, Any], host: str, hosts: Sequence[str], network_interface: str) -> None:
    """Write ``input/config`` as SageMaker does before it starts a container.

    Args:
        ml: the tree.
        request: of CreateTrainingJob.
        host: the name of the container that the tree is for.
        hosts: the names of all containers of the job.
        network_interface: on which they reach each other.
    """
    config = ml / "input" / "config"
    config.mkdir(parents=True)
    instance_type = request.get("ResourceConfig", {}).get("InstanceType", "local")
    contents = {
        "hyperparameters.json": request.get("HyperParameters", {}),
        "resourceconfig.json": {
            "current_host": host,
            "current_instance_type": instance_type,
            "current_group_name": "homogeneousCluster",
            "hosts": list(hosts),
            "instance_groups": [
                {
                    "instance_group_name": "homogeneousCluster",
                    "instance_type": instance_type,
                    "hosts": list(hosts),
                }
            ],
            "network_interface_name": network_interface,
        },
        "inputdataconfig.json": {
            channel["ChannelName"]: {
                "TrainingInputMode": "File",
                "S3DistributionType": "FullyReplicated",
                "RecordWrapperType": "None",
                **({"ContentType": channel["ContentType"]} if "ContentType" in channel else {}),
            }
            for channel in request.get("InputDataConfig", [])
        },
    }
    for name, content in contents.items():
        (config / name).write_text(json.dumps(content), encoding="utf-8")


def pack(folders: Sequence[Path], archive: Path) -> bool:
    """Pack the contents of folders as a ``.tar.gz``; of a file that several have, the first one's.

    Returns:
        Whether there was any file; if not, no archive is written.
    """
    files: dict[str, Path] = {}
    for folder in folders:
        for path in sorted(folder.rglob("*")) if folder.is_dir() else ():
            files.setdefault(str(path.relative_to(folder)), path)
    if not files:
        return False
    with replacing(archive) as staged, tarfile.open(staged, "w:gz", compresslevel=6) as tar:
        for name, path in sorted(files.items()):
            tar.add(path, name, recursive=False)
    return True


def check_archive(archive: Path, display_name: str | None = None) -> None:
    """Read a ``.tar.gz`` to its end, where gzip's checksum shows whether it is damaged.

    Args:
        archive: the file.
        display_name: its name in error messages; its path by default.

    Raises:
        UsageError: It is no such archive, it is damaged, or a member is a link or a device, or has a path that leads
            out of the archive's folder.
    """
    name = display_name or str(archive)
    try:
        with gzip.open(archive) as stream:
            with tarfile.open(fileobj=stream, mode="r:") as tar:
                for member in tar:
                    path = Path(member.name)
                    if path.is_absolute() or ".." in path.parts or not (member.isfile() or member.isdir()):
                        raise UsageError(
                            f"{name} holds {member.name!r}, expected only plain files below its own folder."
                        )
            while stream.read(1 << 20):
                pass
    except (gzip.BadGzipFile, zlib.error, EOFError, tarfile.TarError) as error:
        raise UsageError(f"{name} cannot be unpacked: it is damaged, or no tar.gz ({error}).") from None


def unpack(archive: Path, folder: Path, display_name: str | None = None) -> None:
    """Unpack a ``.tar.gz`` of plain files below ``folder``, after ``check_archive``.

    Raises:
        UsageError: See there.
    """
    check_archive(archive, display_name)
    with tarfile.open(archive, "r:gz") as tar:
        for member in tar:
            tar.extract(member, folder, set_attrs=False)
