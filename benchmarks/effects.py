"""Effects beside the truth: IHDP, ACIC 2016, LaLonde, texts and many names as confounders, a million rows, coverage.

    python benchmarks/effects.py [CASE …]

Options were chosen on the first replicate and the first setting. `mu0`, `mu1` and `y_cfactual` are only compared with.
`ihdp`: mean error of the average effect by the doubly robust estimate, and √PEHE of effects by row, of all rows and of
10 % that were held out of everything; replicate 9, whose effects are ten times as large, stands apart. econml's forest
and DR-learner are as they come, its T- and X-learner on gradient boosting as it comes. `acic`: `rmse` is of the
effect over everybody, where rows without overlap are extrapolated to, `rmse_compared` of that over the rows compared,
`rmse_full_overlap` of settings without such rows; `covers` counts intervals that hold the true effect over everybody;
`covers_kept` those that hold the true effect over the rows which the estimate says it is about. `lalonde_…`: the
effect on those who were trained; the experiment says 1,794.
`text`: the intent of a BANKING77 text drives a made-up action and outcome by its topic (a word of the intent's name),
`text_each_intent` by 77 ways that have nothing to do with each other; the text alone is held equal. `text_floor…` is
the bias that is left where all this is known, but for what a text is about: that, a classifier taught with other texts
says. `names_…`: 100,000 rows and a confounder of so many names. `coverage_…`: simulated decisions, 2,000 rows a seed.
Seconds are of the wall, beside whatever else the machine does; processor seconds are of all threads.
"""

from __future__ import annotations

import csv
import gzip
import sys
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from typing import Any

import numpy as np
from harness import DATA, clocked, load, run_cases
from peers.peak import peak_rss_mb

from huiyi.cause.by_row import EffectsOfRows
from huiyi.cause.effect import effect
from huiyi.cause.log import Categories, Column, Log
from huiyi.cause.table import column_of

TREATED = ("0", "1")


def table(path: str) -> dict[str, list[str]]:
    """Columns of a table of the data folder."""
    file = DATA / f"{path}.csv.gz"
    if not file.is_file():
        sys.exit(f"skipped: {file.name} is not in the data folder; set HUIYI_DATA to the folder that has {path}.csv.gz")
    with gzip.open(file, "rt", encoding="utf-8", newline="") as lines:
        rows = list(csv.DictReader(lines))
    return {name: [row[name] for row in rows] for name in rows[0]}


def numbers(cells: list[str]) -> Any:
    return np.array(cells, dtype=float)


def rmse(errors: Any) -> float:
    return float(np.sqrt(np.mean(np.square(errors))))


# IHDP


def ihdp_replicates() -> list[tuple[Log, Any]]:
    """Each replicate as a log, with the true effect of each row."""
    columns = {name: numbers(cells) for name, cells in table("causal_ihdp/ihdp").items()}
    made = []
    for replicate in range(1, 11):
        here = columns["replicate"] == replicate
        actions = Categories(TREATED, columns["treatment"][here].astype(np.intp))
        context = {name: column_of(columns[name][here]) for name in (f"x{place}" for place in range(1, 26))}
        log = Log("ihdp", "treatment", actions, {"y": columns["y_factual"][here]}, context)
        made.append((log, columns["mu1"][here] - columns["mu0"][here]))
    return made


def of_econml(method: str, log: Log) -> Callable[[Log], Any]:
    """What a method of econml says of rows; as it comes, but for the models that a meta-learner must be given."""
    from econml.dml import CausalForestDML
    from econml.dr import DRLearner
    from econml.metalearners import TLearner, XLearner
    from sklearn.ensemble import GradientBoostingRegressor

    makes = {
        "forest": lambda: CausalForestDML(discrete_treatment=True, random_state=0),
        "t_learner": lambda: TLearner(models=GradientBoostingRegressor(random_state=0)),
        "x_learner": lambda: XLearner(models=GradientBoostingRegressor(random_state=0)),
        "dr_learner": lambda: DRLearner(random_state=0),
    }
    assert isinstance(log.actions, Categories)
    model = makes[method]()
    model.fit(log.outcomes["y"], log.actions.codes, X=_matrix(log))
    return lambda rows: np.ravel(model.effect(_matrix(rows), T0=0, T1=1))


def _matrix(log: Log) -> Any:
    """Numbers as they are, names as a column of 0 and 1 for each but the first."""
    blocks = []
    for column in log.context.values():
        if isinstance(column, Categories):
            blocks.append((column.codes[:, None] == np.arange(1, len(column.names))).astype(float))
        else:
            blocks.append(column[:, None])
    return np.concatenate(blocks, axis=1)


def of_ours(log: Log) -> Callable[[Log], Any]:
    learnt = EffectsOfRows("y", "1", "0")
    learnt.fit(log)
    return learnt.of


def ihdp(method: str) -> dict[str, Any]:
    """One row of the table: a method on all replicates."""
    learns = of_ours if method == "ours" else partial(of_econml, method)
    ate, all_rows, held = [], [], []
    with clocked() as spent:
        for replicate, (log, truth) in enumerate(ihdp_replicates(), start=1):
            out = np.random.default_rng(replicate).permutation(len(log)) < len(log) // 10
            told = learns(log)(log)
            if method == "ours":
                (one,) = effect(log, outcome="y", against="0").overall
                assert one.estimate is not None
                ate.append(abs(one.estimate.value - truth.mean()))
            else:
                ate.append(abs(told.mean() - truth.mean()))
            all_rows.append(rmse(told - truth))
            held.append(rmse(learns(log.rows(~out))(log.rows(out)) - truth[out]))
            print(method, replicate, ate[-1], all_rows[-1], held[-1], file=sys.stderr, flush=True)
    rest = np.arange(10) != 8
    return {
        "ate_error": float(np.mean(ate)),
        "ate_error_9": float(ate[8]),
        "pehe": float(np.mean(np.array(all_rows)[rest])),
        "pehe_held_out": float(np.mean(np.array(held)[rest])),
        "pehe_9": all_rows[8],
        "pehe_9_held_out": held[8],
        **spent,
    }


# ACIC 2016


def acic_settings() -> list[tuple[Log, Any]]:
    """Each setting as a log, with the true effect of each row."""
    context = {name: column_of(cells) for name, cells in table("causal_acic2016/x").items()}
    made = []
    for setting in range(1, 11):
        one = {name: numbers(cells) for name, cells in table(f"causal_acic2016/zymu_{setting}").items()}
        treated = one["z"] == 1
        log = Log(
            f"setting {setting}",
            "z",
            Categories(TREATED, treated.astype(np.intp)),
            {"y": np.where(treated, one["y1"], one["y0"])},
            context,
        )
        made.append((log, one["mu1"] - one["mu0"]))
    return made


def acic() -> dict[str, Any]:
    """Ours on all settings."""
    truths = numbers(table("causal_acic2016/truth")["true_ate"])
    errors, of_compared, covers, covers_kept, left = [], [], 0, 0, []
    from huiyi.cause.effect import estimated

    with clocked() as spent:
        for (log, by_row), truth in zip(acic_settings(), truths, strict=True):
            done = estimated(log, outcome="y", against="0")
            (one,), (seen,) = done.effects.overall, done.overlaps
            assert one.estimate is not None
            errors.append((one.estimate.value if one.extrapolated is None else one.extrapolated) - truth)
            of_compared.append(one.estimate.value - truth)
            covers += one.estimate.low <= truth <= one.estimate.high
            of_kept = truth if seen.kept.all() else by_row[seen.kept].mean()
            covers_kept += one.estimate.low <= of_kept <= one.estimate.high
            left.append(len(log) - one.rows)
            print(log.source, one.estimate, truth, of_kept, file=sys.stderr, flush=True)
    return {
        "rmse": rmse(errors),
        "rmse_compared": rmse(of_compared),
        "rmse_full_overlap": rmse([error for error, gone in zip(errors, left, strict=True) if not gone]),
        "covers": int(covers),
        "covers_kept": int(covers_kept),
        "left_out": " ".join(map(str, left)),
        **spent,
    }


def acic_econml(method: str) -> dict[str, Any]:
    """A method of econml as it comes."""
    from econml.dml import CausalForestDML, LinearDML
    from econml.dr import DRLearner, LinearDRLearner

    makes = {
        "forest": lambda: CausalForestDML(discrete_treatment=True, random_state=0),
        "linear_dml": lambda: LinearDML(discrete_treatment=True, random_state=0),
        "linear_dr": lambda: LinearDRLearner(random_state=0),
        "dr_learner": lambda: DRLearner(random_state=0),
    }
    truths = numbers(table("causal_acic2016/truth")["true_ate"])
    errors, covers = [], 0
    with clocked() as spent:
        for (log, _), truth in zip(acic_settings(), truths, strict=True):
            assert isinstance(log.actions, Categories)
            model = makes[method]()
            rows = _matrix(log)
            model.fit(log.outcomes["y"], log.actions.codes, X=rows)
            told = model.ate_inference(rows, T0=0, T1=1) if method != "dr_learner" else None
            value = float(np.ravel(model.ate(rows, T0=0, T1=1))[0])
            errors.append(value - truth)
            if told is not None:
                low, high = (float(np.ravel(end)[0]) for end in told.conf_int_mean(alpha=0.05))
                covers += low <= truth <= high
            print(method, log.source, value, truth, file=sys.stderr, flush=True)
    return {"rmse": rmse(errors), "rmse_full_overlap": rmse(errors[1:]), "covers": int(covers), **spent}


# LaLonde


def lalonde(controls: str) -> dict[str, Any]:
    """Those who were trained beside people of a survey."""
    trained, others = table("causal_lalonde/nsw_dw"), table(f"causal_lalonde/{controls}_controls")
    got = [place for place, cell in enumerate(trained["treat"]) if float(cell) == 1]
    context: dict[str, Column] = {}
    names = ("age", "education", "black", "hispanic", "married", "nodegree", "re74", "re75")
    for name in names:
        context[name] = numbers([trained[name][place] for place in got] + others[name])
    codes = np.repeat([1, 0], [len(got), len(others["re78"])]).astype(np.intp)
    earned = numbers([trained["re78"][place] for place in got] + others["re78"])
    log = Log(controls, "trained", Categories(("no", "yes"), codes), {"re78": earned}, context)
    with clocked() as spent:
        (one,) = effect(log, outcome="re78", estimand="ATT").overall
    row: dict[str, Any] = {"naive": one.naive, "rows": one.rows, "said": " ".join([one.refused, *one.notices]).strip()}
    if one.estimate is not None:
        row |= {"effect": one.estimate.value, "low": one.estimate.low, "high": one.estimate.high}
        row["covers"] = int(one.estimate.low <= 1_794.3 <= one.estimate.high)
    return {**row, **spent}


# Texts and names as confounders


TOPICS = ("card", "top_up", "transfer", "cash", "exchange", "verif", "pin", "refund", "charge", "payment")


def texts_of_intents(each: bool) -> tuple[Any, Any]:
    """Vectors of texts, shape (n, d), and the topic of each, or its intent, shape (n,)."""
    from huiyi.perceive.text import TextPerceiver
    from huiyi.values import Record

    pairs = load("banking77/train")
    signals, _ = TextPerceiver().perceive([Record(text=said) for said, _ in pairs])
    vectors = np.asarray(signals["text"], dtype=float)
    known, intents = np.unique([intent for _, intent in pairs], return_inverse=True)
    if not each:
        topics = [next((word for word in TOPICS if word in intent), "") for intent in known.tolist()]
        intents = np.unique(topics, return_inverse=True)[1][intents]
    return vectors, intents


def text_floor(each: bool = False, seeds: int = 200) -> dict[str, Any]:
    """The bias that the text leaves to those who know all: each intent's ways, and which text is about which.

    They hold equal how probable each intent is given the text, by a classifier that was taught with all other texts.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import StratifiedKFold, cross_val_predict

    vectors, intents = texts_of_intents(each)
    rows = vectors - vectors.mean(axis=0)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    folds = StratifiedKFold(3, shuffle=True, random_state=0)
    model = LogisticRegression(C=30, max_iter=500)
    left = []
    with clocked() as spent:
        shares = cross_val_predict(model, rows, intents, cv=folds, method="predict_proba")
        for seed in range(seeds):
            rng = np.random.default_rng([seed, 77])
            lean, noise = rng.normal(size=(2, intents.max() + 1))
            calls, solved = 1 / (1 + np.exp(-lean)), 0.45 + 0.25 * np.tanh(0.5 * noise - lean)
            after_call = shares @ (calls * solved) / (shares @ calls)
            after_mail = shares @ ((1 - calls) * solved) / (shares @ (1 - calls))
            left.append(float((after_call - after_mail).mean()))
    right = float((shares.argmax(axis=1) == intents).mean())
    return {"bias": float(np.mean(left)), "told_right": right, "seeds": seeds, "rows": len(rows), **spent}


def text(each: bool = False, seeds: int = 50, rows: int = 4_000, truth: float = 0.1) -> dict[str, Any]:
    """The intent of a text drives action and outcome, by its topic or each in its own way; only the text is told."""
    vectors, intents = texts_of_intents(each)
    naive, ours, covers = [], [], 0
    with clocked() as spent:
        for seed in range(seeds):
            rng = np.random.default_rng([seed, 77])
            lean, noise = rng.normal(size=(2, intents.max() + 1))
            some = rng.choice(len(intents), rows, replace=False)
            of = intents[some]
            calls = rng.random(rows) < 1 / (1 + np.exp(-lean[of]))
            solved = rng.random(rows) < 0.45 + 0.25 * np.tanh(0.5 * noise - lean)[of] + truth * calls
            actions = Categories(("mail", "call"), calls.astype(np.intp))
            log = Log("texts", "reply", actions, {"solved": solved.astype(float)}, {"text": vectors[some]})
            (one,) = effect(log, outcome="solved", against="mail", seed=seed).overall
            assert one.estimate is not None
            naive.append(one.naive - truth)
            ours.append(one.estimate.value - truth)
            covers += one.estimate.low <= truth <= one.estimate.high
            print(seed, naive[-1], one.estimate, file=sys.stderr, flush=True)
    return {
        "bias_naive": float(np.mean(naive)),
        "bias": float(np.mean(ours)),
        "rmse": rmse(ours),
        "coverage": float(covers / seeds),
        "seeds": seeds,
        "rows": rows,
        **spent,
    }


def names(levels: int, seeds: int = 5, rows: int = 100_000) -> dict[str, Any]:
    """A confounder of many names."""
    covers, naive, errors, seconds = 0, [], [], []
    with clocked() as spent:
        for seed in range(seeds):
            rng = np.random.default_rng([seed, levels])
            shop, waiting = rng.integers(levels, size=rows), rng.normal(size=rows)
            lean, noise = rng.normal(size=(2, levels))
            calls = rng.random(rows) < 1 / (1 + np.exp(-lean[shop] - 0.5 * waiting))
            solved = calls + lean[shop] + 0.5 * noise[shop] + waiting + rng.normal(size=rows)
            log = Log(
                "names",
                "reply",
                Categories(("mail", "call"), calls.astype(np.intp)),
                {"solved": solved},
                {"shop": Categories(tuple(map(str, range(levels))), shop.astype(np.intp)), "waiting": waiting},
            )
            started = time.perf_counter()
            (one,) = effect(log, outcome="solved", against="mail", seed=seed).overall
            seconds.append(time.perf_counter() - started)
            assert one.estimate is not None
            naive.append(one.naive - 1)
            errors.append(one.estimate.value - 1)
            covers += one.estimate.low <= 1 <= one.estimate.high
            print(seed, naive[-1], one.estimate, seconds[-1], file=sys.stderr, flush=True)
    return {
        "bias_naive": float(np.mean(naive)),
        "rmse": rmse(errors),
        "coverage": float(covers / seeds),
        "seeds": seeds,
        "rows": rows,
        "seconds_a_seed": float(np.mean(seconds)),
        **spent,
    }


def million(rows: int = 1_000_000) -> dict[str, Any]:
    """A million rows of 16 numbers and 4 columns of names."""
    rng = np.random.default_rng(1)
    context: dict[str, Column] = {f"x{place}": rng.normal(size=rows) for place in range(16)}
    for place in range(4):
        context[f"c{place}"] = Categories(tuple("abcdef"), rng.integers(6, size=rows))
    x0, x1, x2, c0 = (context[name] for name in ("x0", "x1", "x2", "c0"))
    assert isinstance(c0, Categories)
    lean = 0.8 * x0 - 0.5 * x1 + 0.5 * c0.are("c")
    calls = rng.random(rows) < 1 / (1 + np.exp(-lean))
    solved = np.sin(2 * x0) + x1 * x2 + c0.are("c") + calls * (1 + 0.5 * x0) + rng.normal(size=rows)
    log = Log("million", "reply", Categories(("mail", "call"), calls.astype(np.intp)), {"solved": solved}, context)
    with clocked() as spent:
        (one,) = effect(log, outcome="solved", against="mail").overall
    assert one.estimate is not None
    return {
        "bias_naive": one.naive - 1,
        "rmse": abs(one.estimate.value - 1),
        "covers": int(one.estimate.low <= 1 <= one.estimate.high),
        "rows": rows,
        "peak_mb": round(peak_rss_mb()),
        **spent,
    }


# Coverage


def simulated(kind: str, seed: int, rows: int = 2_000) -> tuple[Log, dict[str, float]]:
    """Decisions of which the truth is known."""
    rng = np.random.default_rng([seed, 7])
    x, channel = rng.normal(size=(rows, 5)), rng.integers(4, size=rows)
    lean = 0.7 * x[:, 0] - 0.5 * x[:, 1] + 0.4 * (channel == 2)
    base = 1.5 * np.sin(x[:, 0]) + 0.5 * x[:, 1] * x[:, 2] + (channel == 2)
    context: dict[str, Column] = {f"x{place}": x[:, place] for place in range(5)}
    context["channel"] = Categories(tuple("abcd"), channel.astype(np.intp))
    noise = rng.normal(size=rows)
    if kind == "dose":
        dose = lean + rng.normal(size=rows)
        return Log("dose", "a", dose, {"y": base + 0.8 * dose + noise}, context), {"a": 0.8}
    if kind == "several":
        actions = (np.stack([0 * lean, lean, 0.3 * x[:, 3] - 0.5 * lean], axis=1) + rng.gumbel(size=(rows, 3))).argmax(
            1
        )
        outcome = base + (actions == 1) * (1 + 0.5 * x[:, 0]) - 0.5 * (actions == 2) + noise
        log = Log("several", "a", Categories(("0", "1", "2"), actions.astype(np.intp)), {"y": outcome}, context)
        return log, {"1": 1.0, "2": -0.5}
    units = None
    if kind == "units":  # four rows of each, which share what is known of them and what is not
        who = np.arange(rows) // 4
        x, lean, base = x[who * 4], lean[who * 4], base[who * 4] + rng.normal(size=rows)[who]
        context = {f"x{place}": x[:, place] for place in range(5)} | {"channel": context["channel"].rows(who * 4)}
        units = Categories(tuple(map(str, range(who.max() + 1))), who.astype(np.intp))
    got = rng.random(rows) < 1 / (1 + np.exp(-lean))
    actions = Categories(TREATED, got.astype(np.intp))
    if kind == "yes_no":
        solved = rng.random(rows) < 0.3 + 0.15 * np.tanh(base) + 0.2 * got
        return Log("yes_no", "a", actions, {"y": solved.astype(float)}, context), {"1": 0.2}
    outcome = base + got * (1 + 0.5 * x[:, 0]) + noise
    return Log(kind, "a", actions, {"y": outcome}, context, units=units), {"1": 1.0}


def coverage(kind: str, seeds: int = 200) -> dict[str, Any]:
    """How often intervals hold the truth, for each effect by itself and for all of a seed at once."""
    alone, together, errors, naive = [], [], [], []
    with clocked() as spent:
        for seed in range(seeds):
            log, truths = simulated(kind, seed)
            told = effect(log, outcome="y", against=None if kind == "dose" else "0", seed=seed).overall
            held = []
            for one in told:
                assert one.estimate is not None
                truth = truths[one.action]
                errors.append(one.estimate.value - truth)
                naive.append(one.naive - truth)
                alone.append(abs(errors[-1]) <= 1.96 * one.estimate.error)
                held.append(one.estimate.low <= truth <= one.estimate.high)
            together.append(all(held))
            if seed % 20 == 19:
                print(kind, seed + 1, np.mean(alone), np.mean(together), rmse(errors), file=sys.stderr, flush=True)
    return {
        "bias_naive": float(np.mean(np.abs(naive))),
        "bias": float(np.mean(errors)),
        "rmse": rmse(errors),
        "coverage": float(np.mean(alone)),
        "coverage_of_all": float(np.mean(together)),
        "seeds": seeds,
        "rows": 2_000,
        **spent,
    }


def by_itself(case: Callable[[], dict[str, Any]]) -> Callable[[], Mapping[str, Any]]:
    """Run in a process of its own, so that the memory is that of the case."""

    def run() -> dict[str, Any]:
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
            return pool.submit(case).result()

    return run


CASES: dict[str, Callable[[], Mapping[str, Any]]] = {
    "ihdp": partial(ihdp, "ours"),
    **{f"ihdp_econml_{name}": partial(ihdp, name) for name in ("forest", "t_learner", "x_learner", "dr_learner")},
    "acic": acic,
    **{
        f"acic_econml_{name}": partial(acic_econml, name)
        for name in ("forest", "linear_dml", "linear_dr", "dr_learner")
    },
    "lalonde_psid": partial(lalonde, "psid"),
    "lalonde_cps": partial(lalonde, "cps"),
    "text": text,
    "text_each_intent": partial(text, each=True, seeds=10),
    "text_floor": text_floor,
    "text_floor_each_intent": partial(text_floor, each=True),
    "names_30": partial(names, 30),
    "names_1000": partial(names, 1_000),
    "million": by_itself(million),
    **{f"coverage_{kind}": partial(coverage, kind) for kind in ("binary", "yes_no", "several", "dose", "units")},
}

if __name__ == "__main__":
    run_cases("effects", CASES, __doc__, key="case")
