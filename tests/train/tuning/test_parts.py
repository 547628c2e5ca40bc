"""Batches, losses, label propagation and the run folder."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from huiyi.errors import DataError, OptionError, OutputError
from huiyi.train.tuning.batches import Tokens, grouped
from huiyi.train.tuning.propagate import PASSED_ON, neighbours, propagate, share_that_suits
from huiyi.train.tuning.runs import begin, end

torch = pytest.importorskip("torch", reason="fine-tuning needs the extra tune")


class Letters:
    """A tokenizer of one token a letter."""

    pad_token_id = 0

    def __call__(self, texts: list[str], *, truncation: bool, max_length: int) -> dict[str, list[list[int]]]:
        return {"input_ids": [[ord(letter) for letter in text[:max_length]] for text in texts]}


def test_batches_hold_every_row_once_and_little_padding() -> None:
    rng = np.random.default_rng(0)
    tokens = Tokens.cut(Letters(), ["x" * int(n) for n in rng.integers(1, 60, 500)], max_tokens=40)  # type: ignore[arg-type]
    batches = list(tokens.shuffled(8, np.random.default_rng(1)))
    assert sorted(row for batch in batches for row in batch) == list(range(500))
    padded = sum(int(tokens.lengths[batch].max()) * len(batch) for batch in batches)
    assert padded < 1.2 * tokens.lengths.sum()
    again = list(tokens.shuffled(8, np.random.default_rng(1)))
    other = list(tokens.shuffled(8, np.random.default_rng(2)))
    assert all(np.array_equal(a, b) for a, b in zip(batches, again, strict=True))
    assert not all(np.array_equal(a, b) for a, b in zip(batches, other, strict=True))
    ids, mask = tokens.batch(batches[0]).values()
    assert ids.shape == mask.shape == (8, int(tokens.lengths[batches[0]].max()))
    assert mask.sum(dim=1).tolist() == tokens.lengths[batches[0]].tolist()
    assert (ids[mask == 0] == 0).all()


def test_losses_agree_with_torch() -> None:
    from huiyi.train.tuning.losses import contrastive_loss, label_loss

    generator = torch.Generator().manual_seed(0)
    scores, right = torch.randn(12, 4, generator=generator), torch.arange(12) % 4
    targets, even = torch.eye(4)[right], torch.ones(4)
    for smoothing in (0.0, 0.1):
        ours = label_loss(scores, targets, several=False, smoothing=smoothing, weights=even)
        theirs = torch.nn.functional.cross_entropy(scores, right, label_smoothing=smoothing)
        assert float(ours) == pytest.approx(float(theirs), abs=1e-6)
    weights = torch.tensor([1.0, 2.0, 0.5, 3.0])
    ours = label_loss(scores, targets, several=False, smoothing=0.0, weights=weights)
    assert float(ours) == pytest.approx(
        float(torch.nn.functional.cross_entropy(scores, right, weight=weights)), abs=1e-6
    )
    vectors = torch.nn.functional.normalize(torch.randn(6, 5, generator=generator), dim=1)
    classes = torch.eye(2)[[0, 0, 1, 1, 1, 0]]
    plain = []
    for i in range(6):  # equation 2 of the paper, term by term
        cosines = [float(vectors[i] @ vectors[j]) / 0.1 for j in range(6)]
        below = np.log(sum(np.exp(cosines[j]) for j in range(6) if j != i))
        peers = [j for j in range(6) if j != i and bool((classes[i] == classes[j]).all())]
        plain.append(-np.mean([cosines[j] - below for j in peers]))
    assert float(contrastive_loss(vectors, classes, temperature=0.1)) == pytest.approx(np.mean(plain), abs=1e-4)
    alone = contrastive_loss(vectors[:2], torch.eye(2), temperature=0.1)
    assert float(alone) == 0


def test_contrast_counts_pairs_by_the_labels_that_they_share() -> None:
    from huiyi.train.tuning.losses import contrastive_loss

    vectors = torch.nn.functional.normalize(torch.randn(3, 5, generator=torch.Generator().manual_seed(0)), dim=1)
    shares = torch.tensor([[1.0, 0.0], [0.75, 0.25], [0.25, 0.75]])
    cosines, plain = vectors @ vectors.T / 0.1, []
    for i in range(3):
        others = [j for j in range(3) if j != i]
        told = cosines[i, others] - torch.logsumexp(cosines[i, others], dim=0)
        alike = torch.stack([shares[i] @ shares[j] for j in others])
        plain.append(float(-(alike * told).sum() / alike.sum()))
    assert float(contrastive_loss(vectors, shares, temperature=0.1)) == pytest.approx(np.mean(plain), abs=1e-4)


@pytest.mark.parametrize("several", [False, True])
def test_two_readings_are_apart_by_the_mean_of_both_divergences(several: bool) -> None:
    from huiyi.train.tuning.losses import divergence

    first, second = torch.randn(2, 6, 3, generator=torch.Generator().manual_seed(1))
    if several:
        sure = [torch.sigmoid(odds) for odds in (first, second)]
        left, right = (torch.stack([share, 1 - share], dim=-1).reshape(-1, 2) for share in sure)
    else:
        left, right = torch.softmax(first, dim=1), torch.softmax(second, dim=1)
    both = torch.nn.functional.kl_div(left.log(), right, reduction="batchmean")
    both = both + torch.nn.functional.kl_div(right.log(), left, reduction="batchmean")
    assert float(divergence(first, second, several=several)) == pytest.approx(float(both) / 2, abs=1e-5)
    assert float(divergence(first, first, several=several)) == 0


def test_rows_of_a_label_follow_each_other() -> None:
    kinds = np.random.default_rng(0).integers(7, size=50)
    groups = grouped(kinds, np.random.default_rng(1), together=2)
    assert sorted(len(group) for group in groups) == [1] * int((np.bincount(kinds) % 2).sum()) + [2] * int(
        (np.bincount(kinds) // 2).sum()
    )
    assert all(len(set(kinds[group])) == 1 for group in groups)
    tokens = Tokens.cut(Letters(), ["x" * (1 + row % 30) for row in range(50)], max_tokens=40)  # type: ignore[arg-type]
    batches = list(tokens.shuffled(8, np.random.default_rng(1), groups))
    assert sorted(map(len, batches)) == [2, 8, 8, 8, 8, 8, 8]
    order = np.concatenate(batches).tolist()
    assert sorted(order) == list(range(50)) and order != list(range(50))
    followed = set(pairwise(order)) | {(second, first) for first, second in pairwise(order)}
    assert sum(tuple(group) in followed for group in groups if len(group) == 2) >= 15  # a batch may end in between
    padding = sum(len(batch) * int(tokens.lengths[batch].max()) for batch in batches) / tokens.lengths.sum()
    assert padding < 1.5


def test_labels_pass_on_along_two_arcs() -> None:
    """One labelled point at the end of each arc: the other end of one is nearer to the label of the other."""
    rng = np.random.default_rng(0)
    truth = np.repeat([0, 1], 60)
    angle = np.where(truth == 0, rng.uniform(0, 2.6, 120), rng.uniform(3.3, 5.9, 120))
    points = np.column_stack([np.cos(angle), np.sin(angle)]).astype(np.float32)
    known = np.zeros(120, dtype=bool)
    known[[int(angle.argmin()), 60 + int(angle[60:].argmin())]] = True
    told = propagate(neighbours(points), np.where(known[:, None], np.eye(2)[truth], 0.5), known)
    np.testing.assert_allclose(told.sum(axis=1), 1, atol=1e-5)
    np.testing.assert_array_equal(told[known], np.eye(2)[truth][known])
    nearest = truth[known][(points @ points[known].T).argmax(axis=1)]
    assert (told.argmax(axis=1) == truth).mean() > (nearest == truth).mean() + 0.1


def test_as_much_is_passed_on_as_suits_the_known_rows() -> None:
    """Neighbours that share a label are listened to; those that say nothing of it are not."""
    rng = np.random.default_rng(0)
    truth = np.arange(90) % 3
    known = np.arange(90) < 30
    clouds = 4 * np.eye(3)[truth] + rng.normal(size=(90, 3))
    anywhere = rng.normal(size=(90, 8))
    blurred = np.where(known[:, None] | (rng.random((90, 1)) < 0.7), np.eye(3)[truth], np.eye(3)[(truth + 1) % 3])

    def guess(told: np.ndarray) -> np.ndarray:
        """Right of three in four rows that are not told."""
        unsure = rng.random((90, 1)) < 0.25
        return np.where(told[:, None] | ~unsure, 0.9 * blurred + 0.05, 0.9 * np.eye(3)[(truth + 1) % 3] + 0.05)

    asked = np.flatnonzero(known)
    assert share_that_suits(neighbours(clouds.astype(np.float32)), guess, known, asked) == PASSED_ON[0]
    assert share_that_suits(neighbours(anywhere.astype(np.float32)), guess, known, asked) < PASSED_ON[0]


@pytest.mark.parametrize("count", [1, 2, 3])
def test_few_texts_to_pass_on_along(count: int) -> None:
    told = propagate(neighbours(np.eye(count, 3, dtype=np.float32)), np.eye(count, 2), np.zeros(count, dtype=bool))
    assert np.isfinite(told).all()


def test_a_run_is_begun_once_and_resumed_with_the_same(tmp_path: Path) -> None:
    folder, facts = tmp_path / "desk.run", {"rows": "a", "options": "b", "encoder": "c"}
    with pytest.raises(OptionError, match="holds no training that was interrupted"):
        begin(folder, facts, resume=True)
    place = begin(folder, facts, resume=False)
    assert begin(folder, facts, resume=True) == place
    begin(folder, facts, resume=False)  # nothing was kept yet, so nothing is lost
    (place / "all" / "epoch-1").mkdir(parents=True)
    with pytest.raises(OutputError, match="Go on with it by --resume"):
        begin(folder, facts, resume=False)
    with pytest.raises(DataError, match="begun with other rows and encoder"):
        begin(folder, {**facts, "rows": "x", "encoder": "y"}, resume=True)
    end(folder)
    assert not place.exists() and folder.is_dir()
    begin(folder, facts, resume=False)


def test_a_run_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="could not be written"):
        begin(tmp_path / "file" / "desk.run", {"rows": "a"}, resume=False)
