"""What projects for AWS's Ray image import: this image trains with Coach, and says so."""

from typing import NoReturn

from sagemaker_rl.errors import MissingError


def __getattr__(name: str) -> NoReturn:
    """Answer ``from sagemaker_rl.ray_launcher import …``.

    Raises:
        MissingError: In one sentence.
    """
    if name.startswith("__"):
        raise AttributeError(name)
    raise MissingError(
        f"sagemaker_rl.ray_launcher.{name} needs Ray, which is not in this image: it trains with Coach, "
        "expected a launcher of sagemaker_rl.coach_launcher."
    )
