"""The loop of fine-tuning, on a tiny backbone."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from huiyi.errors import DataError, OptionError, OutputError
from huiyi.train.tuning.backbones import load_backbone
from huiyi.train.tuning.checkpoints import Checkpoints
from huiyi.train.tuning.finetune import FROZEN, SPAN_CONSISTENCY, FinetuneConfig, Finetuned, Rows, finetune, suited
from huiyi.train.tuning.methods import METHODS
from huiyi.values import Label, Task

torch = pytest.importorskip("torch", reason="fine-tuning needs the extra tune")

TASK = Task("intent", "choice", (Label("card"), Label("order"), Label("money")))
QUICK = FinetuneConfig(epochs=4, rate=3e-3, batch_rows=8)


@pytest.fixture(scope="module")
def lessons(rows: list[tuple[str, str]]) -> Rows:
    labels = sorted({label for _, label in rows})
    targets = np.eye(3, dtype=np.float32)[[labels.index(label) for _, label in rows]]
    return Rows([text for text, _ in rows], {"intent": targets})


def told_right(tuned: Finetuned, lessons: Rows) -> float:
    vectors = tuned.encode(lessons.texts, max_tokens=32)
    return float(
        ((vectors @ tuned.learnt["intent"].weights.T).argmax(axis=1) == lessons.targets["intent"].argmax(axis=1)).mean()
    )


def weights(tuned: Finetuned) -> dict[str, np.ndarray]:
    return {name: value.numpy() for name, value in tuned.module.state_dict().items()}


class KilledError(Exception):
    pass


def interrupted(tiny: Path, lessons: Rows, config: FinetuneConfig, folder: Path, *, after: int) -> Checkpoints:
    """What is kept of a run that is killed in the epoch after some, before that one is kept."""

    def stop(figures: Mapping[str, float]) -> None:
        if figures["epoch"] == after + 1:
            raise KilledError

    kept = Checkpoints(folder / "run")
    with pytest.raises(KilledError):
        finetune(load_backbone(str(tiny)), lessons, [TASK], config=config, checkpoints=kept, tell=stop)
    assert [place.name for place in (folder / "run").iterdir()] == [f"epoch-{after}"]
    return kept


@pytest.mark.parametrize("method", ["full", "lora", "head"])
def test_it_learns(tiny: Path, lessons: Rows, method: str) -> None:
    before = load_backbone(str(tiny))
    epochs: list[Mapping[str, float]] = []
    ticks: list[int] = []
    config = replace(QUICK, method=method, rate=3e-3 if method != "head" else 1e-2, prototype_rate=3e-2)
    tuned = finetune(load_backbone(str(tiny)), lessons, [TASK], config=config, tell=epochs.append, tick=ticks.append)
    assert sum(ticks) == 4 * len(lessons.texts)
    assert [epoch["epoch"] for epoch in epochs] == [1, 2, 3, 4]
    assert epochs[-1]["loss"] < epochs[0]["loss"]
    assert told_right(tuned, lessons) > 0.9
    np.testing.assert_allclose(np.linalg.norm(tuned.learnt["intent"].weights, axis=1), 1, atol=1e-5)
    changed = any(
        not np.array_equal(value.numpy(), weights(tuned)[name]) for name, value in before.module.state_dict().items()
    )
    assert changed == (method != "head")


def test_the_same_seed_gives_the_same_weights(tiny: Path, lessons: Rows) -> None:
    first, second, other = (
        weights(finetune(load_backbone(str(tiny)), lessons, [TASK], config=replace(QUICK, epochs=1, seed=seed)))
        for seed in (0, 0, 1)
    )
    assert all(np.array_equal(first[name], second[name]) for name in first)
    assert not all(np.array_equal(first[name], other[name]) for name in first)


def test_accumulated_gradients_are_those_of_the_larger_batch(tiny: Path, lessons: Rows) -> None:
    """Without dropout, two batches of 8 and one of 16 make the same step, but for their order by length."""
    same = Rows([lessons.texts[0]] * 16, {"intent": lessons.targets["intent"][:16]})
    plain, parts = (
        finetune(
            load_backbone(str(tiny)), same, [TASK], config=replace(QUICK, epochs=1, batch_rows=size, accumulate=times)
        )
        for size, times in ((16, 1), (8, 2))
    )
    assert len(plain.history) == len(parts.history) == 1
    assert plain.history[0]["loss"] == pytest.approx(parts.history[0]["loss"], rel=0.05)


def test_several_labels_a_row(tiny: Path, lessons: Rows) -> None:
    both = np.maximum(lessons.targets["intent"], np.roll(lessons.targets["intent"], 1, axis=1))
    tuned = finetune(
        load_backbone(str(tiny)),
        Rows(lessons.texts, {"intent": both}),
        [replace(TASK, kind="several")],
        config=replace(QUICK, epochs=12, prototype_rate=3e-2),
    )
    odds = (
        20 * tuned.encode(lessons.texts, max_tokens=32) @ tuned.learnt["intent"].weights.T + tuned.learnt["intent"].bias
    )
    assert ((odds > 0) == (both > 0)).mean() > 0.9


@pytest.mark.parametrize("contrast", [0.0, 0.3])
def test_rows_of_which_a_task_knows_nothing_do_not_teach_it(tiny: Path, lessons: Rows, contrast: float) -> None:
    """Two tasks of the same labels, of which each knows half of the rows, and neither tells the other's rows."""
    halves = np.arange(len(lessons.texts)) % 2
    other = Task("other", "choice", TASK.labels)
    targets = {
        task.name: np.where((halves == place)[:, None], np.roll(lessons.targets["intent"], place, axis=1), np.nan)
        for place, task in enumerate((TASK, other))
    }
    epochs: list[Mapping[str, float]] = []
    tuned = finetune(
        load_backbone(str(tiny)),
        Rows(lessons.texts, targets),
        [TASK, other],
        held_out=Rows(lessons.texts, targets),
        config=replace(QUICK, patience=0, contrast=contrast),
        tell=epochs.append,
    )
    vectors = tuned.encode(lessons.texts, max_tokens=32)
    told = {name: (vectors @ learnt.weights.T).argmax(axis=1) for name, learnt in tuned.learnt.items()}
    right = lessons.targets["intent"].argmax(axis=1)
    assert (told["intent"] == right).mean() > 0.9
    assert (told["other"] == (right + 1) % 3).mean() > 0.9
    assert epochs[-1]["held_out_accuracy intent"] > 0.9 and epochs[-1]["accuracy other"] > 0.8


def test_rows_read_twice_are_told_alike(tiny: Path, lessons: Rows) -> None:
    """With its own dropout each time, a text is told more alike after it was asked for."""
    from huiyi.train.tuning.losses import divergence

    apart = {}
    for weight in (0.0, 8.0):
        config = replace(QUICK, consistency=weight, contrast=0.5, together=2)
        tuned = finetune(load_backbone(str(tiny)), lessons, [TASK], config=config)
        assert told_right(tuned, lessons) > 0.9
        tuned.module.train()
        lines = torch.from_numpy(tuned.learnt["intent"].weights)
        given = tuned.backbone.items(lessons.texts, max_tokens=32).batch(np.arange(len(lessons.texts)))
        torch.manual_seed(0)
        with torch.no_grad():
            readings = [20 * tuned.backbone.read(tuned.module, given).vectors @ lines.T for _ in range(2)]
        apart[weight] = float(divergence(*readings, several=False))
    assert 0 < apart[8.0] < apart[0.0]


def test_few_rows_are_kept_from_being_learnt_by_heart() -> None:
    usual = FinetuneConfig(method="lora", epochs=5)
    assert suited(usual, 8_001) == usual
    some, few = suited(usual, 8_000), suited(usual, 3_000)
    assert some.consistency > 0 and some.contrast == 0 and some.rate == METHODS["lora"]().learning_rate / 2
    assert few == replace(some, rate=None, contrast=1.0, together=2)
    whole = FinetuneConfig(epochs=5)
    assert suited(whole, 3_000).frozen == FROZEN and not few.frozen and not suited(whole, 3_001).frozen
    assert suited(whole, 3_000, dearness=8.0) == replace(whole, frozen=FROZEN)
    assert suited(usual, 3_000, has_spans=True) == replace(usual, consistency=SPAN_CONSISTENCY)
    assert suited(usual, 8_001, has_spans=True) == usual


def test_frozen_layers_stay_as_they_came(tiny: Path, lessons: Rows) -> None:
    """Of two layers the lower one, with all below it; the upper one learns."""
    before = load_backbone(str(tiny)).module.state_dict()
    tuned = finetune(load_backbone(str(tiny)), lessons, [TASK], config=replace(QUICK, frozen=0.5))
    moved = {name for name, value in tuned.module.state_dict().items() if not torch.equal(value, before[name])}
    assert moved and all("layer.1." in name for name in moved)
    assert told_right(tuned, lessons) > 0.9


def test_rows_without_a_label_are_a_class_of_their_own_while_learning(tiny: Path, lessons: Rows) -> None:
    targets = lessons.targets["intent"].copy()
    targets[:24] = 0
    tuned = finetune(load_backbone(str(tiny)), Rows(lessons.texts, {"intent": targets}), [TASK], config=QUICK)
    assert tuned.learnt["intent"].weights.shape == (3, 32)
    assert np.isfinite(tuned.learnt["intent"].weights).all()


def test_it_stops_when_held_out_rows_get_no_better_and_keeps_the_best(
    tiny: Path, lessons: Rows, tmp_path: Path
) -> None:
    targets = np.random.default_rng(0).permutation(lessons.targets["intent"])
    shuffled = Rows(lessons.texts, {"intent": targets})
    config = replace(QUICK, epochs=12, patience=2)
    tuned = finetune(load_backbone(str(tiny)), lessons, [TASK], held_out=shuffled, config=config)
    losses = [epoch["held_out_loss"] for epoch in tuned.history]
    assert tuned.epochs == int(np.argmin(losses)) + 1
    assert len(losses) <= tuned.epochs + 2
    kept = interrupted(tiny, lessons, config, tmp_path, after=tuned.epochs)
    best = replace(config, epochs=tuned.epochs)  # all of which are kept
    alone = finetune(load_backbone(str(tiny)), lessons, [TASK], config=best, checkpoints=kept)
    for name, value in weights(alone).items():
        np.testing.assert_allclose(value, weights(tuned)[name], atol=1e-6)


def test_interrupted_and_gone_on_with_the_weights_are_the_same(tiny: Path, lessons: Rows, tmp_path: Path) -> None:
    whole = finetune(load_backbone(str(tiny)), lessons, [TASK], config=QUICK)
    kept = interrupted(tiny, lessons, QUICK, tmp_path, after=2)
    epochs: list[Mapping[str, float]] = []
    resumed = finetune(load_backbone(str(tiny)), lessons, [TASK], config=QUICK, checkpoints=kept, tell=epochs.append)
    assert [epoch["epoch"] for epoch in epochs] == [3, 4]
    assert [epoch["loss"] for epoch in resumed.history] == pytest.approx([epoch["loss"] for epoch in whole.history])
    np.testing.assert_allclose(resumed.learnt["intent"].weights, whole.learnt["intent"].weights, atol=1e-6)
    for name, value in weights(whole).items():
        np.testing.assert_allclose(weights(resumed)[name], value, atol=1e-6)


def test_a_checkpoint_half_written_is_not_used(tiny: Path, lessons: Rows, tmp_path: Path) -> None:
    kept = Checkpoints(tmp_path / "run")
    finetune(load_backbone(str(tiny)), lessons, [TASK], config=replace(QUICK, epochs=1), checkpoints=kept)
    (tmp_path / "run" / ".epoch-2").mkdir()
    (tmp_path / "run" / ".epoch-2" / "state.safetensors").write_bytes(b"half")
    found = kept.latest()
    assert found is not None and len(found[2]) == 1


def test_a_checkpoint_that_cannot_be_written_leaves_the_one_before(
    tiny: Path, lessons: Rows, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from safetensors import SafetensorError

    kept = interrupted(tiny, lessons, replace(QUICK, epochs=2), tmp_path, after=1)

    def full(*_: object) -> None:
        raise SafetensorError("Error while serializing: I/O error: No space left on device (os error 28)")

    monkeypatch.setattr("safetensors.torch.save_file", full)
    with pytest.raises(OutputError, match=r"epoch-2 could not be written: No space left.*--resume"):
        finetune(load_backbone(str(tiny)), lessons, [TASK], config=replace(QUICK, epochs=2), checkpoints=kept)
    assert [place.name for place in (tmp_path / "run").iterdir()] == ["epoch-1"]
    found = kept.latest()
    assert found is not None and len(found[2]) == 1


def test_a_checkpoint_that_is_damaged(tiny: Path, lessons: Rows, tmp_path: Path) -> None:
    kept = Checkpoints(tmp_path / "run")
    finetune(load_backbone(str(tiny)), lessons, [TASK], config=replace(QUICK, epochs=1), checkpoints=kept)
    (tmp_path / "run" / "epoch-1" / "state.safetensors").write_bytes(b"half")
    with pytest.raises(DataError, match=r"epoch-1 is damaged.*Remove that folder"):
        kept.latest()


def test_a_loss_that_is_no_number_stops_it_and_the_good_epoch_stays(tiny: Path, lessons: Rows, tmp_path: Path) -> None:
    kept = interrupted(tiny, lessons, replace(QUICK, epochs=3), tmp_path, after=1)
    with pytest.raises(DataError, match=r"epoch 2.*the loss is (nan|inf)"):
        finetune(
            load_backbone(str(tiny)),
            lessons,
            [TASK],
            config=replace(QUICK, epochs=3, sharpness=float("inf")),
            checkpoints=kept,
        )
    found = kept.latest()
    assert found is not None and len(found[2]) == 1


def test_what_to_say_when_memory_runs_out(tiny: Path, lessons: Rows, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes")

    monkeypatch.setattr("huiyi.train.tuning.objectives.label_loss", full)
    with pytest.raises(OptionError, match=r"batch of 8 texts.*batches of 4"):
        finetune(load_backbone(str(tiny)), lessons, [TASK], config=QUICK)


def test_an_unknown_method() -> None:
    with pytest.raises(OptionError, match=r"lorra.*Did you mean 'lora'"):
        finetune(None, lessons, [TASK], config=replace(QUICK, method="lorra"))  # type: ignore[arg-type]
