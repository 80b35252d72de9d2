"""Lists that AWS answers in pages."""

from collections.abc import Callable, Iterator
from typing import Any


def entries(
    operation: Callable[..., dict[str, Any]], key: str, link: str = "NextToken", **request: Any
) -> Iterator[dict[str, Any]]:
    """Yield the entries of a list from all its pages; one may be empty, or short, and not be the last.

    Args:
        operation: the client's method.
        key: of the list in the answer.
        link: the name of the field that leads to the next page, in the answer and in the request.
        request: the operation's parameters.
    """
    next_page: dict[str, str] = {}
    while True:
        page = operation(**request, **next_page)
        yield from page[key]
        if not page.get(link):
            return
        next_page = {link: page[link]}
