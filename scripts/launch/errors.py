"""How a script ends when something is wrong: one sentence on standard error, exit 2 or 1."""

import sys
from collections.abc import Callable
from typing import NoReturn


class UsageError(Exception):
    """A user's mistake: exit status 2."""


class JobFailed(Exception):
    """A job or an endpoint failed: exit status 1."""


def run(main: Callable[[], None]) -> NoReturn:
    """Run a script's ``main`` and end the process."""
    try:
        main()
    except UsageError as error:
        print(f"Error: {error}", file=sys.stderr)
        sys.exit(2)
    except JobFailed as error:
        print(f"Failed: {error}", file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        print("Interrupted.", file=sys.stderr)
        sys.exit(130)
    sys.exit(0)
