"""Rules: what is understood, and one line with line and column for what is not."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from huiyi.errors import DataError
from huiyi.reason import Fact, Given, Rules, Statements, close
from huiyi.reason.facts import value_of, written
from huiyi.reason.logic import Age, Comparison, Variable, compare, evaluate


def refusal(text: str) -> str:
    with pytest.raises(DataError) as caught:
        Rules.parse(text)
    message = str(caught.value)
    assert len(message.splitlines()) == 1
    return message


def test_everything_that_can_be_written() -> None:
    rules = Rules.parse(
        """
        # Who may send what back.
        @prefix shop <http://shop.example/>.
        @relation placed_on(?order, ?day) en "?order was placed on ?day" zh "?order的下单日期是?day".
        @rule in_time weight 0.9
          en "?order may be refunded"  zh "?order可以退款"
        eligible(?order, refund) :- placed_on(?order, ?day), age_days(?day) <= 30, not used(?order).
        @rule 'a name with spaces' '有 空格'(?x, -3) :- shop:made(?x, <http://shop.example/o#1>), rdf:type(?x, "a\\tb").
        near(?a, ?d) :- at(?a, ?n), at(?_, ?m), ?d = (?n - ?m) * 2 + 1 / 4, ?d != 2026-01-31, not late(?a, ?_).
        used(o1).
        @rule maybe weight 0.5 used('o 2').
        :- used(?x), eligible(?x, ?_).
        @subclass laptop computer.  @subrelation mother_of parent_of.  @inverse parent_of child_of.
        @symmetric married_to.  @transitive part_of.
        """
    )
    assert [str(rule) for rule in rules.rules] == [
        "eligible(?order, refund) :- placed_on(?order, ?day), age_days(?day) <= 30, not used(?order), today(?today).",
        "'有 空格'(?x, -3) :- <http://shop.example/made>(?x, <http://shop.example/o#1>), 'rdf:type'(?x, 'a\\tb').",
        "near(?a, ?d) :- at(?a, ?n), at(?_, ?m), ?d = (((?n - ?m) * 2) + (1 / 4)), ?d != 2026-01-31, not late(?a, ?_).",
        ":- used(?x), eligible(?x, ?_).",
        "computer(?x) :- laptop(?x).",
        "parent_of(?x, ?y) :- mother_of(?x, ?y).",
        "child_of(?y, ?x) :- parent_of(?x, ?y).",
        "married_to(?y, ?x) :- married_to(?x, ?y).",
        "part_of(?x, ?z) :- part_of(?x, ?y), part_of(?y, ?z).",
    ]
    assert [rule.name for rule in rules.rules[:4]] == ["in_time", "a name with spaces", "near 1", "constraint 1"]
    assert rules.by_name["in_time"].weight == 0.9
    assert rules.by_name["in_time"].descriptions == {"en": "?order may be refunded", "zh": "?order可以退款"}
    assert rules.by_name["in_time"].source == "rules, line 5"
    assert rules.facts == (
        Given(Fact("used", ("o1",)), 1.0, "rules, line 10"),
        Given(Fact("used", ("o 2",)), 0.5, "rules, line 11"),
    )


def test_the_page_shows_rules_that_can_be_read() -> None:
    page = (Path(__file__).parents[2] / "docs" / "reason.md").read_text("utf-8")
    section = page.partition("\n## Rules\n")[2]
    shown = re.search(r"^```text\n(.*?)^```", section, re.MULTILINE | re.DOTALL)
    assert shown is not None
    assert len(Rules.parse(shown[1]).rules) == 9


def test_rules_are_read_again_as_they_are_shown() -> None:
    text = "p(?x, 'it''s') :- q(?x, \"a'b\\\"c\"), r(?x, '?y'), s('not', today), not t(?_, ?x), ?x <= -2.5."
    with pytest.raises(DataError):
        Rules.parse(text)  # quotes are escaped by a stroke, not by doubling
    rules = Rules.parse(text.replace("it''s", "it\\'s"))
    assert str(Rules.parse(str(rules.rules[0])).rules[0]) == str(rules.rules[0])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a(?x) :- b(?x)", "rules, line 1, column 15: the text ends. Expected '.' at the end, ',' before"),
        ("a(?x) :-\n  b(?x) c(?x).", "rules, line 2, column 9: there is 'c'. Expected '.' at the end"),
        ("a(?x) :- b(?x，?y).", "rules, line 1, column 14: there is '，', which has no meaning here. Write ','."),
        ("a('x).", "rules, line 1, column 3: there is a text that has no end on its line."),
        ("a(b", "rules, line 1, column 4: the text ends. Expected ')' after the arguments of 'a'"),
        ("a.", "rules, line 1, column 2: there is '.'. Expected '(' and the arguments of 'a'"),
        ("a().", "Expected a variable such as ?order, a name, a number or a date"),
        ("a('').", "Expected a name with at least one character"),
        ("a(2026-02-30).", "there is '2026-02-30'. Expected a day that exists"),
        ("a(?x) :- b(?x), ?x.", "there is '.'. Expected a comparison"),
        ("a(?x) :- b(?x), ?x < 'a' < 'b'.", "there is '<'. Expected '.' at the end"),
        ("@rul x a(b).", "there is '@rul'. Expected one of @prefix, @relation, @rule, @subclass, @subrelation, "),
        ("@rul x a(b).", "Did you mean '@rule'?"),
        ("@rule x weight 2 a(b).", "there is '2'. Expected a weight above 0 and up to 1"),
        ("@rule x weight 0 a(b).", "there is '0'. Expected a weight above 0 and up to 1"),
        ('@rule x en "a" en "b" a(b).', "Expected each language once"),
        ("@prefix shop http.", "Expected an address in angle brackets"),
        ("@relation a(b).", "Expected a different variable for each argument"),
        ("@relation a(?b, ?b).", "Expected a different variable for each argument"),
        ("@symmetric a b.", "there is 'b'. Expected '.' at the end"),
        ("a(?x) :- shop:b(?x).", "there is 'shop:b'. Expected '@prefix shop <…>.' before it."),
        ("a(?x).", "Expected conditions that say what the variables are. a(?x) has none"),
        (f"a(?x) :- b(?x), {'(' * 99}1{')' * 99} < 2.", "Expected fewer brackets inside each other"),
        (f"a(?x) :- b(?x), 1{' + 1' * 99} < 2.", "Expected at most 50 values put together"),
        (f"a(?x) :- {', '.join(['b(?x)'] * 51)}.", "Expected at most 50 conditions: split the rule"),
        ("a(?x) :- not b(?x).", "rules, line 1: ?x in the head is not safe"),
        ("a(?x) :- b(?x), not c(?x, ?y).", "?y in 'not c(?x, ?y)' is not safe"),
        ("a(?x) :- b(?x), ?y < 3.", "?y in '?y < 3' is not safe"),
        ("a(?x) :- b(?x), ?y = ?z + 1, ?z = ?y - 1.", "?y in '?y = (?z + 1)' is not safe"),
        ("a(?_) :- b(?x).", "?_ in the head is not safe"),
        ("a(?x) :- b(?x).\na(?x, ?y) :- b(?x), b(?y).", "rules, line 2: a(?x, ?y) has 2 arguments. Expected 1"),
        ("@relation b(?x, ?y).\na(?x) :- b(?x).", "rules, line 2: b(?x) has 1 argument. Expected 2"),
        ("@rule x a(?x) :- b(?x). @rule x c(?x) :- b(?x).", "the rule 'x' has a name that another has too"),
        ("a(?x) :- b(?x), not a(?x).", "a needs 'not a' of itself: a circle through 'not'"),
        (
            "a(?x) :- b(?x), not c(?x).\nc(?x) :- d(?x).\nd(?x) :- b(?x), a(?x).",
            "rules, line 1: a needs 'not c', and c needs d needs a: a circle through 'not'",
        ),
        ("n(?y) :- n(?x), ?y = ?x + 1.", "the rule 'n 1' makes new values of ?y out of those it made before"),
        ("n(?y) :- m(?x), ?x + 1 = ?y.\nm(?x) :- n(?x).", "Expected a limit such as '?y <= 100'"),
    ],
)
def test_what_is_not_understood(text: str, message: str) -> None:
    assert message in refusal(text)


@given(st.text(alphabet="ab?_.,:-()<>='\"@#\\ \n1é，", max_size=40))
def test_any_text_is_read_or_refused_in_one_line(text: str) -> None:
    try:
        Rules.parse(text)
    except DataError as error:
        assert len(str(error).splitlines()) == 1
        assert str(error).startswith("rules, line ")


def test_relations_that_nobody_knows() -> None:
    rules = Rules.parse("a(?x) :- placed_on(?x, ?_).")
    with pytest.raises(DataError, match=r"'placed_on' is not known. Did you mean 'placed on'"):
        close([Fact("placed on", ("o1", "2026-01-01"))], rules)
    with pytest.raises(DataError, match=r"placed_on\(\?x, \?_\) has 2 arguments. Expected 1"):
        close([Fact("placed_on", ("o1",))], rules)
    closure = close([], Rules.parse("@relation placed_on(?x, ?y). a(?x) :- placed_on(?x, ?_)."))
    with (
        pytest.raises(DataError, match=r"No rule speaks of 'placed on'.* Did you mean 'placed_on'"),
        closure.adding([Fact("placed on", ("o1", 3))]),
    ):
        pass
    with (
        pytest.raises(DataError, match=r"A fact of 'placed_on' has 1 argument. Expected 2"),
        closure.adding([Fact("placed_on", ("o1",))]),
    ):
        pass


def test_files(tmp_path: Path) -> None:
    path = tmp_path / "shop.rules"
    path.write_bytes("\ufeff退款(?x) :- 订单(?x).\n\nb".encode())
    with pytest.raises(DataError, match=r"^shop.rules, line 3, column 2: the text ends"):
        Rules.read(path)
    path.write_bytes(b"a(\xff).")
    with pytest.raises(DataError, match=r"shop.rules is not UTF-8"):
        Rules.read(path)
    with pytest.raises(DataError, match="cannot be read"):
        Rules.read(tmp_path)
    path.write_text("退款(?x) :- 订单(?x).", encoding="utf-8")
    assert Rules.read(path).rules[0].source == "shop.rules, line 1"


def test_rules_of_a_schema() -> None:
    schema = Statements(
        [
            Fact("rdfs:subClassOf", ("laptop", "computer")),
            Fact("rdfs:subPropertyOf", ("mother_of", "parent_of")),
            Fact("owl:inverseOf", ("parent_of", "child_of")),
            Fact("owl:SymmetricProperty", ("married_to",)),
            Fact("owl:TransitiveProperty", ("part_of",)),
        ],
        source="schema.ttl",
    )
    rules = Rules.of_schema(schema)
    assert [rule.name for rule in rules.rules] == [
        "inverse child_of parent_of",
        "inverse parent_of child_of",
        "subclass laptop computer",
        "subrelation mother_of parent_of",
        "symmetric married_to",
        "transitive part_of",
    ]
    assert {rule.source for rule in rules.rules} == {"schema.ttl"}
    both = Rules.joined([rules, Rules.parse("@transitive part_of. whole(?x) :- part_of(?_, ?x).")])
    assert len(both.rules) == 7
    closure = close([Fact("mother_of", ("Ada", "Bo")), Fact("laptop", ("l1",))], rules)
    assert closure.holds(Fact("child_of", ("Bo", "Ada")))
    assert closure.holds(Fact("computer", ("l1",)))


# Values


@example(-0.0001605323848309972)  # as long as a number is written
@given(st.one_of(st.integers(-(10**17), 10**17), st.dates(), st.datetimes(), st.floats(-1e9, 1e9), st.text()))
def test_values_are_written_and_read_again(value: object) -> None:
    from huiyi.reason.facts import normalised

    one = normalised(value)  # type: ignore[arg-type]
    text = written(one)
    if isinstance(one, float) and "e" in text:
        return
    assert value_of(text) == one
    assert written(value_of(text)) == text


def test_comparisons_and_ages() -> None:
    today = {"today": date(2026, 3, 1), "x": date(2024, 2, 29)}
    assert evaluate(Age("age_years", Variable("x")), today) == 2
    assert evaluate(Age("age_days", Variable("x")), today) == 731
    assert evaluate(Age("age_days", Variable("y")), today) is None
    assert not compare("<", 3, "4a")
    assert not compare(">=", date(2026, 1, 1), 3)
    assert compare("!=", "a", None) is False
    assert str(Comparison("<", Variable("x"), 3)) == "?x < 3"


def test_rules_without_a_name_are_counted_through_all_texts() -> None:
    rules = Rules.of_texts({"a.rules": "b(?x) :- c(?x).", "d.rules": "b(?x) :- e(?x).  :- b(?x), c(?x)."})
    assert {name: rule.source for name, rule in rules.by_name.items()} == {
        "b 1": "a.rules, line 1",
        "b 2": "d.rules, line 1",
        "constraint 1": "d.rules, line 1",
    }
