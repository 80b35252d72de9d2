"""What a preset's level names: a class, a function, or an id that gym or gymnasium has registered."""

import difflib
import importlib
import inspect
import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from sagemaker_rl.errors import InputError, shorten
from sagemaker_rl.job.exit_reasons import missing_module
from sagemaker_rl.job.hyperparameters import nearest

VERSIONED = re.compile(r".*-v\d+")
"""An id of a registry as both packages ask for it; one without a version is possible, too."""
UNVERSIONED = re.compile(r"-v\d+$")
PACKAGES = ("gym", "gymnasium")
"""Whose registry is asked first: Coach's projects are written for gym, and some ids are in both."""


def is_path(level: str) -> bool:
    """Tell whether a level is a class by the path of its module: ``folder/module.py:Class``, ``package.module:Class``.

    It is imported as ``module:Class`` is, but played by stock Coach alone.
    """
    module, colon, name = level.rpartition(":")
    return bool(colon) and ("/" in module or "." in module) and not VERSIONED.fullmatch(name)


@dataclass(frozen=True)
class Registered:
    """Makes the environment of an id.

    Attributes:
        package: the module gym or gymnasium.
        spec: what it has registered.
    """

    package: Any
    spec: Any

    def __call__(self, **parameters: Any) -> Any:
        """Make it without the package's own checker: what it gives is checked here, in sentences."""
        return self.package.make(self.spec.id, **{"disable_env_checker": True, **parameters})

    def constructor(self) -> Callable[..., Any]:
        """Return the class or function that the package calls."""
        entry_point = self.spec.entry_point
        found: Callable[..., Any] = entry_point if callable(entry_point) else _imported(entry_point, self.spec.id)
        return found


def find_environment(level: str) -> Callable[..., Any]:
    """Return the class or function that makes the environment of a level.

    Args:
        level: ``module:name`` of a class, or of a function that returns an environment; a path and a class, as is_path
            has it; an id that is registered, ``CartPole-v1``; or ``module:id``, whose module registers it. The modules
            ``gym:`` and ``gymnasium:`` say which of the two makes an id that both know.

    Raises:
        InputError: There is no such module, nothing of that name in it, or no such id.
    """
    module, _, name = level.rpartition(":")
    if module and not VERSIONED.fullmatch(name):
        try:
            return _imported(level, level)
        except InputError:
            registered = _find_registered(name, module)  # an id without version
            if registered is None:
                raise
            return registered
    if module:
        _imported(f"{module}:__name__", level)  # which registers the id
    registered = _find_registered(name, module)
    if registered is None:
        raise InputError(f"Environment {level} is not registered with gym or gymnasium, {_nearest(name, module)}")
    return registered


def make_environment(level: str, parameters: dict[str, Any], pictures: bool) -> Any:
    """Return a new environment.

    Args:
        level: see find_environment.
        parameters: keyword arguments of the class or function.
        pictures: whether it will be asked to draw itself, which those of today have to know when they are made.

    Raises:
        InputError: It cannot be found, does not take these parameters, or a package that it needs is missing.
    """
    make = find_environment(level)
    try:
        _check_parameters(make, level, parameters)
        return make(**parameters, **(_render_mode(make, parameters) if pictures else {}))
    except _errors_of_packages() as error:
        raise InputError(f"Environment {level} cannot be made: {shorten(error).rstrip('.')}.") from None


def _imported(path: str, level: str) -> Any:
    """Return what ``module:name`` names; ``level`` is for messages."""
    from rl_coach.utils import short_dynamic_import

    module, _, name = path.rpartition(":")
    try:
        return short_dynamic_import(path)
    except ModuleNotFoundError as error:
        if error.name is None:
            raise  # in the user's own code
        is_level = f"{module}.".startswith(f"{error.name}.")
        reason = f"there is no module {error.name!r}." if is_level else missing_module(error.name)
    except FileNotFoundError as error:
        reason = f"there is no file {error.filename}."
    except AttributeError as error:
        if error.name != name or not isinstance(error.obj, ModuleType):
            raise  # in the user's own code
        defined = [known for known, value in vars(error.obj).items() if callable(value)]
        reason = f"{module} has no {name}, {nearest(name, defined)}"
    raise InputError(f"Environment {level} cannot be imported: {reason}")


def _packages(module: str) -> Iterator[Any]:
    """Import one package after the other: gymnasium only where gym does not know an id."""
    for name in sorted(PACKAGES, key=lambda package: package != module):
        yield importlib.import_module(name)


def _errors_of_packages() -> tuple[type[Exception], ...]:
    return tuple(sys.modules[name].error.Error for name in PACKAGES if name in sys.modules)


def _find_registered(name: str, module: str) -> Registered | None:
    for package in _packages(module):
        if name in package.envs.registration.registry:
            return Registered(package, package.envs.registration.registry[name])
    return None


def _nearest(name: str, module: str) -> str:
    """Return how a sentence about an unknown id ends: the version is the last part to be taken at its word."""
    known = {
        UNVERSIONED.sub("", known): known
        for package in _packages(module)
        for known in package.envs.registration.registry
    }
    close = difflib.get_close_matches(UNVERSIONED.sub("", name), known, n=1)
    return f"did you mean {known[close[0]]!r}?" if close else "expected an id of theirs, or module:Class."


def _check_parameters(make: Callable[..., Any], level: str, parameters: dict[str, Any]) -> None:
    given = parameters
    if isinstance(make, Registered):
        of_package = inspect.signature(make.package.make).parameters  # max_episode_steps, for instance
        given = make.spec.kwargs | {name: value for name, value in parameters.items() if name not in of_package}
        make = make.constructor()
    try:
        _signature(make).bind(**given)
    except TypeError as error:
        raise InputError(
            f"Environment {level} cannot be made with the additional_simulator_parameters {shorten(parameters)}: "
            f"{error}."
        ) from None


def _render_mode(make: Callable[..., Any], parameters: dict[str, Any]) -> dict[str, str]:
    """Return ``render_mode="rgb_array"`` for what draws pictures so; nothing for gym 0.25 and older.

    gym 0.25 gives a list of all frames since the last reset in that mode, and draws each whether it is asked for or
    not; its environments, which know ``single_rgb_array``, take the mode of ``render`` instead.
    """
    given = dict(parameters)
    if isinstance(make, Registered):
        given |= make.spec.kwargs
        make = make.constructor()
    metadata = getattr(make, "metadata", None)
    modes = metadata.get("render_modes") if isinstance(metadata, dict) else None
    if "render_mode" in given or (modes and ("rgb_array" not in modes or "single_rgb_array" in modes)):
        return {}
    taken = _signature(make).parameters
    passes_on = any(parameter.kind is inspect.Parameter.VAR_KEYWORD for parameter in taken.values())
    of_gymnasium = any(base.__module__ == "gymnasium.core" for base in getattr(make, "__mro__", ()))
    takes = "render_mode" in taken or (modes and passes_on and of_gymnasium)
    return {"render_mode": "rgb_array"} if takes else {}


def _signature(make: Callable[..., Any]) -> inspect.Signature:
    """Return what a class or function takes: anything, if Python cannot look into it because it is compiled."""
    try:
        return inspect.signature(make)
    except (TypeError, ValueError):
        return inspect.signature(lambda *args, **options: None)
