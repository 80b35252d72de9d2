"""Asking a user before something is deleted."""

from launch.cli.errors import UsageError


def ask_to_delete() -> bool:
    """Ask whether to delete what has been shown; return the answer.

    Raises:
        UsageError: There is nobody to ask.
    """
    try:
        return input("Delete all of it? [y/N] ").strip().lower() in ("y", "yes")
    except EOFError:
        print()  # the question stands on a line without an end
        raise UsageError("Nobody can be asked whether to delete it, expected a terminal or --yes.") from None
