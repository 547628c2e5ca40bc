"""What a record says, as facts and in words."""

from datetime import datetime
from pathlib import Path

import numpy as np
import pytest

from huiyi.reason.domain import Domain
from huiyi.reason.facts import Fact
from huiyi.reason.graph import Knowledge
from huiyi.reason.reasoner import Reasoner
from huiyi.values import Context, Label, Record, Task

TASK = Task("intent", "choice", (Label("refund", {"en": "getting money back", "zh": "退款"}),))


def reasoner(rules: str) -> Reasoner:
    return Reasoner(Domain(Knowledge(), {"desk.rules": rules}), [TASK], [])


@pytest.mark.parametrize(
    ("text", "relation"),
    [("I take the L307", "mentions"), ("it was not the L307", "denies"), ("does it stop, the L307?", "supposes")],
)
def test_a_text_says_asks_about_or_denies_something(text: str, relation: str) -> None:
    rules = "do(request, help) :- mentions(request, L307).  do(request, help) :- supposes(request, L307)."
    record = Record(text=text, time=datetime(2026, 11, 18))
    (case,) = reasoner(rules).read(Context((record,), {}, np.zeros((1, 0), dtype=bool)))
    assert [given.fact for given in case.given] == [Fact(relation, ("request", "L307"))]


def test_what_a_request_asks_about_is_worded_in_both_languages() -> None:
    model = reasoner("do(request, help) :- supposes(request, L307).")
    fact = Fact("supposes", ("request", "L307"))
    assert model.wording("en").fact(fact) == "the request asks about L307 or supposes it"
    assert model.wording("zh").fact(fact) == "本请求询问或假设L307"


def test_labels_of_tasks_are_called_by_their_descriptions_unless_the_graph_names_them(tmp_path: Path) -> None:
    model = reasoner("do(request, help) :- intent(request, refund).")
    fact = Fact("intent", ("request", "refund"))
    assert [model.wording(language).fact(fact) for language in ("en", "zh")] == [
        "intent: getting money back",
        "intent：退款",
    ]
    (tmp_path / "names.csv").write_text("id,label\nrefund,a refund\n")
    model.domain.knowledge.read(tmp_path / "names.csv")
    assert model.label("refund", "en") == "a refund"
