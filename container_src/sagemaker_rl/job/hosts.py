"""The hosts of a job, as SageMaker names them in ``resourceconfig.json``.

https://docs.aws.amazon.com/sagemaker/latest/dg/your-algorithms-training-algo-running-container.html
"""

import json

from sagemaker_rl.job import outputs, ranks
from sagemaker_rl.job.ml_paths import MLPaths

WITHOUT_MPI = "hyperparameter sagemaker_mpi_enabled is not set"


def names(paths: MLPaths) -> tuple[str, list[str]]:
    """Return the name of this host and those of all, the first one's first; no names where there is no such file."""
    try:
        configuration = json.loads((paths.config / "resourceconfig.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return "", []
    return str(configuration.get("current_host", "")), [str(host) for host in configuration.get("hosts", [])]


def is_first(paths: MLPaths) -> bool:
    """Return whether this host is the first of the job, or the only one."""
    this, all_hosts = names(paths)
    return len(all_hosts) < 2 or this == all_hosts[0]


def trains_here(paths: MLPaths, reason: str = WITHOUT_MPI) -> bool:
    """Return whether this host has something to do; where it is one of several without MPI, the first alone has.

    Args:
        paths: of the job.
        reason: why the hosts do not train together, for the log.
    """
    _, all_hosts = names(paths)
    if len(all_hosts) < 2 or ranks.are_several():
        return True
    outputs.metric_line("Hosts", Hosts=len(all_hosts), Training_on=f"{all_hosts[0]} alone", Reason=reason)
    return is_first(paths)
