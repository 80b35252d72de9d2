"""The two sorts of models that answer: a policy artifact by this package, or a user's own functions around it."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Union

from sagemaker_rl.errors import PolicyError
from sagemaker_rl.policy.artifact import require_file
from sagemaker_rl.serving import requirements, user_program
from sagemaker_rl.serving.log import log
from sagemaker_rl.serving.servable import Servable
from sagemaker_rl.serving.settings import DEFAULT_PROGRAM, Settings

if TYPE_CHECKING:
    from sagemaker_rl.serving.user_code import UserModel

Model = Union[Servable, "UserModel"]


def load_model(folder: Path, settings: Settings) -> Model:
    """Load a model: by the user's own functions, if it brings some.

    Raises:
        PolicyError: It cannot be loaded. The user's own functions may raise any exception.
    """
    if not has_user_code(folder, settings.program):
        return Servable.load(folder, settings.compile)
    from sagemaker_rl.serving.user_code import UserModel  # start-up time: the toolkit, and SciPy behind it

    lacks_requirements = settings.multi_model and (folder / requirements.FILE).is_file()
    if lacks_requirements:
        log("warning", f"{requirements.FILE} is not installed on a multi-model endpoint: {requirements.OWN_IMAGE}.")
    try:
        return UserModel(folder)
    except ModuleNotFoundError as error:
        if not lacks_requirements:
            raise
        raise PolicyError(
            f"No module named {error.name!r}: {requirements.FILE} is not installed on a multi-model endpoint; "
            f"{requirements.OWN_IMAGE}."
        ) from None


def has_user_code(folder: Path, program: str) -> bool:
    """Tell whether a model brings functions of the user's own, in ``code/PROGRAM``; log it if those cannot answer.

    Raises:
        PolicyError: ``code/PROGRAM`` is there and cannot be read, or SAGEMAKER_PROGRAM names a program that is not
            beside those in ``code/``.
    """
    file = folder / "code" / program
    try:
        require_file(file)
        is_readable = os.access(file, os.R_OK)
    except (FileNotFoundError, NotADirectoryError):
        if file.is_symlink():
            raise PolicyError(f"{file} is a link to {file.readlink()}, which is not there.") from None
        _check_program(folder / "code", program)
        return False
    except OSError as error:
        raise PolicyError(f"{file} cannot be read: {error.strerror}.") from None
    if not is_readable:
        raise PolicyError(f"{file} cannot be read: Permission denied.")
    reason = user_program.why_not_run(folder, program)
    if reason:
        log("info", f"The policy artifact is served, code/{program} is not run: {reason}.")
    return not reason


def _check_program(code: Path, program: str) -> None:
    """Refuse a name that was mistyped: the artifact would answer in the place of the user's functions."""
    programs = sorted(file.name for file in code.glob("*.py"))
    if program != DEFAULT_PROGRAM and programs:
        raise PolicyError(f"SAGEMAKER_PROGRAM is {program!r}, expected one of those in code/: {', '.join(programs)}.")
