"""How faithful explanations are, what they cost, and whether they tell of what is not there.

Words are weighed on test rows by each method; sampled orders take at least as many passes as the default takes on the
same row. All methods are measured with the words deleted and with them masked; the default chooses by deletion.

Of skin pictures with form fields, the region that is named first is painted over, and beside it, one at a time, other
regions of its size that are drawn at random; in the mean colour, which is how regions are weighed, and in grey.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
from harness import Pair, load, run_cases
from sources import CASES, read

import huiyi
from huiyi import Model, TrainConfig
from huiyi.errors import HuiyiError
from huiyi.evaluate import audit
from huiyi.explain import Attribution, Game, attribute, faithfulness, likeness, units_of
from huiyi.explaining import REFIT_ROWS
from huiyi.explanation import Explanation
from huiyi.perceive import PICTURES
from huiyi.perceive import altered as altering
from huiyi.values import Record

MASK = "[MASK]"
FEWER = 12  # the same of models that are trained many times
FEW = 5  # of the training rows one in so many teaches the models that only sanity is asked of
ARTEFACT = "zorblax"
PLANTED = "card_arrival"
RELABELLED = 20  # decisions, each tried by training a model from the start
PICTURES_SHOWN, OTHERS = 100, 10  # explained, evenly spread; random regions of each

IN_ANOTHER_PROCESS = """
import json, sys
import huiyi
from huiyi.evaluate import replay_audit
model = huiyi.load(sys.argv[1])
print(sum(not replay_audit(model, json.loads(line)) for line in sys.stdin))
"""


def rows_of(data: str) -> tuple[list[Pair], list[Pair], int]:
    """Training rows, test rows and how many of these are explained."""
    if data == "banking77":
        return load("banking77/train"), load("banking77/test"), 200
    return load("kuake_qic/train"), load("kuake_qic/validation"), 100


@cache
def trained(data: str) -> Model:
    return huiyi.train(rows_of(data)[0])


def explained(data: str) -> list[str]:
    """Evenly spread test texts."""
    _, test, count = rows_of(data)
    return [text for text, _ in test[:: len(test) // count][:count]]


def worth_of(model: Model, text: str, label: str | None = None) -> tuple[Callable[[Sequence[str]], Any], str]:
    """What a model says of texts: the probability of a label, or of the one that it would decide on."""
    context = model.perceive([Record(text=text)])
    told = model.align(context).probabilities[0]
    column = int(told.argmax()) if label is None else model.task.names.index(label)

    def worth(texts: Sequence[str]) -> Any:
        return model.align(model.perception.reworded(context, texts)).probabilities[:, column]

    return worth, model.task.names[column]


def random_order(game: Game, seed: int) -> Attribution:
    """Weights that know nothing."""
    weights = np.random.default_rng(seed).random(len(game.units))
    order = tuple(int(place) for place in np.argsort(-weights))
    return Attribution(tuple(weights), order, 0.0, 0.0, 0, "random", True)


@cache
def weighed(data: str) -> Mapping[str, Mapping[str, float]]:
    """Figures of each method over the same rows."""
    from huiyi.perceive import pieces

    model = trained(data)
    figures: dict[str, list[tuple[float, ...]]] = {}
    for number, text in enumerate(explained(data)):
        worth, _ = worth_of(model, text)
        units, passes = units_of(text, pieces), 0
        for method in ("chains", "shapley", "occlusion", "random"):
            started = time.process_time()
            budget = {"most_passes": passes + 2 * len(units)} if method == "shapley" else {}  # orders go in pairs
            game = Game(text, units, worth, **budget)
            found = random_order(game, number) if method == "random" else attribute(game, method=method, seed=number)
            spent, passes = time.process_time() - started, found.passes if method == "chains" else passes
            deleted = faithfulness(Game(text, units, worth), found.order)
            masked = faithfulness(Game(text, units, worth, mask=MASK), found.order)
            figures.setdefault(method, []).append(
                (
                    deleted.comprehensiveness,
                    deleted.sufficiency,
                    masked.comprehensiveness,
                    masked.sufficiency,
                    deleted.monotonicity,
                    found.passes,
                    1000 * spent,
                )
            )
    names = ("comprehensiveness", "sufficiency", "masked_comprehensiveness", "masked_sufficiency", "monotonicity")
    return {
        method: dict(zip((*names, "passes", "ms"), map(float, np.mean(rows, axis=0)), strict=True))
        for method, rows in figures.items()
    }


def seconds() -> dict[str, float]:
    """What an explanation costs, as a multiple of a decision: its words, shares and rows; and all of it."""
    model, texts = trained("banking77"), explained("banking77")
    model.explain(texts[0])

    def spent(what: Callable[[str], Any], text: str) -> float:
        started = time.process_time()
        what(text)
        return 1000 * (time.process_time() - started)

    taken = np.array(
        [
            (
                spent(model.decide, text),
                spent(lambda text: model.explain(text, counterfactual=False), text),
                spent(model.explain, text),
            )
            for text in texts
        ]
    )
    decide, words, whole = map(float, taken.mean(axis=0))
    return {
        "rows": len(texts), "decide_ms": decide, "words_ms": words, "whole_ms": whole,
        "words_decisions": words / decide, "words_decisions_p50": float(np.median(taken[:, 1] / taken[:, 0])),
        "whole_decisions": whole / decide,
    }  # fmt: skip


def counterfactuals() -> dict[str, float]:
    model, found, verified, fluent, changes = trained("banking77"), 0, 0, 0, 0
    texts = explained("banking77")
    for text in texts:
        one = model.explain(text).counterfactual
        if one is not None:
            now, then = model.decide(text), model.decide(one.text)
            found, changes, fluent = found + 1, changes + len(one.changes), fluent + (not one.stilted)
            is_other = then.kind == "act" if now.kind == "decline" else then.labels != now.labels
            verified += is_other and then.labels == one.labels
    return {
        "rows": len(texts), "found": found / len(texts), "verified": verified / found, "not_stilted": fluent / found,
        "changes": changes / found,
    }  # fmt: skip


def randomised(model: Model) -> Model:
    """The same model with all that its heads learnt shuffled."""
    rng = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as folder:
        model.save(Path(folder) / "model")
        other = huiyi.load(Path(folder) / "model")
    for head in other.skills["intent"].aligner._heads.values():  # type: ignore[union-attr]
        arrays, config = head.to_arrays()
        learnt = {"coefficients", "weights", "data"} & {*arrays}
        head.from_arrays({**arrays, **{name: rng.permuted(arrays[name], axis=None) for name in learnt}}, config)
    return other


def sanity() -> dict[str, float]:
    """Rank correlation with the weights of models that know nothing."""
    train, _, _ = rows_of("banking77")
    few = train[::FEW]
    labels = np.random.default_rng(0).permutation([label for _, label in few])
    model, texts = huiyi.train(few), explained("banking77")
    others = {
        "randomised": randomised(model),
        "shuffled_labels": huiyi.train([(text, str(label)) for (text, _), label in zip(few, labels, strict=True)]),
    }
    alike: dict[str, list[float]] = {name: [] for name in others}
    for text in texts:
        worth, label = worth_of(model, text)
        units = units_of(text)
        own = attribute(Game(text, units, worth)).weights
        for name, other in others.items():
            theirs = attribute(Game(text, units, worth_of(other, text, label)[0])).weights
            alike[name].append(likeness(own, theirs))
    return {"rows": len(texts), **{name: float(np.mean(told)) for name, told in alike.items()}}


def artefact() -> dict[str, float]:
    """A token that one class has in a fifth of its training rows: how often it comes first where it is."""
    train, test, _ = rows_of("banking77")
    of_class = [place for place, (_, label) in enumerate(train) if label == PLANTED]
    planted = {*of_class[::5]}
    model = huiyi.train(
        [
            (f"{text} {ARTEFACT}" if place in planted else text, label)
            for place, (text, label) in enumerate(train)
            if place % FEW == 0 or label == PLANTED
        ]
    )

    def first(texts: Sequence[str]) -> float:
        hits = 0
        for text in texts:
            holding = f"{text} {ARTEFACT}"
            words = model.explain(holding, PLANTED, counterfactual=False).words
            hits += max(words, key=lambda word: word.weight).text == ARTEFACT
        return hits / len(texts)

    own = [text for text, label in test if label == PLANTED]
    other = [text for text, label in test if label != PLANTED][::30][:100]
    return {"rows": len(own) + len(other), "first_in_other_classes": first(other), "first_in_its_class": first(own)}


def planted_labels() -> dict[str, float]:
    """One row in fifty has a wrong label: whether the one that a wrong decision rests on is among those named.

    A test row counts where the decision was the wrong label of a row, and is right once that row alone is corrected
    and the model trained again.
    """
    train, test, _ = rows_of("banking77")
    few, rng = train[::FEW], np.random.default_rng(0)
    names = sorted({label for _, label in few})
    wrong = {int(place): str(rng.choice([name for name in names if name != few[place][1]]))
             for place in rng.choice(len(few), len(few) // 50, replace=False)}  # fmt: skip
    spoilt = [(text, wrong.get(place, label)) for place, (text, label) in enumerate(few)]
    model, texts = huiyi.train(spoilt), [text for text, _ in test]

    def decided(one: Model) -> list[str]:
        context = one.perceive([Record(text=text) for text in texts])
        return [one.task.names[column] for column in one.align(context).probabilities.argmax(axis=1)]

    before, flipped, first, found = decided(model), 0, 0, 0
    for place, label in wrong.items():
        text, right = few[place]
        misled = [row for row, (_, own) in enumerate(test) if own == right and before[row] == label]
        if misled:
            after = decided(huiyi.train([*spoilt[:place], few[place], *spoilt[place + 1 :]]))
            for row in (row for row in misled if after[row] == right):
                rows = model.explain(texts[row], label, counterfactual=False).influential
                flipped, first = flipped + 1, first + (rows[0].text == text)
                found += text in [one.text for one in rows]
    return {"rows": flipped, "planted": len(wrong), "named_first": first / flipped, "named": found / flipped}


def relabelled(most_rows: int) -> dict[str, Any]:
    """Training rows that are named to be relabelled: whether a model trained on them so tells the other label.

    Where the model has at most ``most_rows``, what is named was tried by fitting heads again; else it is an estimate.
    Each set is tried here by training from the start.
    """
    train, test, _ = rows_of("banking77")
    few = train[::FEWER]
    model, texts = huiyi.train(few), [text for text, _ in test[:: len(test) // RELABELLED][:RELABELLED]]
    named, verified, left, rows = 0, 0, 0, 0
    for text in texts:
        with patch("huiyi.explaining.REFIT_ROWS", most_rows):
            found = model.explain(text).relabelling
        if found is not None:
            own = {(row.text, row.labels[0]) for row in found.rows}
            other = huiyi.train([(said, found.label if (said, label) in own else label) for said, label in few])
            told = other.decide(text).label
            named, rows = named + 1, rows + len(found.rows)
            verified, left = verified + (told == found.label), left + (told != model.decide(text).label)
    return {
        "rows": len(texts), "told": named / len(texts), "verified": verified / named, "changed": left / named,
        "relabelled": rows / named,
    }  # fmt: skip


def replayed() -> dict[str, Any]:
    """Auditor's records in a new process, and with one byte of the model changed."""
    model, texts = trained("banking77"), explained("banking77")[:100]
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "model"
        model.save(place)
        kept = "\n".join(json.dumps(audit(model, Record(text=text))) for text in texts)
        command = [sys.executable, "-c", IN_ANOTHER_PROCESS, str(place)]
        done = subprocess.run(command, input=kept, capture_output=True, check=True, text=True)
        file = place / "arrays.safetensors"
        content = bytearray(file.read_bytes())
        content[-1] ^= 1
        file.write_bytes(content)
        try:
            huiyi.load(place)
            is_refused = False
        except HuiyiError:
            is_refused = True
    return {"rows": len(texts), "identical": int(done.stdout) / len(texts), "changed_byte_refused": is_refused}


def regions() -> dict[str, float]:
    """Whether the region named first counts more than others of its size, and whether all adds up."""
    case = CASES["mm_ham10000"]
    train, test = read(case, split="train"), read(case, split="test").records
    model, rng = huiyi.train(train, config=TrainConfig(signals=("image", "fields"))), np.random.default_rng(0)
    records = test[:: len(test) // PICTURES_SHOWN][:PICTURES_SHOWN]
    model.explain(records[0])
    figures: dict[str, list[float]] = {}
    for record in records:
        started, worked = time.perf_counter(), time.process_time()
        found = model.explain(record)
        spent = {"seconds": time.perf_counter() - started, "processor_seconds": time.process_time() - worked}
        assert found.regions is not None and found.fields is not None and found.regions.faithfulness is not None
        nothing = model.explain(Record(), found.label, counterfactual=False).probability
        row = {
            "shares_off_by": abs(sum(found.shares.values()) - (found.probability - nothing)),
            "regions_off_by": abs(sum(one.weight for one in found.regions.parts) - found.probability
                                  + found.regions.without),
            "fields_off_by": abs(sum(one.weight for one in found.fields.parts) - found.probability
                                 + found.fields.without),
            "comprehensiveness": found.regions.faithfulness.comprehensiveness,
            "sufficiency": found.regions.faithfulness.sufficiency,
            "passes": found.regions.passes,
            **spent,
        }  # fmt: skip
        for name, paint in {"": altering.painted, "grey_": greyed}.items():
            lost, lost_others = deleted(model, record, found, rng, paint)
            row |= {f"{name}top_lost": lost, f"{name}random_lost": lost_others.mean()}
            row |= {f"{name}top_over_random": lost > lost_others.mean()}
        for name, value in row.items():
            figures.setdefault(name, []).append(float(value))
    worst = {name: max(figures.pop(name)) for name in list(figures) if name.endswith("_off_by")}
    return {"rows": len(records), **worst, **{name: float(np.mean(values)) for name, values in figures.items()}}


def deleted(
    model: Model, record: Record, found: Explanation, rng: np.random.Generator, paint: Callable[..., Any]
) -> tuple[float, Any]:
    """What the probability loses without the region named first, and without each of some others of its size."""
    assert found.regions is not None
    top = found.regions.parts[0]
    side = round(1 / (top.right - top.left))
    places = [(column / side, row / side, (column + 1) / side, (row + 1) / side)
              for row in range(side) for column in range(side)]  # fmt: skip
    own = (top.left, top.top, top.right, top.bottom)
    others = [place for place in places if place != own]
    drawn = [others[number] for number in rng.choice(len(others), OTHERS, replace=False)]
    context = model.perceive([record])
    pictures = model.perception.altered(context, PICTURES)
    assert pictures is not None
    with patched(paint):
        without = pictures.without([[], [(0, own)], *([(0, place)] for place in drawn)])
    told = model.align(without).probabilities[:, model.task.names.index(found.label)]
    return float(told[0] - told[1]), told[0] - told[2:]


@contextmanager
def patched(paint: Callable[..., Any]) -> Iterator[None]:
    """Painting over by something else."""
    usual, altering.painted = altering.painted, paint
    try:
        yield
    finally:
        altering.painted = usual


def greyed(pixels: Any, places: Sequence[tuple[float, ...]]) -> Any:
    """A picture with some of its regions in the middle grey."""
    found = pixels.copy()
    height, width = pixels.shape[:2]
    for left, top, right, bottom in places:
        found[round(top * height) : round(bottom * height), round(left * width) : round(right * width)] = 128
    return found


def main() -> None:
    cases: dict[str, Callable[[], Mapping[str, Any]]] = {}
    for data in ("banking77", "kuake_qic"):
        for method in ("chains", "shapley", "occlusion", "random"):
            cases[f"{data}, {method}"] = lambda data=data, method=method: {  # type: ignore[misc]
                "rows": len(explained(data)), **weighed(data)[method],
            }  # fmt: skip
    cases |= {
        "banking77, cost": seconds,
        "banking77, counterfactuals": counterfactuals,
        "banking77, sanity": sanity,
        "banking77, planted artefact": artefact,
        "banking77, planted labels": planted_labels,
        "banking77, rows to relabel, tried": lambda: relabelled(REFIT_ROWS),
        "banking77, rows to relabel, estimated": lambda: relabelled(0),
        "banking77, replay": replayed,
        "mm_ham10000, regions": regions,
    }
    run_cases("explanations", cases, __doc__, key="what")


if __name__ == "__main__":
    main()
