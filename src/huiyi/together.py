"""Several computations at once, each with its share of the cores."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Lock
from typing import Any, TypeVar

T = TypeVar("T")

_LOCK = Lock()
_HELD: list[Any] = []  # the limit that is set, then one entry for each that needs it


def side_by_side(jobs: Collection[Callable[[], T]]) -> Iterator[T]:
    """Run jobs in threads, and yield what they return, in their order.

    One small matrix product on all cores after another is slower than several
    at once on one core each. As many cores are used as the linear algebra
    library may use now, which is what ``OMP_NUM_THREADS`` says.

    Example:
        >>> list(side_by_side([lambda: "left", lambda: "right"]))
        ['left', 'right']
    """
    if len(jobs) < 2:
        yield from (job() for job in jobs)
        return
    import scipy.linalg  # noqa: F401  its own copy of the library must be there to be counted
    from threadpoolctl import threadpool_info

    # OpenMP is left alone: it keeps a number for each thread, so a limit set here would not reach the jobs.
    blas = (library for library in threadpool_info() if library["user_api"] == "blas")
    cores = max((library["num_threads"] for library in blas), default=1)
    at_once = max(1, min(cores, len(jobs)))
    with _limited(max(1, cores // at_once)), ThreadPoolExecutor(at_once) as pool:
        yield from pool.map(lambda job: job(), jobs)


@contextmanager
def _limited(share: int) -> Iterator[None]:
    """Limit the linear algebra of the whole process: the first to come sets the limit, the last to leave lifts it."""
    from threadpoolctl import threadpool_limits

    with _LOCK:
        if not _HELD:
            _HELD.append(threadpool_limits(share, user_api="blas"))
        _HELD.append(None)
    try:
        yield
    finally:
        with _LOCK:
            _HELD.pop()
            if len(_HELD) == 1:
                _HELD.pop().restore_original_limits()
