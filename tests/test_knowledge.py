"""Models with knowledge, end to end: from files to decisions, their proofs, and back from a folder."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import huiyi
from huiyi import Columns, Model, TrainConfig
from huiyi.errors import DataError, ModelFolderError, OptionError
from huiyi.evaluate.proofs import proofs_of
from huiyi.reason import Domain, Fact, Given, Knowledge, Proof, Reasoner
from huiyi.values import Decision, Record

SAYS = {
    "cold": ("runny nose", "cough", "sneezing"),
    "flu": ("fever", "aching limbs", "cough"),
    "measles": ("rash", "fever", "red eyes"),
    "gout": ("swollen toe", "red skin"),
}
RULES = """
hidden(illness).
ask(days_ill, "How many days have you been ill?").  ask(days_ill, "病了几天？", zh).
@relation days_ill(?request, ?days) en "?request is about ?days days" zh "?request涉及?days天".
@rule long en "who has the flu for so long should see a doctor" zh "流感拖久了应当就医"
do(request, see_doctor) :- illness(request, flu), days_ill(request, ?days), ?days > 3.
@rule short
do(request, rest) :- illness(request, flu), days_ill(request, ?days), ?days <= 3.
do(request, isolate) :- illness(request, measles).
do(request, tea) :- illness(request, cold).
@relation urgency(?request, ?what).
"""
TABLE = [
    "head,relation,tail",
    *(f"{label},has_symptom,{said}" for label in SAYS if label != "gout" for said in SAYS[label]),
]
STARTS = ("hello i have", "since monday i have", "my trouble is", "good day, i have", "it is about")


def rows() -> list[dict[str, str]]:
    """What people might say: one to three things that go with what they have."""
    rng = np.random.default_rng(0)
    found = []
    for place in range(120):
        label = list(SAYS)[place % 4]
        said = rng.choice(SAYS[label], size=rng.integers(1, len(SAYS[label]) + 1), replace=False)
        text = f"{STARTS[place % 5]} {' and '.join(said)} {place}"
        found.append({"text": f"well, {text}", "illness": label, "urgency": "high" if label == "measles" else "low"})
    return found


def write_csv(path: Path, found: list[dict[str, str]], *columns: str) -> Path:
    lines = [",".join(columns), *(",".join(f'"{row[column]}"' for column in columns) for row in found)]
    path.write_text("\n".join(lines) + "\n", "utf-8")
    return path


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("files")
    (folder / "graph.csv").write_text("\n".join(TABLE) + "\n", "utf-8")
    (folder / "desk.rules").write_text(RULES, "utf-8")
    write_csv(folder / "train.csv", rows(), "text", "illness")
    return folder


@pytest.fixture(scope="module")
def knowing(files: Path) -> Model:
    """A model with knowledge, of one task."""
    return huiyi.train(
        files / "train.csv",
        columns=Columns(label="illness"),
        config=TrainConfig(signals=("words",)),
        knowledge=[files / "graph.csv", files / "desk.rules"],
    )


@pytest.fixture(scope="module")
def saved(knowing: Model, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models") / "desk"
    knowing.save(folder)
    return folder


Run = Callable[..., Any]
"""The fixture ``run``."""

TOLD = Record(text="hello i have aching limbs and cough", answers={"days_ill": "5"})


@pytest.fixture(scope="module")
def told(knowing: Model) -> Decision:
    """A decision with an action, and proofs of both."""
    return knowing.decide(TOLD, prove=True)


def refused(ended: Any, said: str) -> None:
    """Hold that it ended as the user's mistake, told in one line."""
    assert ended.code == 2
    assert said in ended.err
    assert ended.err.count("\n") == 1
    assert ended.out == ""


TEXTS = [row["text"] for row in rows()[:24]] + ["i feel unwell", "发烧", "no fever, but a rash", "我没有咳嗽，rash"]


def test_what_findings_revise(knowing: Model) -> None:
    context = knowing.perceive([Record(text=text) for text in TEXTS])
    aligned = knowing.align(context)
    inference = knowing.reason(context, aligned)
    assert inference.aligned is aligned
    spoken = [knowing.task.names.index(label) for label in SAYS if label != "gout"]
    gout = knowing.task.names.index("gout")
    changed = (inference.intents.probabilities != aligned.probabilities).any(axis=1)
    for row, text in enumerate(TEXTS):
        before, after = np.float64(aligned.probabilities[row]), inference.intents.probabilities[row]
        speaks = any(said in text for label in SAYS if label != "gout" for said in SAYS[label])
        assert changed[row] == speaks, text
        assert after[gout] == before[gout]
        assert after[spoken].sum() == pytest.approx(before[spoken].sum(), abs=1e-12)


def test_saved_and_loaded(knowing: Model, saved: Path) -> None:
    assert (saved / "knowledge.nq").read_text("utf-8").count("has_symptom") == 9
    loaded = huiyi.load(saved)
    for text in TEXTS:
        one, other = (replace(model.decide(text, prove=True), id="") for model in (knowing, loaded))
        assert one.probability == pytest.approx(other.probability, abs=1e-12)
        assert asdict(replace(one, probability=0, candidates=(), proofs=None)) == asdict(
            replace(other, probability=0, candidates=(), proofs=None)
        )
        assert len(one.proofs or ()) == len(other.proofs or ())
        assert loaded.replay(text, one) == () == knowing.replay(text, other)


def test_a_changed_byte_of_the_graph_is_refused(knowing: Model, tmp_path: Path) -> None:
    knowing.save(tmp_path / "desk")
    graph = tmp_path / "desk" / "knowledge.nq"
    graph.write_bytes(graph.read_bytes().replace(b"fever", b"feven", 1))
    with pytest.raises(ModelFolderError, match=r"knowledge\.nq was changed"):
        huiyi.load(tmp_path / "desk")


def test_without_the_extra(saved: Path, files: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyoxigraph", None)
    install = 'pip install "huiyi[reason]"'
    refused(
        run("train", files / "train.csv", "--label", "illness", "--knowledge", files / "desk.rules", "--out", "m"),
        install,
    )
    refused(run("decide", saved, "hello"), install)
    assert not Path("m").exists()


def test_the_promise_is_that_of_revised_probabilities(knowing: Model, files: Path) -> None:
    """What it promises is what it gives: as many held-out acts at the threshold as the revised probabilities say."""
    seen: list[Any] = []
    fit = huiyi.decide.Decider.fit

    def spy(self: Any, intents: Any, records: Any, **options: Any) -> None:
        seen.append((intents, records))
        fit(self, intents, records, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("huiyi.decide.Decider.fit", spy)
        wary = huiyi.train(
            files / "train.csv",
            columns=Columns(label="illness"),
            config=TrainConfig(signals=("words",)),
            knowledge=[files / "graph.csv", files / "desk.rules"],
            validation=[
                {"text": f"well, {text}", "illness": label}
                for text, label in zip(TEXTS[:24], list(SAYS) * 6, strict=True)
            ],
        )
    ((intents, records),) = seen
    context = wary.perceive(records)
    revised = wary.reason(context, wary.align(context)).intents.probabilities
    assert (revised != wary.align(context).probabilities).any()
    np.testing.assert_allclose(intents.probabilities, revised, atol=1e-12)
    assert wary.promise.kind in ("guaranteed", "none")
    assert wary.promise.rows == 24


def test_evaluate_measures_what_is_decided(knowing: Model) -> None:
    test = [{"text": f"hello, {' and '.join(SAYS[label])}", "illness": label} for label in SAYS]
    found = huiyi.evaluate(knowing, huiyi.read(test, Columns(label="illness")))
    revised = [knowing.decide(row["text"]).probability for row in test]
    assert [decision.probability for decision in found.decisions] == pytest.approx(revised, abs=1e-6)
    context = knowing.perceive([Record(text=row["text"]) for row in test])
    right = [knowing.task.names.index(row["illness"]) for row in test]
    shares = knowing.reason(context, knowing.align(context)).intents.probabilities[range(4), right]
    assert found.figures["nll"] == pytest.approx(-np.log(shares).mean(), abs=1e-6)
    assert found.figures["nll"] != pytest.approx(-np.log(knowing.align(context).probabilities[range(4), right]).mean())


# Proofs


def test_every_proof_of_every_decision_replays(knowing: Model) -> None:
    records = [Record(text=text, answers={"days_ill": "2"} if place % 2 else {}) for place, text in enumerate(TEXTS)]
    decisions = knowing.decide_all(records, prove=True)
    assert sum(len(decision.proofs or ()) for decision in decisions) > len(TEXTS)
    assert {decision.action for decision in decisions} >= {"rest", "isolate", None}
    for record, decision in zip(records, decisions, strict=True):
        assert knowing.replay(record, decision) == (), record.text
        assert decision.action is None or decision.kind == "act"
        for proof in decision.proofs or ():
            assert Proof.from_json(json.loads(json.dumps(proof, sort_keys=True))).to_json() == proof


def alterations(document: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """Copies of a proof with one thing in it changed."""
    changes: dict[str, Any] = {
        "relation": "other",
        "arguments": ["request", "gout"],
        "weight": 0.123,
        "rule": "other",
        "because": [],
        "bindings": {"days": 1},
        "absent": [{"relation": "a", "arguments": ["b"]}],
        "comparisons": ["1 <= 2"],
        "sources": ["nowhere"],
    }
    for place, step in enumerate(document["steps"]):
        for key, value in changes.items():
            if step[key] != value and not (key == "because" and not step[key]):
                copy = json.loads(json.dumps(document))
                copy["steps"][place][key] = value
                yield f"step {place + 1}: {key}", copy
        for key in step["bindings"]:
            for value in (0.777, "x"):
                copy = json.loads(json.dumps(document))
                copy["steps"][place]["bindings"][key] = value
                yield f"step {place + 1}: binding {key}", copy
        for line in range(len(step["comparisons"])):
            copy = json.loads(json.dumps(document))
            copy["steps"][place]["comparisons"][line] += "0"
            yield f"step {place + 1}: comparison", copy
        kept = [step for other, step in enumerate(json.loads(json.dumps(document["steps"]))) if other != place]
        for step_kept in kept:
            step_kept["because"] = [n - (n > place) for n in step_kept["because"] if n != place]
        yield f"without step {place + 1}", {"steps": kept}


def test_an_altered_proof_does_not(knowing: Model, told: Decision) -> None:
    assert (told.action, len(told.proofs or ())) == ("see_doctor", 2)
    assert knowing.replay(TOLD, told) == ()
    tried = 0
    for number, proof in enumerate(told.proofs or ()):
        for what, altered in alterations(dict(proof)):
            proofs = [*(told.proofs or ())]
            proofs[number] = altered
            assert knowing.replay(TOLD, replace(told, proofs=tuple(proofs))) != (), (number, what)
            tried += 1
    assert tried > 50


@pytest.mark.parametrize(
    "change",
    [
        {"proofs": ()},
        {"label": "cold", "labels": ("cold",)},
        {"probability": 0.5},
        {"action": "dance"},
        {"action": "rest"},
    ],
)
def test_an_altered_decision_is_not_proved(knowing: Model, told: Decision, change: dict[str, Any]) -> None:
    assert knowing.replay(TOLD, replace(told, **change)) != ()


def test_proofs_are_of_one_record(knowing: Model, told: Decision) -> None:
    assert knowing.replay("hello i have a rash", told) != ()
    assert knowing.replay(replace(TOLD, answers={}), told) != ()
    assert knowing.replay(replace(TOLD, answers={"days_ill": "6"}), told) != ()


def without(model: Model, fact: Fact) -> Model:
    """The same model, of whose graph one fact is gone."""
    assert model.reasoner is not None
    domain = model.reasoner.domain
    graph = Knowledge()
    sources = {one: domain.knowledge.sources(one) for one, _ in domain.knowledge.facts()}
    graph.add([Given(one, source=", ".join(said)) for one, said in sources.items() if one != fact])
    fitted = {name: (one.evidence.trust, one.evidence.temperature) for name, one in model.reasoner.beliefs.items()}
    reasoner = Reasoner(Domain(graph, domain.texts), model.tasks, [])
    for name, (trust, temperature) in fitted.items():
        belief = reasoner.beliefs[name]
        reasoner.beliefs[name] = replace(
            belief, evidence=replace(belief.evidence, trust=trust, temperature=temperature)
        )
    return Model(model.perception, model.skills, summary=model.summary, reasoner=reasoner)


def test_a_fact_that_is_gone(knowing: Model, told: Decision) -> None:
    failures = without(knowing, Fact("has_symptom", ("flu", "aching limbs"))).replay(TOLD, told)
    assert failures != ()
    assert without(knowing, Fact("has_symptom", ("measles", "red eyes"))).replay(TOLD, told) == (), "it had no part"


def test_nothing_to_replay(knowing: Model, told: Decision) -> None:
    with pytest.raises(OptionError, match="no proofs to replay"):
        knowing.replay(TOLD, knowing.decide(TOLD))
    with pytest.raises(OptionError, match="no proofs to replay"):
        Model(knowing.perception, knowing.skills, summary=knowing.summary).replay(TOLD, told)
    with pytest.raises(OptionError, match="no task 'mood'"):
        knowing.replay(TOLD, replace(told, task="mood"))


# Actions and questions


def test_asking_ends(knowing: Model) -> None:
    """A person with the flu, or measles, answers until the model acts."""
    for label, days in (("flu", "7"), ("measles", "1")):
        record = Record(text="hello i have fever")
        asked: list[str] = []
        while (decision := knowing.decide(record)).kind == "clarify":
            assert decision.question is not None
            about = decision.question.about
            assert about not in asked, "nothing is asked for twice"
            asked.append(about)
            assert len(asked) < 12
            assert about != "illness", "people cannot tell it themselves"
            reply = days if about == "days_ill" else "yes" if about in SAYS[label] else "no"
            record = replace(record, answers={**record.answers, about: reply})
        assert (decision.kind, decision.label) == ("act", label), asked
        assert decision.action == ("see_doctor" if label == "flu" else "isolate")


def test_replies_alone_are_enough(knowing: Model) -> None:
    """Nothing is perceived of a record without a text; what was replied is known all the same."""
    replies = {finding: "yes" if finding in SAYS["measles"] else "no" for said in SAYS.values() for finding in said}
    known = set(knowing.reasoner.beliefs["illness"].evidence.findings.names) if knowing.reasoner else set()
    told = Record(answers={finding: reply for finding, reply in replies.items() if finding in known})
    decision = knowing.decide(told, prove=True)
    assert (decision.kind, decision.label, decision.action) == ("act", "measles", "isolate")
    assert knowing.replay(told, decision) == ()
    assert knowing.decide(Record()).kind == "decline"


def test_who_knows_nothing_is_not_asked_for_ever(knowing: Model) -> None:
    record = Record(text="hello i have fever")
    for _ in range(30):
        decision = knowing.decide(record)
        if (
            decision.question is None
            or decision.question.about in record.answers
            or decision.question.about == "illness"
        ):
            break
        record = replace(record, answers={**record.answers, decision.question.about: "I don't know"})
    else:
        pytest.fail("it goes on asking")
    assert len(record.answers) <= 9, "each finding once at most"


def test_questions_in_chinese(knowing: Model) -> None:
    decision = knowing.decide(Record(text="你好 我发 fever 啊 我很难受 请问"))
    if decision.question is not None:
        assert decision.question.options == ("是", "否", "不知道")
    (case,) = knowing.reasoner.read(knowing.perceive([TOLD]))  # type: ignore[union-attr]
    assert case.given[-1].fact == Fact("days_ill", ("request", 5))


def test_what_rules_need_may_come_as_a_field(knowing: Model) -> None:
    for days, action in ((5, "see_doctor"), ("2", "rest")):
        record = Record(text=TOLD.text, fields={"days_ill": days, "do": "pay"})
        assert knowing.decide(record).action == action


# Other forms of models


@pytest.fixture(scope="module")
def two(files: Path) -> Model:
    """A model of two tasks, with a rule that speaks of both."""
    rules = RULES + "do(request, ambulance) :- illness(request, measles), urgency(request, high).\n"
    (files / "two.rules").write_text(rules.replace("do(request, isolate)", "do(request, wait)"), "utf-8")
    return huiyi.train(
        huiyi.read(rows(), Columns(label="illness,urgency")),
        config=TrainConfig(signals=("words",)),
        knowledge=[files / "graph.csv", files / "two.rules"],
    )


def test_several_tasks(two: Model, tmp_path: Path) -> None:
    text = "hello i have rash and red eyes"
    decision = two.decide(text, prove=True, explain=True)
    assert set(decision.tasks) == {"illness", "urgency"}
    assert decision.kind == "act"
    assert decision.action in ("ambulance", "wait")
    assert two.replay(text, decision) == ()
    assert decision.tasks["illness"].proofs == decision.proofs
    assert decision.tasks["urgency"].proofs == (), "the graph does not speak of it"
    tampered = replace(decision.tasks["urgency"], label="low" if decision.tasks["urgency"].label == "high" else "high")
    tampered = replace(tampered, labels=(str(tampered.label),), probability=0.25)
    forged = replace(decision, tasks={**decision.tasks, "urgency": tampered})
    if decision.action == "ambulance":
        assert two.replay(text, forged) != ()
    two.save(tmp_path / "two")
    assert replace(huiyi.load(tmp_path / "two").decide(text), id="").label == decision.label


@pytest.mark.parametrize("task", ["illness", "urgency"])
def test_one_task_of_several(two: Model, task: str, tmp_path: Path) -> None:
    one = two.of(task)
    text = "hello i have rash and red eyes"
    decision = one.decide(text, prove=True)
    assert decision.task == task
    assert one.replay(text, decision) == ()
    one.save(tmp_path / "one")
    again = huiyi.load(tmp_path / "one").decide(text, prove=True)
    assert (again.label, again.action) == (decision.label, decision.action)
    assert again.probability == pytest.approx(decision.probability, abs=1e-12)


def test_a_task_more(knowing: Model, files: Path, words_only: TrainConfig, tmp_path: Path) -> None:
    more = [{"text": row["text"], "ailment": row["illness"]} for row in rows()]
    learn = {"columns": Columns(label="ailment"), "config": words_only, "add_to": knowing}
    with pytest.raises(OptionError, match="--knowledge: a model that learns a task more keeps what it knows"):
        huiyi.train(more, **learn, knowledge=[files / "graph.csv"])  # type: ignore[arg-type]
    joined = huiyi.train(more, **learn)  # type: ignore[arg-type]
    joined.save(tmp_path / "joined")
    loaded = huiyi.load(tmp_path / "joined")
    for text in TEXTS[:6]:
        one, other = joined.decide(text), loaded.decide(text)
        assert one.tasks["illness"].probability == pytest.approx(knowing.decide(text).probability, abs=1e-9)
        for task in one.tasks:
            assert one.tasks[task].probability == pytest.approx(other.tasks[task].probability, abs=1e-12)


def test_without_examples(knowing: Model, tmp_path: Path) -> None:
    lean = knowing.without_examples()
    assert lean.decide(TOLD).action == "see_doctor"
    lean.save(tmp_path / "lean")
    assert huiyi.load(tmp_path / "lean").decide(TOLD).action == "see_doctor"


def test_shares_sum_to_the_probability(knowing: Model) -> None:
    for text in TEXTS[:8]:
        decision = knowing.decide(text, explain=True)
        context = knowing.perceive([Record(text=text)]).only(())
        nothing = knowing.reason(context, knowing.align(context)).intents.probabilities[0]
        assert decision.shares is not None
        expected = decision.probability - nothing[knowing.task.names.index(str(decision.label))]
        assert sum(decision.shares.values()) == pytest.approx(expected, abs=1e-9)


def test_threads(saved: Path) -> None:
    """The graph is closed when it is first needed, by whoever comes first."""
    one, other = huiyi.load(saved), huiyi.load(saved)
    records = [Record(text=text, answers={"days_ill": str(place % 7)}) for place, text in enumerate(TEXTS * 2)]

    def told(model: Model, record: Record) -> Decision:
        return replace(model.decide(record, prove=True), id="")

    with ThreadPoolExecutor(8) as pool:
        at_once = list(pool.map(lambda record: told(one, record), records))
    assert at_once == [told(other, record) for record in records]


def test_a_large_graph_is_quick(knowing: Model) -> None:
    """Of 20,000 facts. Processor seconds of the same texts, by turns, the least of some runs."""
    assert knowing.reasoner is not None
    domain = knowing.reasoner.domain
    graph = Knowledge()
    graph.add([fact for fact, _ in domain.knowledge.facts()])
    graph.add([Fact("has_symptom", (f"ailment {n % 500}", f"sign {n // 4}")) for n in range(20_000)])
    large = Model(
        knowing.perception,
        knowing.skills,
        summary=knowing.summary,
        reasoner=Reasoner(Domain(graph, domain.texts), knowing.tasks, []),
    )
    bare = Model(knowing.perception, knowing.skills, summary=knowing.summary)
    spent: dict[str, float] = {}
    for _ in range(4):
        for name, model in (("large", large), ("small", knowing), ("bare", bare)):
            started = time.process_time()
            for text in TEXTS[:10]:
                model.decide(text)
            spent[name] = min(spent.get(name, float("inf")), time.process_time() - started)
    assert spent["large"] < 8 * spent["bare"], spent  # whose words alone take half a millisecond
    assert spent["large"] < 3 * spent["small"], spent


# Knowledge that says little


def trained(*knowledge: Path, **more: Any) -> Model:
    found = huiyi.read(rows()[:40], Columns(label="illness"))
    return huiyi.train(found, config=TrainConfig(signals=("words",)), knowledge=knowledge, **more)


def notices(model: Model) -> list[str]:
    return [notice for notice in model.summary["notices"] if "--knowledge" in notice]


def test_empty_files(tmp_path: Path) -> None:
    (tmp_path / "empty.rules").write_text("# nothing yet\n", "utf-8")
    (tmp_path / "empty.csv").write_text("head,relation,tail\n", "utf-8")
    empty = trained(tmp_path / "empty.rules", tmp_path / "empty.csv")
    decision = empty.decide("hello i have fever", prove=True)
    assert (decision.proofs, empty.replay("hello i have fever", decision)) == ((), ())
    empty.save(tmp_path / "empty")
    assert (tmp_path / "empty" / "knowledge.nq").read_bytes() == b""
    assert huiyi.load(tmp_path / "empty").decide("hello i have fever").label == decision.label
    assert notices(empty) == []


def test_rules_alone(tmp_path: Path) -> None:
    (tmp_path / "a.rules").write_text(
        "do(request, bed) :- mentions(request, fever), not denies(request, cough).", "utf-8"
    )
    model = trained(tmp_path / "a.rules")
    assert model.reasoner is not None
    assert not model.reasoner.beliefs
    for text, action in (("i have fever", "bed"), ("fever, no cough", None), ("no fever", None)):
        (case,) = model.reasoner.read(model.perceive([Record(text=text)]))
        found = model.reasoner.conclude(case, {}).action
        assert (found and found.arguments[1]) == action, text
    assert notices(model) == []


def test_facts_alone(tmp_path: Path) -> None:
    (tmp_path / "graph.csv").write_text("\n".join(TABLE), "utf-8")
    model = trained(tmp_path / "graph.csv")
    decision = model.decide("hello i have rash", prove=True)
    assert [proof["steps"][-1]["rule"] for proof in decision.proofs or ()] == ["evidence"]
    assert notices(model) == ["--knowledge: the graph says nothing of these labels of 'illness': 'gout'"]


def test_a_graph_of_something_else_is_told_of(tmp_path: Path) -> None:
    (tmp_path / "graph.csv").write_text("head,relation,tail\nLyon,has_symptom,rain\n", "utf-8")
    (notice,) = notices(trained(tmp_path / "graph.csv"))
    assert "no two labels of 'illness' have facts of has_antecedent or has_symptom" in notice


def test_a_wrong_graph_is_left_aside_and_told_of(tmp_path: Path) -> None:
    labels = [label for label in SAYS if label != "gout"]
    wrong = [f"{labels[(n + 1) % 3]},has_symptom,{said}" for n, label in enumerate(labels) for said in SAYS[label]]
    (tmp_path / "graph.csv").write_text("\n".join([TABLE[0], *wrong]), "utf-8")
    model = huiyi.train(
        huiyi.read(rows(), Columns(label="illness")),
        config=TrainConfig(signals=("words",)),
        knowledge=tmp_path / "graph.csv",
    )
    context = model.perceive([Record(text=text) for text in TEXTS])
    aligned = model.align(context)
    assert (model.reason(context, aligned).intents.probabilities == aligned.probabilities).all()
    (notice,) = notices(model)
    assert "left aside" in notice
    assert model.decide(TEXTS[1], prove=True).proofs == ()


def test_a_rule_that_never_ends(tmp_path: Path) -> None:
    (tmp_path / "a.rules").write_text("n(1).  n(?y) :- n(?x), ?y = ?x + 1.", "utf-8")
    with pytest.raises(DataError, match=r"a\.rules, line 1: the rule 'n 1' makes new values of \?y"):
        trained(tmp_path / "a.rules")


def test_fields_that_only_rules_read(tmp_path: Path) -> None:
    """They are no signal of the model, and still there when it is loaded."""
    (tmp_path / "a.rules").write_text("do(request, bed) :- days(request, ?d), ?d > 3.", "utf-8")
    records = [Record(text=row["text"], labels={"illness": row["illness"]}, fields={"days": 4}) for row in rows()[:40]]
    model = huiyi.train(records, config=TrainConfig(signals=("words",)), knowledge=[tmp_path / "a.rules"])
    assert model.fields == ("days",)
    model.save(tmp_path / "model")
    loaded = huiyi.load(tmp_path / "model")
    for days, action in ((4, "bed"), (3, None), (float("nan"), None), (None, None)):
        record = replace(records[0], fields={"days": days})
        assert loaded.decide(record).action == model.decide(record).action == action, days


# The command line


def test_training_from_the_command_line(run: Run, files: Path, tmp_path: Path) -> None:
    ended = run(
        *("train", files / "train.csv", "--label", "illness", "--signals", "words", "--out", tmp_path / "m"),
        *("--knowledge", files / "graph.csv", "--knowledge", files / "desk.rules"),
    )
    assert ended.code == 0
    assert "note: --knowledge: the graph says nothing of these labels of 'illness': 'gout'" in ended.err
    assert (tmp_path / "m" / "knowledge.nq").is_file()


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("bad.csv", "head,relation,tail\na,b,c\na,b\n", "bad.csv, line 3 has 2 cells, but the header has 3"),
        ("bad.ttl", "<a> <b> .", "bad.ttl, line 1"),
        ("bad.rules", "do(request, x) :- ilness(request, flu).", "'ilness' is not known. Did you mean 'illness'?"),
        ("bad.rules", "a(?x) :- b(?x)", "bad.rules, line 1, column 15: the text ends"),
        ("bad.rules", "a(?x) :- not b(?x).", "bad.rules, line 1: ?x in"),
        ("bad.txt", "", "bad.txt: its name tells no known format"),
        ("", "", "There is no file"),
    ],
)
def test_knowledge_that_cannot_be_used(run: Run, files: Path, tmp_path: Path, name: str, text: str, said: str) -> None:
    if name:
        (tmp_path / name).write_text(text, "utf-8")
    before = sorted(tmp_path.iterdir())
    ended = run("train", files / "train.csv", "--label", "illness", "--out", "m", "--knowledge", name or "no.csv")
    refused(ended, said)
    assert sorted(tmp_path.iterdir()) == before, "nothing was written"


def test_a_decision_with_its_proofs(run: Run, saved: Path) -> None:
    ended = run("decide", saved, TOLD.text, "--answer", "days_ill=5", "--proof")
    assert (ended.code, ended.err) == (0, "")
    for said in (
        "what to do: see_doctor",
        "who has the flu for so long should see a doctor",
        "graph.csv, line",
        "5 > 3",
    ):
        assert said in ended.out
    assert "Checked: every step holds" in ended.out
    chinese = run("decide", saved, TOLD.text, "--answer", "days_ill=5", "--proof", "--lang", "zh")
    for said in ("流感拖久了应当就医", "本请求涉及5天", "依据证据", "已核对"):
        assert said in chinese.out
    assert "No fact or rule has a part" in run("decide", saved, "i feel unwell", "--proof").out
    found = json.loads(run("decide", saved, TOLD.text, "--answer", "days_ill=5", "--proof", "--json").out)
    assert [Proof.from_json(proof).fact.relation for proof in found["proofs"]] == ["illness", "do"]
    assert json.loads(run("decide", saved, TOLD.text, "--json").out)["proofs"] is None


def test_how_to_reply_is_said(run: Run, saved: Path) -> None:
    ended = run("decide", saved, TOLD.text)
    assert "--answer days_ill=…" in ended.out
    refused(run("decide", saved, "hello", "--answer", "fever=yess"), "Did you mean 'yes'?")
    refused(run("decide", saved, "hello", "--answer", "fevr=yes"), "Did you mean 'fever'?")
    refused(run("decide", saved, "hello", "--field", "days_il=3"), "Did you mean 'days_ill'?")
    assert "see_doctor" in run("decide", saved, TOLD.text, "--field", "days_ill=5").out


def test_drawing(run: Run, saved: Path, tmp_path: Path, files: Path) -> None:
    assert run("decide", saved, TOLD.text, "--answer", "days_ill=5", "--svg", "proof.svg").code == 0
    assert "see a doctor" in (tmp_path / "proof.svg").read_text("utf-8")
    refused(
        run("decide", saved, TOLD.text, "--svg", "nowhere/proof.svg"), "nowhere/proof.svg: the proof cannot be written"
    )
    refused(run("decide", saved, files / "train.csv", "--svg", "proof.svg"), "--svg go with one text")
    refused(run("decide", saved, "i feel unwell", "--svg", "none.svg"), "There is nothing to draw")
    assert not (tmp_path / "none.svg").exists()


def test_a_model_without_knowledge_proves_nothing(run: Run, files: Path) -> None:
    assert run("train", files / "train.csv", "--label", "illness", "--signals", "words", "--out", "m").code == 0
    refused(run("decide", "m", "hello", "--proof"), "--proof: the model was trained without knowledge")
    refused(run("decide", "m", "hello", "--svg", "a.svg"), "--svg: the model was trained without knowledge")


def test_a_file_of_records(run: Run, saved: Path, tmp_path: Path) -> None:
    """Its columns bring what rules ask for, also where the model learnt from no field."""
    found = [{"text": str(TOLD.text), "days_ill": days} for days in ("5", "1", "")]
    write_csv(tmp_path / "new.csv", found, "text", "days_ill")
    ended = run("decide", saved, "new.csv", "--proof")
    assert ended.code == 0
    decisions = [json.loads(line) for line in ended.out.splitlines()]
    assert [decision["action"] for decision in decisions] == ["see_doctor", "rest", None]
    assert [len(decision["proofs"]) for decision in decisions] == [2, 2, 1]


def test_proofs_of_all_tasks(two: Model) -> None:
    decision = two.decide("hello i have rash and red eyes", prove=True)
    assert [proof.to_json() for proof in proofs_of(decision)] == list(decision.proofs or ())
