"""Proofs of a decision for people: in words, checked, and as a picture."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal, cast

from huiyi.errors import OptionError
from huiyi.reason import Proof, draw
from huiyi.storage import write_page

if TYPE_CHECKING:
    from huiyi.pipeline import Model
    from huiyi.values import Decision, Record

_SAID = {
    "en": {
        "none": "No fact or rule has a part in this decision.",
        "holds": "Checked: every step holds by the facts and rules as they are now.",
        "broken": "Checked, and wrong: {}",
    },
    "zh": {
        "none": "没有任何事实或规则参与这个决定。",
        "holds": "已核对：按现有的事实和规则，每一步都成立。",
        "broken": "核对有误：{}",
    },
}


def proofs_of(decision: Decision) -> tuple[Proof, ...]:
    """The proofs that a decision carries, of all its tasks; none where none were asked for."""
    others = [own for name, own in decision.tasks.items() if name != decision.task]
    return tuple(Proof.from_json(dict(proof)) for own in (*others, decision) for proof in own.proofs or ())


def proofs_in_words(model: Model, record: Record, decision: Decision, language: str) -> list[str]:
    """The proofs of a decision, line by line, and whether they hold when they are checked anew.

    Args:
        model: That decided.
        record: What it decided on.
        decision: With proofs.
        language: ``en`` or ``zh``.
    """
    said, proofs = _SAID[language], proofs_of(decision)
    if model.reasoner is None or not proofs:
        return ["", said["none"]]
    wording = model.reasoner.wording(cast("Literal['en', 'zh']", language))
    lines = [line for proof in proofs for line in ("", *wording.proof(proof).splitlines())]
    failures = model.replay(record, decision)
    return [*lines, *([said["broken"].format(failure) for failure in failures] or [said["holds"]])]


def draw_proofs(model: Model, decision: Decision, file: Path, language: str) -> None:
    """Draw why the action follows, or else why the label is as probable as it is, as one SVG.

    Raises:
        OptionError: No fact or rule has a part in the decision.
        OutputError: The file cannot be written.
    """
    proofs = proofs_of(decision)
    if model.reasoner is None or not proofs:
        raise OptionError(f"--svg {file}: {_SAID['en']['none']} There is nothing to draw: leave the option out.")
    wording = model.reasoner.wording(cast("Literal['en', 'zh']", language))
    write_page(file, draw(proofs[-1], wording), what="the proof")
