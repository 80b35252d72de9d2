"""An ASGI application that reads each request and answers all alike: what the server under it can do at most."""

from collections.abc import Awaitable, Callable
from typing import Any

BODY = b"[[[-5.5506954]],[[-1.1880014]],[[0.40513048]]]"
START = {
    "type": "http.response.start",
    "status": 200,
    "headers": [(b"content-type", b"application/json"), (b"content-length", str(len(BODY)).encode("ascii"))],
}
ANSWER = {"type": "http.response.body", "body": BODY}


async def app(
    scope: dict[str, Any],
    receive: Callable[[], Awaitable[dict[str, Any]]],
    send: Callable[[dict[str, Any]], Awaitable[None]],
) -> None:
    if scope["type"] == "http":
        while (await receive()).get("more_body"):
            pass
        await send(START)
        await send(ANSWER)
