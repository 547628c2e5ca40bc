"""The check names each trouble that was put in, and nothing where there is none."""

import json
from io import StringIO

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from huiyi import Columns, Record
from huiyi.data import read
from huiyi.perceive.text import LONGEST_TEXT
from huiyi.train import Check, check, check_json, check_table, rank_label_errors
from huiyi.train.findings import KINDS
from huiyi.train.label_errors import FEWEST_ROWS
from huiyi.train.leaks import telling
from huiyi.values import Span

ARRIVAL = [f"where is the card {word}" for word in ("now", "today", "please", "again", "then", "at last")]
THEFT = [f"my wallet was stolen {word}" for word in ("now", "today", "please", "again", "then", "at last")]
CLEAN = [*((text, "arrival") for text in ARRIVAL), *((text, "theft") for text in THEFT)]
N = len(CLEAN)


def rows_of(found: Check) -> dict[str, tuple[int, ...]]:
    return {finding.kind: finding.rows for finding in found.findings}


def printed(found: Check, language: str = "en") -> str:
    console = Console(file=StringIO(), width=200)
    console.print(check_table(found, language))
    return console.file.getvalue()  # type: ignore[attr-defined]


def test_clean_rows_give_no_finding() -> None:
    found = check(CLEAN, test=[("has the card arrived", "arrival")])
    assert (found.rows, found.labels, found.languages) == (N, {"arrival": 6, "theft": 6}, {"en": N})
    assert found.findings == () and found.label_errors == ()
    assert "Nothing found." in printed(found)


@pytest.mark.parametrize(
    ("added", "kind", "rows", "message"),
    [
        ([(" \t", "theft"), ("", "arrival")], "empty", (N + 1, N + 2), "rows with nothing to read: 2"),
        ([("x" * (LONGEST_TEXT + 1), "theft")], "too long", (N + 1,), "texts of more than 2,000,000 characters: 1"),
        (
            [("WHERE is   the card now", "arrival")],
            "repeated",
            (N + 1,),
            "rows that repeat the text and the label of an earlier row: 1",
        ),
        (
            [("Where is the card now", "theft")],
            "conflict",
            (1, N + 1),
            "one text under 'arrival', 'theft': “where is the card now”",
        ),
        ([("где моя карта", "arrival")], "language", (N + 1,), "texts mostly in letters that are neither Latin nor"),
        ([("a new thing", "rare")], "class size", (), "labels with fewer than 5 rows, too few to tell or to judge: 'r"),
        ([("the card is away", "Arrival")], "spelling", (), "labels that are spelt almost alike: 'Arrival', 'arrival'"),
    ],
)  # fmt: skip
def test_a_trouble_is_named(added: list[tuple[str, str]], kind: str, rows: tuple[int, ...], message: str) -> None:
    found = check(CLEAN + added)
    assert rows_of(found)[kind] == rows
    assert next(finding for finding in found.findings if finding.kind == kind).message.startswith(message)


def test_one_large_label_is_named() -> None:
    large = [(f"where is parcel {i}", "parcel") for i in range(60)]
    messages = [finding.message for finding in check(CLEAN + large).findings]
    assert messages == ["'parcel' has 60 rows, 10 times the median label"]


def test_unlabelled_twins_are_no_conflict() -> None:
    assert "conflict" not in rows_of(check([*CLEAN, (ARRIVAL[0], None)]))


def test_twins_after_different_turns_are_none() -> None:
    rows = [{"text": text, "intent": label} for text, label in CLEAN]
    rows.append({"text": ARRIVAL[0], "intent": "theft", "history": [{"speaker": "agent", "text": "what was stolen?"}]})
    assert "conflict" not in rows_of(check(rows))


def test_overlap_with_the_test_is_named() -> None:
    test = [(ARRIVAL[1].upper(), "arrival"), (THEFT[0], "arrival"), ("hello", "greeting"), ("so", "oos")]
    found = check(CLEAN, test=test)
    assert rows_of(found) == {"overlap": (2, 7), "overlap conflict": (7,), "unseen label": ()}
    assert found.findings[2].message == "labels of the list that no row here has: 'greeting'"


@pytest.mark.parametrize("labels", [["arrival"] * N, ["arrival", "oos"] * (N // 2)])
def test_one_label_is_said_and_errors_are_not_looked_for(labels: list[str]) -> None:
    found = check([(text, label) for (text, _), label in zip(CLEAN, labels, strict=True)])
    assert [finding.kind for finding in found.findings] == ["one label", "not checked"]


def test_two_labels_with_nothing_to_read_are_not_checked() -> None:
    found = check([("", "arrival"), (" ", "theft")])
    assert [finding.kind for finding in found.findings] == ["empty", "class size", "not checked"]


def test_spans_are_counted_but_not_checked() -> None:
    spans = (Span("city", 3, 9), Span("city", 14, 19))
    found = check([Record(text="to London from Paris", labels={"spans": spans})] * 2)
    assert found.labels == {"city": 2}
    assert [finding.kind for finding in found.findings] == ["class size", "repeated", "not checked"]


def test_planted_label_errors_come_first() -> None:
    planted = {3: "theft", 10: "arrival"}
    found = check([(text, planted.get(row, label)) for row, (text, label) in enumerate(CLEAN, start=1)])
    first = found.label_errors[:2]
    assert {(error.row, error.given, error.suggested) for error in first} == {
        (3, "theft", "arrival"),
        (10, "arrival", "theft"),
    }
    doubts = [np.log(error.probability_suggested / error.probability_given) for error in found.label_errors]
    assert doubts == sorted(doubts, reverse=True) and doubts[-1] > 0
    assert rows_of(found)["label error"] == tuple(error.row for error in found.label_errors if error.is_confident)


def test_a_label_too_few_or_too_many_is_suggested_mended() -> None:
    both = [(f"{text} and {other}", ("arrival", "theft")) for text, other in zip(ARRIVAL, THEFT, strict=True)]
    rows = [*((text, (label,)) for text, label in CLEAN), *both, ("where is the card, it is late", ("theft",))]
    found = check([{"text": text, "intents": list(labels)} for text, labels in rows])
    first = found.label_errors[0]
    assert (first.row, first.given) == (len(rows), "theft")
    assert first.suggested in ("", "theft|arrival")
    assert first.probability_given + first.probability_suggested == pytest.approx(1)


def test_one_label_is_enough_where_a_row_may_have_none() -> None:
    rows = [{"text": text, "intents": [label] if label == "theft" else []} for text, label in CLEAN]
    rows[2]["intents"] = ["theft"]
    found = check(rows)
    assert (found.label_errors[0].row, found.label_errors[0].suggested) == (3, "")
    assert {finding.kind for finding in found.findings} <= {"label error"}


def test_rare_labels_and_out_of_scope_rows_are_not_doubted() -> None:
    odd = [(f"where is the card {i}", "theft too") for i in range(FEWEST_ROWS - 1)]
    strange = [(f"my wallet was stolen {i}", "oos") for i in range(FEWEST_ROWS)]
    given_labels = {error.given for error in check([*CLEAN, *odd, *strange]).label_errors}
    assert given_labels <= {"arrival", "theft"}


def test_a_field_that_tells_the_label_is_a_leak_and_an_id_is_none() -> None:
    rows = [
        {"text": f"{text} {i}", "intent": label, "queue": f"Q-{label}", "ticket": f"T{label}{i}{text}", "day": i % 2}
        for i in range(3)
        for text, label in CLEAN
    ]
    found = check(rows, columns=Columns(fields=("queue", "ticket", "day")))
    assert [finding.details["field"] for finding in found.findings if finding.kind == "leak"] == ["queue"]
    assert "tells 100.0% of 36 rows; always saying the commonest label, 50.0%" in printed(found)


@given(
    st.lists(st.lists(st.floats(0.01, 1), min_size=3, max_size=3), min_size=1, max_size=20),
    st.integers(0, 2**32 - 1),
)
def test_ranking_agrees_with_plain_loops(weights: list[list[float]], seed: int) -> None:
    shares = [[value / sum(row) for value in row] for row in weights]
    labels = np.random.default_rng(seed).integers(0, 3, len(shares))
    ranking = rank_label_errors(np.array(shares), labels)
    usual = {
        label: np.mean([row[label] for row, own in zip(shares, labels, strict=True) if own == label])
        for label in set(labels.tolist())
    }
    for row, own, doubt, said, is_confident in zip(
        shares, labels, ranking.doubts, ranking.suggested, ranking.is_confident, strict=True
    ):
        others = {label: value for label, value in enumerate(row) if label != own}
        assert said != own and row[said] == max(others.values())
        assert doubt == pytest.approx(np.log(row[said] / row[own]))
        assert is_confident == any(
            value > row[own] and value >= usual.get(label, np.inf) for label, value in others.items()
        )
    assert (np.diff(ranking.doubts[ranking.order]) <= 0).all()
    assert sorted(ranking.order) == list(range(len(shares)))


@given(st.lists(st.tuples(st.sampled_from("ab"), st.sampled_from("xyz")), min_size=1, max_size=12))
def test_telling_agrees_with_leaving_each_row_out(pairs: list[tuple[str, str]]) -> None:
    right = 0
    for i, (value, label) in enumerate(pairs):
        others = [other for j, (same, other) in enumerate(pairs) if same == value and j != i]
        right += all(others.count(label) > others.count(other) for other in {"x", "y", "z"} - {label})
    measured = telling([value for value, _ in pairs], [label for _, label in pairs])
    assert measured.told == right / len(pairs)


TROUBLED = [
    *CLEAN,
    *((f"parcel {i}", "Parcel") for i in range(FEWEST_ROWS)),
    ("", "theft"),
    (ARRIVAL[0], "theft"),
    (THEFT[0], "theft"),
    ("[red]\x1b[31m card", "parcel"),
    ("[red]\x1b[31m card", "arrival"),
]


@pytest.mark.parametrize("language", ["en", "zh"])
def test_terminal_shows_every_finding_and_obeys_no_data(language: str) -> None:
    found = check(TROUBLED, test=CLEAN[:2])
    shown = printed(found, language)
    assert {"empty", "class size", "spelling", "repeated", "conflict", "overlap"} <= set(rows_of(found))
    for finding in found.findings:
        assert finding.describe(language) in shown
    assert "[red]" in shown and "\x1b" not in shown


def test_terminal_counts_what_it_leaves_out() -> None:
    conflicts = [(text, label) for text in ARRIVAL for label in ("arrival", "theft")]
    labels = [(f"thing {i}", f"label {i}") for i in range(20)]
    shown = printed(check(conflicts + labels))
    assert "… 1 more" in shown and "… 12 more" in shown


def test_json_holds_all_and_kinds_are_in_order() -> None:
    found = check(TROUBLED)
    held = json.loads(json.dumps(check_json(found)))
    assert list(held) == ["source", "rows", "labels", "languages", "notices", "findings", "label_errors"]
    assert [(one["kind"], tuple(one["rows"]), one["message"]) for one in held["findings"]] == [
        (finding.kind, finding.rows, finding.message) for finding in found.findings
    ]
    assert [error["row"] for error in held["label_errors"]] == [error.row for error in found.label_errors]
    order = [KINDS.index(one["kind"]) for one in held["findings"]]
    assert order == sorted(order)


def test_notices_of_reading_are_kept() -> None:
    assert check([*CLEAN, ("hello", None)]).notices == read([*CLEAN, ("hello", None)]).notices != ()
