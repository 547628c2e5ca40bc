"""Our default way to weigh words beside captum's integrated gradients, SHAP, attention rollout and chance.

Same model, same rows, same run; each may ask the model about as many texts as the default did of that row. ``captum``
takes as many steps; each is a pass forth and one back. Words are measured deleted, which is what the default chooses
by, and masked, which it never sees. SHAP runs twice: it deletes words, or masks them as its own masker does, and then
sees what it is measured by. It is timed as it comes, too: by the pieces of the tokenizer, at its default budget.

Models: ``fast`` and ``tuned``, as a whole; and ``backbone``, the tuned backbone with its own labels alone, which is all
that gradients and attention can see of a model. They are trained once and kept in ``benchmarks/.models/``, where those
that ``tuned.py`` trained are found too. What is explained is BANKING77, and KUAKE-QIC where a case says so.

It needs the extra ``explain``, and ``pip install shap==0.51.0``.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from functools import cache, partial
from typing import Any

import numpy as np
from explanations import MASK, explained, random_order, rows_of, worth_of
from harness import kept, run_cases

import huiyi
from huiyi import Model, TrainConfig
from huiyi.explain import BACKBONE_METHODS, Game, Inside, Unit, attribute, faithfulness, units_of
from huiyi.explain.tokens import Worth
from huiyi.values import Record

Ordered = Callable[[Game, int], "tuple[Sequence[int], int]"]
"""A text and how many passes are left, to the places of its words and the passes that were taken."""

MODELS = ("tuned", "backbone", "fast")
DATA = "banking77"
FIGURES = ("comprehensiveness", "sufficiency", "masked_comprehensiveness", "masked_sufficiency", "passes", "ms")


@cache
def trained(data: str, effort: str) -> Model:
    if not kept(data, effort).is_dir():
        huiyi.train(rows_of(data)[0], config=TrainConfig(effort=effort)).save(kept(data, effort))
    return huiyi.load(kept(data, effort))


class Alone:
    """The tuned backbone of a model and its own labels."""

    def __init__(self, model: Model) -> None:
        backbones = model.perception.backbones
        signal, head = model.skills[model.task.name].aligner.learnt_with(backbones)
        self.perceiver, self.head = backbones[signal], head
        self.replayed = self.perceiver.replayed()

    def __call__(self, texts: Sequence[str]) -> Any:
        """Probabilities, shape (n, k)."""
        signals, _ = self.perceiver.perceive([Record(text=text) for text in texts])
        (vectors,) = signals.values()
        lines, bias = self.head.lines
        odds = vectors @ lines.T + bias
        told = np.exp(odds - odds.max(axis=1, keepdims=True))
        return told / told.sum(axis=1, keepdims=True)

    def inside(self, column: int) -> Inside:
        return Inside(self.replayed, *self.head.lines, column)


@cache
def alone(data: str) -> Alone:
    return Alone(trained(data, "tuned"))


def asked(data: str, model: str, text: str) -> tuple[Worth, int]:
    """What a model says of the label that it would decide on, and the column of that label."""
    if model != "backbone":
        worth, label = worth_of(trained(data, model), text)
        return worth, trained(data, model).task.names.index(label)
    column = int(alone(data)([text])[0].argmax())
    return lambda texts: alone(data)(texts)[:, column], column


def by_shap(units: Sequence[Unit], worth: Worth, text: str, passes: int, *, mask: str) -> tuple[Sequence[int], int]:
    """SHAP's partition explainer over the same words."""
    import shap

    def tokenizer(given: str, return_offsets_mapping: bool = True) -> dict[str, Any]:
        own = units if given == text else units_of(given)
        return {"input_ids": [one.text for one in own], "offset_mapping": [(one.start, one.end) for one in own]}

    count = 0

    def told(texts: Sequence[str]) -> Any:
        nonlocal count
        count += len(texts)
        return worth([str(one) for one in texts])

    masker = shap.maskers.Text(tokenizer, mask_token=MASK, collapse_mask_token=False)
    masker.mask_token = mask  # it takes no mask of nothing when it is made
    explainer = shap.PartitionExplainer(told, masker)
    weights = explainer([text], silent=True, max_evals=passes).values[0]
    return [int(place) for place in np.argsort(-weights, kind="stable")], count


def shap_as_it_comes(worth: Worth, text: str) -> int:
    """SHAP with its own defaults, given a model and a tokenizer, as its documentation has it; tells the passes."""
    import shap
    from tokenizers import Tokenizer
    from transformers import PreTrainedTokenizerFast

    content = Tokenizer.from_str(alone(DATA).perceiver.encoder.tokenizer)
    names = {"unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]", "pad_token": "[PAD]", "mask_token": MASK}
    count = 0

    def told(texts: Sequence[str]) -> Any:
        nonlocal count
        count += len(texts)
        return worth([str(one) for one in texts])

    shap.Explainer(told, PreTrainedTokenizerFast(tokenizer_object=content, **names))([text], silent=True)
    return count


def orders(data: str, model: str, text: str, row: int) -> Mapping[str, Ordered]:
    """The ways to put the words of a text in order."""
    worth, column = asked(data, model, text)

    def ours(game: Game, passes: int) -> tuple[Sequence[int], int]:
        found = attribute(game)
        return found.order, found.passes

    def chance(game: Game, passes: int) -> tuple[Sequence[int], int]:
        return random_order(game, row).order, 0

    def looking_in(method: str, game: Game, passes: int) -> tuple[Sequence[int], int]:
        options = {"steps": passes} if method == "gradients" else {}
        _, order = BACKBONE_METHODS[method](game, alone(data).inside(column), **options)
        return order, passes if method == "gradients" else 1

    found: dict[str, Ordered] = {"chains": ours, "random": chance}
    if data == DATA:
        found |= {
            "shap, deleting": lambda game, passes: by_shap(game.units, worth, text, passes, mask=""),
            "shap, masking": lambda game, passes: by_shap(game.units, worth, text, passes, mask=MASK),
        }
    if model != "fast":
        found |= {method: partial(looking_in, method) for method in BACKBONE_METHODS}
    return found


@cache
def measured(data: str, model: str) -> Mapping[str, Mapping[str, float]]:
    """Figures of each method over the same rows."""
    figures: dict[str, list[tuple[float, ...]]] = {}
    for row, text in enumerate(explained(data)):
        units, (worth, _) = units_of(text), asked(data, model, text)
        deleted, masked = Game(text, units, worth), Game(text, units, worth, mask=MASK)
        budget = 0
        for method, ordered in orders(data, model, text, row).items():
            started = time.process_time()
            order, passes = ordered(Game(text, units, worth), budget)
            spent = 1000 * (time.process_time() - started)
            budget = budget or passes
            found = faithfulness(deleted, order), faithfulness(masked, order)
            told = [figure for one in found for figure in (one.comprehensiveness, one.sufficiency)]
            figures.setdefault(method, []).append((*told, passes, spent))
    return {
        method: {"rows": len(rows), **dict(zip(FIGURES, map(float, np.mean(rows, axis=0)), strict=True))}
        for method, rows in figures.items()
    }


def of_method(data: str, model: str, method: str) -> Mapping[str, float]:
    return measured(data, model)[method]


def timed(model: str) -> dict[str, float]:
    """Milliseconds of an explanation of ours, and of SHAP with the passes that it takes by itself."""
    spent = []
    for text in explained(DATA):
        units, (worth, _) = units_of(text), asked(DATA, model, text)
        started = time.process_time()
        attribute(Game(text, units, worth))
        between = time.process_time()
        passes = shap_as_it_comes(worth, text)
        spent.append((1000 * (between - started), 1000 * (time.process_time() - between), passes))
    ours, theirs, passes = map(float, np.mean(spent, axis=0))
    return {"rows": len(spent), "ms": ours, "shap_ms": theirs, "shap_passes": passes, "share": ours / theirs}


def main() -> None:
    import captum  # noqa: F401  so that what is missing is said before the work
    import shap  # noqa: F401

    warnings.simplefilter("ignore")
    cases: dict[str, Callable[[], Mapping[str, Any]]] = {}
    for model in MODELS:
        methods = (
            "chains",
            "shap, deleting",
            "shap, masking",
            *(() if model == "fast" else BACKBONE_METHODS),
            "random",
        )
        for method in methods:
            cases[f"{model}: {method}"] = partial(of_method, DATA, model, method)
        cases[f"{model}: time"] = partial(timed, model)
    for method in ("chains", *BACKBONE_METHODS, "random"):
        cases[f"kuake_qic, tuned: {method}"] = partial(of_method, "kuake_qic", "tuned", method)
    run_cases("explanations_beside_peers", cases, __doc__, key="what")


if __name__ == "__main__":
    main()
