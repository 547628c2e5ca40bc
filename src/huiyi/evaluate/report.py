"""The evaluation as one HTML page that needs nothing beside itself."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING

import numpy as np

from huiyi.evaluate.charts import reliability_figure, risk_figure, scope_figure
from huiyi.evaluate.findings import confusions, label_scores, mistakes
from huiyi.evaluate.markup import Column, Pictured, figure, isolated, one_line, section, table
from huiyi.evaluate.overviews import overview_on_page
from huiyi.evaluate.thumbnails import thumbnail
from huiyi.evaluate.wording import Wording, shown, shown_interval, source_rows, wording
from huiyi.storage import write_page

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from huiyi.evaluate.evaluation import Evaluation
    from huiyi.evaluate.outcomes import Outcomes
    from huiyi.explain import Overview
    from huiyi.values import Array

_TEMPLATE = Path(__file__).with_name("page.html")
_TILES = ("accuracy", "micro_f1", "act_rate", "act_error", "oos_auroc")
_MOST_CONFUSIONS = 15
_MOST_MISTAKES = 20
_NONE = "–"


def write_report(
    evaluation: Evaluation, path: str | Path, *, language: str = "en", overviews: Mapping[str, Overview] | None = None
) -> None:
    """Write the evaluation as a self-contained HTML file.

    Several tasks stand one below the other. The file holds its own plots and style, asks the network for nothing and
    runs no script. It quotes test texts and shows test pictures. An existing file is replaced only
    once the new one is whole.

    Args:
        evaluation: What ``evaluate`` returned.
        path: The file to write.
        language: ``en`` or ``zh``.
        overviews: Task to what the model goes by, where that is to be told too.

    Raises:
        OptionError: There are no words in that language.
        OutputError: The file cannot be written there.

    Example:
        >>> write_report(evaluate(model, table), "report.html", language="zh")  # doctest: +SKIP
    """
    words = wording(language)
    first = replace(next(iter(evaluation.tasks.values()), evaluation), notices=evaluation.notices)
    others = [replace(one, notices=()) for one in list(evaluation.tasks.values())[1:]]
    page = Template(_TEMPLATE.read_text("utf-8")).substitute(
        language=words.code,
        title=one_line(f"{words.title} · {evaluation.source}"),
        body="\n".join(_task(one, words, (overviews or {}).get(one.task.name)) for one in (first, *others)),
    )
    write_page(Path(path), page, what="the report")


def mixed_up(evaluation: Evaluation) -> dict[tuple[str, str], int]:
    """Pairs of labels, in the order of the task, and how many test rows of either were taken for the other."""
    found: dict[tuple[str, str], int] = {}
    for one in confusions(evaluation.outcomes):
        if one.truth is not None and one.said is not None:
            first, second = sorted((one.truth, one.said), key=evaluation.outcomes.labels.index)
            found[first, second] = found.get((first, second), 0) + one.rows
    return dict(sorted(found.items(), key=lambda pair: -pair[1])[:_MOST_CONFUSIONS])


def _task(evaluation: Evaluation, words: Wording, overview: Overview | None) -> str:
    """All that is told of one task."""
    parts = (_head, _promise, _notices, _figures, _sources, _plots, _confusions, _mistakes, _labels)
    told = [part(evaluation, words) for part in parts]
    told += [overview_on_page(overview, words.code, mixed_up(evaluation))] if overview else []
    return "<article>\n" + "\n".join(told) + "\n</article>"


def _head(evaluation: Evaluation, words: Wording) -> str:
    """The title, what was tested on what, and the figures to see first."""
    decision, is_oos = evaluation.decisions[0], evaluation.outcomes.is_oos
    facts = {
        words.rows: f"{is_oos.size:,}",
        words.in_scope: f"{(~is_oos).sum():,}",
        words.oos: f"{is_oos.sum():,}",
        words.labels: f"{len(evaluation.task.labels):,}",
        words.model: decision.model[:12] or words.never_saved,
        words.version: decision.version,
        words.seed: str(decision.seed),
        words.max_error: shown("act_error", evaluation.max_error),
        words.scope_level: shown("act_rate", evaluation.scope_level),
    }
    listed = "".join(f"<div><dt>{name}</dt><dd>{isolated(value)}</dd></div>" for name, value in facts.items())
    tiles = "".join(
        f'<div class="tile">{words.figures[name][0]}<b>{shown(name, evaluation.figures[name])}</b>'
        f"<small>{shown_interval(evaluation.intervals.get(name))}</small></div>"
        for name in _TILES
        if name in evaluation.figures
    )
    title = f"{words.title} · {evaluation.task.name} · {evaluation.source}"
    return f'<h1>{isolated(title)}</h1>\n<dl>{listed}</dl>\n<div class="tiles">{tiles}</div>'


def _promise(evaluation: Evaluation, words: Wording) -> str:
    """What was promised, and what came of it."""
    acted, correct = evaluation.outcomes.acted, evaluation.outcomes.correct
    measured = words.no_acts
    if acted.any():
        measured = words.measured.format(
            share=shown("act_error", evaluation.figures["act_error"]),
            wrong=f"{(acted & ~correct).sum():,}",
            acts=f"{acted.sum():,}",
            asked=shown("act_error", evaluation.max_error),
        )
    promised = isolated(evaluation.promise.describe(words.code), most=1000)
    return f'<section class="panel"><h3>{words.promise}</h3><p>{promised}</p><p class="soft">{measured}</p></section>'


def _notices(evaluation: Evaluation, words: Wording) -> str:
    """What to know about the rows, if anything."""
    listed = "".join(f"<li>{isolated(notice, most=1000)}</li>" for notice in evaluation.notices)
    return f'<section class="panel notes"><h3>{words.notices_heading}</h3><ul>{listed}</ul></section>' if listed else ""


def _figures(evaluation: Evaluation, words: Wording) -> str:
    """Every figure, its interval and its meaning."""
    columns = [
        Column(words.figure, "name"),
        Column(words.value, "number"),
        Column(words.interval, "number"),
        Column(words.meaning, "wide"),
        Column("JSON", "key"),
    ]
    rows = []
    for name, value in evaluation.figures.items():
        title, meaning = words.figures[name]
        rows.append((title, shown(name, value), shown_interval(evaluation.intervals.get(name)), meaning, name))
    return section(words.figures_heading, table(columns, rows), style="figures")


def _sources(evaluation: Evaluation, words: Wording) -> str:
    """What each source adds, where there are several."""
    if not evaluation.sources:
        return ""
    columns = [
        Column(words.source),
        *(Column(name, "number") for name in (words.rows, words.alone, words.without, words.milliseconds)),
    ]
    return section(words.sources_heading, table(columns, source_rows(evaluation, words)), note=words.sources_note)


def _plots(evaluation: Evaluation, words: Wording) -> str:
    """How sure, at what cost, what is known; and beside them what was done."""
    parts = (reliability_figure, risk_figure, scope_figure, _done)
    return f'<div class="plots">{"".join(part(evaluation, words) for part in parts)}</div>'


def _done(evaluation: Evaluation, words: Wording) -> str:
    """How many rows of each kind were acted on, asked about and declined."""
    acted, correct, is_oos = evaluation.outcomes.acted, evaluation.outcomes.correct, evaluation.outcomes.is_oos
    kinds = np.array([decision.kind for decision in evaluation.decisions])
    done = {
        words.acted_right: acted & correct,
        words.acted_wrong: acted & ~correct,
        words.asked: kinds == "clarify",
        words.declined: kinds == "decline",
    }
    sides = {name: rows for name, rows in ((words.in_scope, ~is_oos), (words.oos, is_oos)) if rows.any()}
    columns = [Column(""), *(Column(name, "number") for name in sides)]
    rows = [(name, *(_count(hits[side]) for side in sides.values())) for name, hits in done.items()]
    return figure(words.done_heading, table(columns, rows), [], note="")


def _confusions(evaluation: Evaluation, words: Wording) -> str:
    """Which labels are taken for which, with an example of each."""
    columns = [
        Column(words.truth),
        Column(words.said),
        Column(words.rows, "number"),
        Column(words.example, "wide"),
    ]
    rows = [
        (found.truth or _NONE, found.said or _NONE, f"{found.rows:,}", _text(evaluation, found.example, words))
        for found in confusions(evaluation.outcomes)[:_MOST_CONFUSIONS]
    ]
    return section(words.confusions_heading, _table_or_none(columns, rows, words), note=words.confusions_note)


def _mistakes(evaluation: Evaluation, words: Wording) -> str:
    """The rows on which the model was wrong and surest."""
    outcomes = evaluation.outcomes
    columns = [
        Column(words.text, "wide"),
        Column(words.truth),
        Column(words.said),
        Column(words.probability, "number"),
        Column(words.decision),
    ]
    rows = [
        (
            _text(evaluation, i, words),
            words.oos if outcomes.is_oos[i] else _names(outcomes, outcomes.truth[i]),
            _names(outcomes, outcomes.said[i]),
            f"{outcomes.confidence[i]:.1%}",
            words.kinds[evaluation.decisions[i].kind],
        )
        for i in mistakes(outcomes)[:_MOST_MISTAKES]
    ]
    return section(words.mistakes_heading, _table_or_none(columns, rows, words), note=words.mistakes_note)


def _labels(evaluation: Evaluation, words: Wording) -> str:
    """How well each label is told."""
    columns = [
        Column(words.label),
        *(Column(name, "number") for name in (words.rows, words.precision, words.recall, "F1")),
    ]
    rows = [
        (score.label, f"{score.rows:,}", _percent(score.precision), _percent(score.recall), _percent(score.f1))
        for score in label_scores(evaluation.outcomes)
    ]
    return section(words.labels_heading, _table_or_none(columns, rows, words), note=words.labels_note)


def _table_or_none(columns: list[Column], rows: Sequence[Sequence[str | Pictured]], words: Wording) -> str:
    return table(columns, rows) if rows else f"<p>{words.nothing}</p>"


def _text(evaluation: Evaluation, i: int, words: Wording) -> str | Pictured:
    """What the record says; one that only shows or sounds is named by its id. What it shows stands beside it."""
    record = evaluation.records[i]
    text, address = record.text or f"{words.no_text} {record.id}", thumbnail(record)
    return Pictured(text, address) if address else text


def _names(outcomes: Outcomes, marks: Array) -> str:
    return ", ".join(outcomes.labels[j] for j in np.flatnonzero(marks)) or _NONE


def _percent(share: float | None) -> str:
    return _NONE if share is None else f"{share:.1%}"


def _count(hits: Array) -> str:
    """So many, and in percent."""
    return f"{hits.sum():,} ({hits.mean():.1%})"
