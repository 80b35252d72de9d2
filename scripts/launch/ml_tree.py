"""The folder that a job sees as ``/opt/ml``, and the archives that SageMaker makes of it.

https://docs.aws.amazon.com/sagemaker/latest/dg/your-algorithms-training-algo-running-container.html
"""

import json
import os
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from launch.errors import UsageError


def write_config(ml: Path, request: Mapping[str, Any], host: str, hosts: Sequence[str], network_interface: str) -> None:
    """Write ``input/config`` as SageMaker does before it starts a container.

    Args:
        ml: the tree.
        request: of CreateTrainingJob.
        host: the name of the container that will see the tree.
        hosts: the names of all of them.
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
    """Pack the contents of folders as a ``.tar.gz``; of a file that several have, the first. Nothing if all are empty.

    Returns:
        Whether there was anything.
    """
    files: dict[str, Path] = {}
    for folder in folders:
        for path in sorted(folder.rglob("*")) if folder.is_dir() else ():
            files.setdefault(str(path.relative_to(folder)), path)
    if not files:
        return False
    archive.parent.mkdir(parents=True, exist_ok=True)
    staged = archive.with_name(f".{archive.name}")
    with tarfile.open(staged, "w:gz", compresslevel=6) as tar:
        for name, path in sorted(files.items()):
            tar.add(path, name, recursive=False)
    os.replace(staged, archive)
    return True


def unpack(archive: Path, folder: Path) -> None:
    """Unpack a ``.tar.gz`` of plain files below ``folder``.

    Raises:
        UsageError: It is no such archive, or a member is a link, a device, or has a path that leads out.
    """
    try:
        with tarfile.open(archive) as tar:
            for member in tar:
                path = Path(member.name)
                if path.is_absolute() or ".." in path.parts or not (member.isfile() or member.isdir()):
                    raise UsageError(
                        f"{archive} holds {member.name!r}, expected only plain files below its own folder."
                    )
                tar.extract(member, folder, set_attrs=False)
    except (OSError, tarfile.TarError, EOFError) as error:
        raise UsageError(f"{archive} cannot be unpacked: {error}.") from None
