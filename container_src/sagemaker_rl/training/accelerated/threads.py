"""Work on large arrays, spread over several cores by threads: NumPy lets the others run while it computes."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


class Threads:
    """Calls a function for several items, on as many cores as it may use; one core is the caller's own thread."""

    def __init__(self, cores: int) -> None:
        """Use so many cores; threads begin where they are needed."""
        self._executor = ThreadPoolExecutor(cores, thread_name_prefix="cores") if cores > 1 else None

    def map(self, function: Callable[[Item], Result], items: Sequence[Item]) -> list[Result]:
        """Return the function's results in the order of the items; which core computes which is left to chance."""
        if self._executor is None or len(items) == 1:
            return [function(item) for item in items]
        return list(self._executor.map(function, items))
