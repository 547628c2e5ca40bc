"""The command that shows all of it on the built-in desk."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from huiyi.cli.options import Language, asked_language
from huiyi.cli.printing import open_console, print_notices, print_training, progress_bars

if TYPE_CHECKING:
    from huiyi.pipeline import Model
    from huiyi.reason import Domain
    from huiyi.values import Decision, Record


_ROWS_OF_LOG = 6_000


def demo(
    out: Annotated[Path | None, typer.Option("--out", metavar="DIR", help="Keep the model here.")] = None,
    report: Annotated[Path, typer.Option(metavar="F.html", help="Where the report goes.")] = Path("report.html"),
    lang: Language = "en",
) -> None:
    """Train on the built-in service desk, measure, and show what it decides."""
    from huiyi.data.desk import FOLDER, desk
    from huiyi.evaluate import evaluate as run
    from huiyi.evaluate import figures_table, write_report
    from huiyi.storage import check_free
    from huiyi.train import train as learn

    language = asked_language(lang)
    if out is not None:
        check_free(out)
    test, strange = desk("test"), desk("oos")
    both = replace(
        test, records=test.records + strange.records, rows=test.rows + strange.rows, source="the desk's test"
    )
    with progress_bars() as progress:
        model = learn(desk("train"), task=FOLDER / "task.yaml", knowledge=_desk_knowledge(), progress=progress)
        evaluation = run(model, both, progress=lambda done, total: progress("rows", done, total))
    if out is not None:
        model.save(out)
    console = open_console()
    print_training(model, language)
    console.print(figures_table(evaluation, language=language))
    _print_examples(model, evaluation.records, evaluation.decisions)
    _print_media(model, language)
    _print_proof(model, language)
    _print_effects(language)
    write_report(evaluation, report, language=language)
    console.print(f"\n→ {report}", markup=False, highlight=False)


def _print_examples(model: Model, records: Sequence[Record], decisions: Sequence[Decision]) -> None:
    """One act, one question and one refusal in each language; the refusal of something that is out of scope."""
    from huiyi.decide import language_of
    from huiyi.evaluate import in_words
    from huiyi.values import OUT_OF_SCOPE

    for language in ("en", "zh"):
        for kind in ("act", "clarify", "decline"):
            for record, decision in zip(records, decisions, strict=True):
                is_apt = kind != "decline" or OUT_OF_SCOPE in record.labels.values()
                if decision.kind == kind and is_apt and language_of(record.text or "") == language:
                    lines = [f"\n“{record.text}”", *in_words(decision, model, record.text or "", language)]
                    open_console().print("\n".join(lines), markup=False, highlight=False)
                    break


def _print_media(model: Model, language: str) -> None:
    """What the desk's model, which learnt from texts, makes of pictures and recordings of messages."""
    from huiyi.data.desk import desk
    from huiyi.errors import MissingExtraError
    from huiyi.evaluate import in_words

    words = {
        "en": {"screens": "messages as pictures", "voices": "messages as recordings", "right": "told right"},
        "zh": {"screens": "条图片形式的消息", "voices": "条录音形式的消息", "right": "条判断正确"},
    }[language]
    for part in ("screens", "voices"):
        records = desk(part).records
        try:
            decisions = model.decide_all(records)
        except MissingExtraError as error:
            print_notices([str(error)])
            continue
        pairs = list(zip(records, decisions, strict=True))
        right = sum(decision.label == record.labels["intent"] for record, decision in pairs)
        told = f"\n{len(records)} {words[part]}, {right} {words['right']}"
        shown = next((decision for _, decision in pairs if decision.kind == "act"), decisions[0])
        open_console().print("\n".join([told, *in_words(shown, model, "", language)]), markup=False, highlight=False)


def _desk_knowledge() -> Domain | tuple[()]:
    """The desk's facts and rules; none where the extra that reads them is not installed, which is said."""
    from huiyi.data.desk import KNOWLEDGE
    from huiyi.errors import MissingExtraError
    from huiyi.reason import Domain

    try:
        return Domain.read(KNOWLEDGE)
    except MissingExtraError as error:
        print_notices([str(error)])
        return ()


def _print_proof(model: Model, language: str) -> None:
    """What the desk's rules make of a message: what they ask, what follows from the reply and why; and of another."""
    from datetime import datetime

    from huiyi.evaluate import in_words, proofs_in_words
    from huiyi.values import Record

    if model.reasoner is None:
        return
    text, here, there, reply = {
        "en": ("I want to return my {} ticket and get my money back", "saver", "flex", "reply"),
        "zh": ("行程取消了，想退掉{}", "特价票", "灵活票", "回答"),
    }[language]
    asked_on, answers = datetime(2026, 11, 18), {"departs_on": "2026-11-20"}
    asked, told, other = (
        Record(text=text.format(here), time=asked_on),
        Record(text=text.format(here), time=asked_on, answers=answers),
        Record(text=text.format(there), time=asked_on, answers=answers),
    )
    lines = []
    for record in (asked, told, other):
        decision = model.decide(record, prove=record is told)
        replies = [f"{reply}: {value}" for value in record.answers.values()]
        lines += ["", *([f"“{record.text}”"] if record is not told else []), *replies]
        lines += in_words(decision, model, record.text or "", language)
        lines += proofs_in_words(model, record, decision, language) if record is told else []
    open_console().print("\n".join(lines), markup=False, highlight=False)


def _print_effects(language: str) -> None:
    """What calling back does, over a log of the desk that is made up: by plain difference, by cause, and in truth."""
    from huiyi.cause.table import Roles
    from huiyi.data.interactions import simulate
    from huiyi.evaluate import effects_table
    from huiyi.study import StudyConfig, effect, read_log

    made = simulate(_ROWS_OF_LOG, seed=1)
    roles = Roles("reply", ("solved",), context=("difficulty", "waiting"), unit="customer")
    called, ready = (made.replies.index(name) for name in ("call_back", "template"))
    with progress_bars() as progress:
        log = read_log(made.columns, roles, on_progress=progress)
        study = effect(log, against="template", config=StudyConfig(attempts=False), on_progress=progress)
    truth = float((made.solved[:, called] - made.solved[:, ready]).mean())
    told = {
        "en": f"\nWhat replies do, in a log of {len(log):,} made-up conversations. The desk calls back where it is "
        f"difficult, so calls look bad. In truth call_back solves {truth:+.1%}.",
        "zh": f"\n在 {len(log):,} 条模拟对话的日志中，各种回复的作用。客服在困难时才回电，所以回电看起来不好。"
        f"真实情况：call_back 使解决率 {truth:+.1%}。",
    }
    console = open_console()
    console.print(told[language], markup=False, highlight=False)
    console.print(effects_table(study, language=language))
