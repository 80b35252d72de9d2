"""Coach without the packages that it imports and never calls: a small image, and a second sooner.

``import_coach`` comes before any other import of ``rl_coach``; ``forget_placeholders`` comes once Coach is imported.
"""

import importlib.abc
import importlib.machinery
import importlib.util
import sys
import types
from collections.abc import Sequence
from typing import Any

NEVER_CALLED = {
    "minio": "data_stores/s3_data_store.py:19 (distributed Coach on Kubernetes)",
    "redis": "utilities/shared_running_stats.py:20, memories/backend/redis.py:18 (distributed Coach)",
    "scipy": "spaces.py:23, exploration_policies/additive_noise.py:20, environments/gym_environment.py:20 (unused)",
    "skimage": "filters/observation/observation_rescale_to_size_filter.py:18 (resizing.py in its place)",
}
"""Packages that Coach imports at the top of a file although a training job on vectors never calls them."""


def import_coach(networks: bool = True) -> None:
    """Import MXNet, and those modules of Coach that name SciPy; from now on whatever Coach imports is found.

    Args:
        networks: whether MXNet is imported.
    """
    if networks:
        _import_mxnet()
    sys.meta_path.append(_PlaceholderFinder())
    _import_modules_naming_scipy()


def _import_mxnet() -> None:
    """Import MXNet as the image does: without SciPy, which it takes for quantization only.

    It comes before the placeholders, while it still finds that SciPy is absent.
    """
    hidden = "scipy" not in sys.modules
    if hidden:
        sys.modules["scipy"] = None  # type: ignore[assignment]
    try:
        import mxnet  # noqa: F401
    finally:
        if hidden:
            del sys.modules["scipy"]


def _import_modules_naming_scipy() -> None:
    """Import the modules of Coach that name SciPy, with a placeholder for it as in the image: SciPy takes a second.

    Whoever imports SciPy later, a preset perhaps, finds it where it is installed.
    """
    if "scipy" in sys.modules:
        return
    names = ["scipy", *(f"scipy.{part}" for part in ("ndimage", "signal", "spatial", "stats"))]
    sys.modules.update({name: _Placeholder(name) for name in names})
    try:
        import rl_coach.agents.actor_critic_agent
        import rl_coach.environments.gym_environment
        import rl_coach.exploration_policies.additive_noise
        import rl_coach.spaces  # noqa: F401
    finally:
        for name in names:
            del sys.modules[name]


class _Placeholder(types.ModuleType):
    """A module that can be imported; using it says which package to install."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        package = self.__name__.partition(".")[0]

        class Missing:
            def __init__(self, *args: Any, **kwargs: Any) -> None:
                raise ImportError(
                    f"{package} is not in this image because Coach's {NEVER_CALLED[package]} is its only use: "
                    f"add {package} to the requirements.txt beside your entry point to have it installed"
                )

        Missing.__name__ = name
        return Missing


class _PlaceholderFinder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds an empty module for a package of ``NEVER_CALLED`` that is not installed.

    Upstream: the lines named there. Without it: ``ModuleNotFoundError: No module named 'redis'`` (and so on).
    Being last in ``sys.meta_path``, it never hides an installed package. For an importer other than Coach, which may
    have a way to do without the package, it finds nothing.
    """

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: types.ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname.partition(".")[0] not in NEVER_CALLED or not _importer().startswith("rl_coach"):
            return None
        return importlib.machinery.ModuleSpec(fullname, self, is_package=True)

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> types.ModuleType:
        return _Placeholder(spec.name)

    def exec_module(self, module: types.ModuleType) -> None:
        """Nothing to execute."""


def _importer() -> str:
    """Return the name of the module whose import statement is being carried out."""
    frame: types.FrameType | None = sys._getframe(1)
    while frame and frame.f_globals.get("__name__", "").partition(".")[0] in (
        "importlib",
        "_frozen_importlib",
        "sagemaker_rl",
    ):
        frame = frame.f_back
    return str(frame.f_globals.get("__name__", "")) if frame else ""


def forget_placeholders() -> None:
    """Take the placeholders out of ``sys.modules`` once Coach has its references, so that nobody else meets them."""
    for name in [name for name, module in sys.modules.items() if isinstance(module, _Placeholder)]:
        del sys.modules[name]
