"""Hyperparameters on their way into a preset: stored under their paths, and applied once there is one.

A launcher in the form of AWS's Coach image imports these classes' names, and reads and writes ``hp_dict``.
"""

from typing import Any

from sagemaker_rl.coach import preset_values
from sagemaker_rl.errors import InputError
from sagemaker_rl.job.hyperparameters import decode


class ConfigurationList:
    """Values by path, as in ``rl.agent_params.algorithm.discount`` or ``rl.improve_steps:EnvironmentSteps``.

    Attributes:
        hp_dict: the values that are not applied yet, strings or numbers; launchers read and write it.
        applied: path and value of what has been applied, in order.
        before: the first value that each applied path had.
    """

    def __init__(self) -> None:
        self.hp_dict: dict[str, Any] = {}
        self.applied: list[tuple[str, Any]] = []
        self.before: dict[str, Any] = {}
        self._names: dict[str, str] = {}

    def store(self, name: str, value: Any, given_as: str = "") -> None:
        """Keep ``value`` for the path ``name``; it is applied after all that was stored earlier.

        Args:
            name: the path.
            value: a string, as hyperparameters arrive, or a value.
            given_as: what the user called it, for messages.

        Raises:
            InputError: The path leads to what Python keeps private.
        """
        if any(part.startswith("__") for part in name.split(".")):
            raise InputError(f"Hyperparameter {given_as or name} is not in a preset: {name!r} has two underscores.")
        self.hp_dict.pop(name, None)
        self.hp_dict[name] = value
        self._names[name] = given_as or name

    def name_of(self, path: str) -> str:
        """Return what the user called the value that was stored last under ``path``."""
        return self._names.get(path, path)

    def apply_subset(self, config_object: Any, prefix: str) -> None:
        """Set what paths beginning with ``prefix`` reach in ``config_object``, and take them out of ``hp_dict``.

        Args:
            config_object: for the prefix ``rl.`` a preset's graph manager.
            prefix: ends with a dot.

        Raises:
            InputError: There is no such path, or the value does not fit.
        """
        root = prefix.rstrip(".").rpartition(".")[2]
        for path in [path for path in self.hp_dict if path.startswith(prefix)]:
            value = decode(self.hp_dict.pop(path))
            below = f"{root}.{path.removeprefix(prefix)}"
            before = preset_values.read_value(config_object, below)
            preset_values.set_value(config_object, below, value, self.name_of(path))
            self.before.setdefault(path, before)
            self.applied.append((path, value))

    def refuse_rest(self, roots: tuple[str, ...]) -> None:
        """Refuse what has reached nothing.

        Args:
            roots: how the paths begin that a launcher applies.

        Raises:
            InputError: Something is left in ``hp_dict``.
        """
        for path in self.hp_dict:
            raise InputError(
                f"Hyperparameter {self.name_of(path)} leads to {path!r}, "
                f"expected a path that begins with {' or '.join(roots)}."
            )
