"""Several computations at once."""

from functools import partial
from threading import Barrier, current_thread, main_thread

import numpy as np
import pytest
import sklearn.svm  # noqa: F401  brings OpenMP, which counts its threads in its own way
from threadpoolctl import threadpool_info, threadpool_limits

from huiyi.together import side_by_side

np.ones((2, 2)) @ np.ones((2, 2))  # the linear algebra library is there to be counted


def cores() -> int:
    return max(library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas")


def test_answers_come_in_the_order_of_the_jobs() -> None:
    assert list(side_by_side([partial(pow, base, 2) for base in range(50)])) == [base**2 for base in range(50)]


def test_no_job_and_one_job_need_no_thread() -> None:
    assert list(side_by_side([])) == []
    assert list(side_by_side([current_thread])) == [main_thread()]


@pytest.mark.skipif(cores() < 2, reason="the linear algebra library may use one core only")
def test_jobs_run_at_the_same_time_with_a_share_of_the_cores_each() -> None:
    before = cores()
    both_there = Barrier(2, timeout=20)

    def share() -> int:
        both_there.wait()
        return cores()

    assert list(side_by_side([share, share])) == [before // 2] * 2
    assert cores() == before


def test_one_core_is_one_job_at_a_time() -> None:
    running: list[int] = []

    def alone() -> int:
        running.append(1)
        most = len(running)
        running.pop()
        return most

    with threadpool_limits(1):
        assert list(side_by_side([alone] * 20)) == [1] * 20


def test_the_error_of_a_job_is_raised_and_the_cores_are_given_back() -> None:
    before = cores()
    with pytest.raises(ZeroDivisionError):
        list(side_by_side([lambda: 1.0, lambda: 1 / 0, lambda: 2.0]))
    assert cores() == before


def test_the_cores_are_given_back_whoever_ends_first() -> None:
    before = cores()
    left, right = (side_by_side([partial(pow, 2, 2)] * 3) for _ in range(2))
    next(left)
    next(right)
    list(left)
    list(right)
    assert cores() == before
