"""The trial of a job's finished policy, as it is kept in ``trial.npz``: arrays only, no pickle.

It is played by training/trial.py.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from sagemaker_rl.job.atomic_files import replacing

FILE = "trial.npz"


@dataclass(frozen=True)
class PolicyMap:
    """What a policy does over two state dimensions.

    ``actions`` and ``values`` have shape ``(nodes, nodes)``, first axis first; ``values`` is None if no head tells.
    """

    axes: tuple[np.ndarray, np.ndarray]
    actions: np.ndarray
    values: np.ndarray | None


@dataclass(frozen=True)
class Trial:
    """What became of the episodes.

    Attributes:
        starts: the first observations, float32 ``(episodes, *shape)``.
        returns: of the episodes, undiscounted, float64.
        lengths: in environment steps.
        paths: of the first episodes, float32 ``(points, columns)``: environment step, observation, action.
        policy_map: None if there is none; ``no_map`` says why.
    """

    starts: np.ndarray
    returns: np.ndarray
    lengths: np.ndarray
    paths: list[np.ndarray]
    policy_map: PolicyMap | None
    no_map: str = ""

    def save(self, file: Path) -> None:
        """Write ``file``; it appears whole or not at all."""
        arrays: dict[str, Any] = {"starts": self.starts, "returns": self.returns, "lengths": self.lengths}
        arrays.update({f"path{index}": path for index, path in enumerate(self.paths)})
        arrays["no_map"] = np.array(self.no_map)
        if self.policy_map is not None:
            arrays.update(axis0=self.policy_map.axes[0], axis1=self.policy_map.axes[1], actions=self.policy_map.actions)
            if self.policy_map.values is not None:
                arrays["values"] = self.policy_map.values
        with replacing(file) as staged, staged.open("wb") as stream:
            np.savez_compressed(stream, **arrays)

    @classmethod
    def load(cls, file: Path) -> "Trial":
        """Read what ``save`` wrote.

        Raises:
            OSError, ValueError, KeyError, zipfile.BadZipFile: It is no such file, or damaged.
        """
        with np.load(file, allow_pickle=False) as arrays:
            policy_map = None
            if "actions" in arrays:
                policy_map = PolicyMap((arrays["axis0"], arrays["axis1"]), arrays["actions"], arrays.get("values"))
            paths = [arrays[name] for name in sorted(n for n in arrays if n.startswith("path"))]
            return cls(arrays["starts"], arrays["returns"], arrays["lengths"], paths, policy_map, str(arrays["no_map"]))
