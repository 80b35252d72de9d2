"""The two sorts of models that answer: a policy artifact by this package, or a user's own functions around it."""

from pathlib import Path
from typing import TYPE_CHECKING, Union

from sagemaker_rl.serving.servable import Servable
from sagemaker_rl.serving.settings import Settings

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
    """Tell whether a model brings functions of the user's own, in ``code/PROGRAM``."""
    try:
        return (folder / "code" / program).is_file()
    except OSError:  # no permission to look: loading the model reports it
        return False
