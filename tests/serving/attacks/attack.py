"""Attacks any server of the continuous car's policy with what needs no control of its processes.

    python tests/serving/attacks/attack.py --server URL [--json] [--any-errors] [--list]

Asks all bodies, sends all raw requests, and floods it a little; prints how many answers were right, wrong, 5xx or did
not come. ``--any-errors`` leaves it open whether errors are JSON; ``--list`` names all that was not right.
"""

import argparse
import json
import sys
import time
from collections.abc import Sequence

from asking import ask_all
from exchanges import KINDS, RIGHT, NoAnswerError, Outcome, ping_seconds, summary
from floods import KINDS as FLOODS
from floods import flood
from raw_asking import send_all

SECONDS_OF_FLOOD = 1.0
CONNECTIONS_OF_FLOOD = 20
SECONDS_FOR_PING = 1.0


def pings_during(url: str, kind: int, seconds: float = SECONDS_OF_FLOOD) -> Outcome:
    """Flood a server in one of the ways, in a small form; tell whether /ping is always answered within a second."""
    with flood(url, FLOODS[kind], CONNECTIONS_OF_FLOOD) as done:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline or not done.sent:
            try:
                ping_seconds(url, SECONDS_FOR_PING)
            except NoAnswerError as error:
                return Outcome("no answer", str(error))
            time.sleep(0.02)
    return Outcome(RIGHT)


def attack(url: str, json_errors: bool = True) -> dict[str, dict[str, Outcome]]:
    """Return what became of everything, by its name: bodies, raw requests, floods."""
    floods = {kind.__name__.replace("_", " "): pings_during(url, number) for number, kind in enumerate(FLOODS)}
    return {
        "bodies": ask_all(url, json_errors=json_errors),
        "raw requests": send_all(url, json_errors=json_errors),
        "floods": floods,
    }


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--server", metavar="URL", required=True)
    parser.add_argument("--json", action="store_true", help="print the numbers as JSON")
    parser.add_argument("--any-errors", action="store_true", help="errors need not be JSON")
    parser.add_argument("--list", action="store_true", help="name all that is not right, and why")
    given = parser.parse_args(arguments)
    try:
        ping_seconds(given.server)
    except NoAnswerError as error:
        parser.error(f"--server is {given.server!r}, expected a server that is ready: {error}")
    outcomes = attack(given.server.rstrip("/"), not given.any_errors)
    numbers = {part: summary(list(of_part.values())) for part, of_part in outcomes.items()}
    if given.json:
        print(json.dumps(numbers))
        return 0
    if given.list:
        for part, of_part in outcomes.items():
            for name, outcome in of_part.items():
                if outcome.kind != RIGHT:
                    print(f"{part}: {name}: {outcome.kind}: {outcome.reason}")
    print("".join(f"{column:>14}" for column in ("", *KINDS)))
    for part, row in numbers.items():
        print(f"{part:>14}" + "".join(f"{row[kind]:>14}" for kind in KINDS))
    return 0 if all(row[RIGHT] == sum(row.values()) for row in numbers.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
