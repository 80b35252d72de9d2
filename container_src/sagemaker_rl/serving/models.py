"""The two sorts of models that answer: a policy artifact by this package, or a user's own functions around it."""

from pathlib import Path
from typing import TYPE_CHECKING, Union

from sagemaker_rl.errors import PolicyError
from sagemaker_rl.serving import user_program
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
    if has_user_code(folder, settings.program):
        from sagemaker_rl.serving.user_code import UserModel  # start-up time: the toolkit, and SciPy behind it

        return UserModel(folder)
    return Servable.load(folder, settings.compile)


def has_user_code(folder: Path, program: str) -> bool:
    """Tell whether a model brings functions of the user's own, in ``code/PROGRAM``; log it if those cannot answer.

    Raises:
        PolicyError: SAGEMAKER_PROGRAM names a program that is not beside those in ``code/``.
    """
    try:
        if not (folder / "code" / program).is_file():
            _check_program(folder / "code", program)
            return False
    except OSError:  # no permission to look: loading the model reports it
        return False
    reason = user_program.why_not_run(folder, program)
    if reason:
        log("info", f"The policy artifact is served, code/{program} is not run: {reason}.")
    return not reason


def _check_program(code: Path, program: str) -> None:
    """Refuse a name that was mistyped: the artifact would answer in the place of the user's functions."""
    programs = sorted(file.name for file in code.glob("*.py"))
    if program != DEFAULT_PROGRAM and programs:
        raise PolicyError(f"SAGEMAKER_PROGRAM is {program!r}, expected one of those in code/: {', '.join(programs)}.")
