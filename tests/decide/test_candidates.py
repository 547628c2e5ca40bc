import numpy as np
import pytest

from huiyi.decide.candidates import COVERAGE, candidate_threshold


@pytest.mark.parametrize("n", [25, 99, 500])
def test_coverage(n: int) -> None:
    """Scores uniform on 0 to 1 are covered at the rate 1 - threshold, whose law is a beta distribution."""
    rng, runs = np.random.default_rng(0), 1_000
    coverages = np.array([1 - candidate_threshold(rng.uniform(size=n)) for _ in range(runs)])
    left_out = int((1 - COVERAGE) * (n + 1) + 1e-9)
    expected = 1 - left_out / (n + 1)
    deviation = np.sqrt(expected * (1 - expected) / (n + 2) / runs)
    assert abs(coverages.mean() - expected) < 4 * deviation
    assert COVERAGE <= expected < COVERAGE + 1 / (n + 1)


def test_too_few_rows_make_every_label_a_candidate() -> None:
    assert candidate_threshold(np.ones(18)) == 0
    assert candidate_threshold(np.ones(19)) == 1
    assert candidate_threshold(np.zeros(0)) == 0
