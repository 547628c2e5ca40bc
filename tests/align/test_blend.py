import numpy as np
import pytest

from huiyi.align import Blend, fit_blend
from huiyi.align.blend import loss_at_best


def simulated(n: int, k: int, seed: int, sharpness: float = 3.0) -> tuple[np.ndarray, np.ndarray]:
    """Scores (n, k), and targets (n, k) drawn with the probabilities softmax(sharpness * scores)."""
    rng = np.random.default_rng(seed)
    scores = rng.normal(size=(n, k))
    noise = rng.gumbel(size=(n, k))
    return scores, np.eye(k)[(sharpness * scores + noise).argmax(axis=1)]


def mixed(blend: Blend, scores: dict[str, np.ndarray]) -> np.ndarray:
    return blend.offset + sum(weight * scores[name] for name, weight in blend.weights.items())


def test_weights_are_not_negative_and_rows_sum_to_one() -> None:
    scores, targets = simulated(300, 5, seed=0)
    heads = {"good": scores, "contrary": -scores, "noise": np.random.default_rng(1).normal(size=scores.shape)}
    blend = fit_blend(heads, targets)
    assert min(blend.weights.values()) >= 0
    probabilities = blend.probabilities(mixed(blend, heads))
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-9)
    assert ((probabilities >= 0) & (probabilities <= 1)).all()


@pytest.mark.parametrize("several", [False, True])
def test_a_useless_head_is_dropped(several: bool) -> None:
    scores, targets = simulated(2_000, 5, seed=0)
    noise = np.random.default_rng(1).normal(size=scores.shape)
    assert set(fit_blend({"good": scores, "noise": noise}, targets, several=several).weights) == {"good"}


def test_a_head_that_is_kept_stays_and_the_others_are_asked() -> None:
    scores, targets = simulated(2_000, 5, seed=0)
    heads = {"good": scores, **{f"noise{n}": np.random.default_rng(n).normal(size=scores.shape) for n in (1, 2)}}
    weights = fit_blend(heads, targets, kept=["noise2"]).weights
    assert set(weights) == {"good", "noise2"}
    assert 0 < weights["noise2"] < weights["good"] / 10


def test_few_rows_drop_no_head() -> None:
    scores, targets = simulated(99, 5, seed=0)
    heads = {"good": scores, "noise": np.random.default_rng(1).normal(size=scores.shape)}
    assert set(fit_blend(heads, targets).weights) == {"good", "noise"}


def test_heads_that_help_each_other_stay() -> None:
    scores, targets = simulated(2_000, 5, seed=0)
    rng = np.random.default_rng(1)
    heads = {name: scores + 0.7 * rng.normal(size=scores.shape) for name in ("one", "two")}
    blend = fit_blend(heads, targets)
    assert set(blend.weights) == {"one", "two"}
    assert blend.weights["one"] == pytest.approx(blend.weights["two"], rel=0.2)


def test_calibrated_on_fresh_rows() -> None:
    """Mean confidence and accuracy, of the fitted and of the fresh rows, each vary by sqrt(sum p(1-p)) / n."""
    n = 5_000
    scores, targets = simulated(n, 5, seed=0)
    blend = fit_blend({"head": scores}, targets)
    fresh, truth = simulated(n, 5, seed=1)
    probabilities = blend.probabilities(mixed(blend, {"head": fresh}))
    confidence, right = probabilities.max(axis=1), truth[np.arange(n), probabilities.argmax(axis=1)]
    tolerance = 4 * np.sqrt(2 * (confidence * (1 - confidence)).mean() / n)
    assert abs(confidence.mean() - right.mean()) < tolerance
    assert blend.weights["head"] == pytest.approx(3, abs=0.3)


def test_several_is_calibrated_on_fresh_rows() -> None:
    n, k = 3_000, 3

    def draw(seed: int) -> tuple[np.ndarray, np.ndarray]:
        rng = np.random.default_rng(seed)
        scores = rng.normal(size=(n, k))
        return scores, (rng.random((n, k)) < 1 / (1 + np.exp(2 - 4 * scores))).astype(float)

    scores, targets = draw(0)
    blend = fit_blend({"head": scores}, targets, several=True)
    fresh, truth = draw(1)
    probabilities = blend.probabilities(mixed(blend, {"head": fresh}))
    tolerance = 4 * np.sqrt(2 * (probabilities * (1 - probabilities)).mean() / (n * k))
    assert abs(probabilities.mean() - truth.mean()) < tolerance
    assert (blend.weights["head"], blend.offset) == (pytest.approx(4, rel=0.1), pytest.approx(-2, rel=0.1))


def test_few_rows_that_all_come_out_right_do_not_make_it_sure() -> None:
    targets = np.eye(3)
    blend = fit_blend({"head": targets - 1 / 3}, targets)
    assert blend.probabilities(mixed(blend, {"head": targets})).max() < 0.9999


def test_huge_scores_do_not_overflow() -> None:
    for several in (False, True):
        probabilities = Blend({"head": 200.0}, several).probabilities(np.array([[1e4, -1e4], [0, 0]]))
        assert probabilities.tolist() == [[1, 0], [0.5, 0.5]]


def test_the_loss_at_the_best_weight_does_not_depend_on_the_scale_of_the_scores() -> None:
    rng = np.random.default_rng(0)
    targets = np.eye(3)[rng.integers(3, size=3_000)]
    scores = targets + rng.normal(size=targets.shape)
    losses = [loss_at_best(scale * scores, targets) for scale in (0.2, 1, 5)]
    np.testing.assert_allclose(losses, losses[1], rtol=1e-3)
    assert losses[1] < loss_at_best(scores + rng.normal(size=targets.shape), targets)
    shares = np.exp(1.0 * scores)  # of normal scores whose means differ by 1, the best weight is 1
    np.testing.assert_allclose(
        losses[1], -np.log((shares * targets).sum(axis=1) / shares.sum(axis=1)).mean(), rtol=5e-3
    )
