"""What actions do, for people: a table, sentences, and a page with plots."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from math import isfinite, isnan
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING, Any

import numpy as np

from huiyi.cause.drawing import draw
from huiyi.evaluate.forest import Twig, forest
from huiyi.evaluate.markup import Column, figure, isolated, one_line, section, table
from huiyi.evaluate.plots import BLUE, ORANGE
from huiyi.evaluate.wording import wording
from huiyi.storage import write_page

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from rich.table import Table

    from huiyi.study import PolicyStudy, Study
    from huiyi.values import Effect

_TEMPLATE = Path(__file__).with_name("page.html")

_SAID = {
    "en": {
        "title": "What {action} does to {outcome}",
        "rows": "{rows:,} rows of {source}",
        "compared": "Compared",
        "naive": "Plain difference",
        "effect": "Effect",
        "interval": "{level:.0%} interval",
        "used": "Rows",
        "more": "one more",
        "against": "{action} against {against}",
        "held": "Held equal: {names}.",
        "nothing held": "Nothing is held equal.",
        "back-door": "columns held equal",
        "propensities": "the propensities in the log: each row counts by how probable its action was",
        "no effect": "a plain comparison: the causal model has no arrows from the action to the outcome",
        "front-door": "what lies between (front door)",
        "instrument": "an instrument",
        "general": "a formula (ID algorithm)",
        "how": "Told by {strategy}.",
        "assumed": "Taken for granted: {said}",
        "overall": "Over all",
        "by": "By {name}",
        "refused": "Not told",
        "passed": "passed",
        "failed": "FAILED",
        "not tried": "not tried",
        "attempts": "Attempts to prove it wrong",
        "attempt": "Attempt",
        "came": "What came",
        "hidden": "A hidden cause",
        "overlap": "Who got what",
        "overlap note": "How probable {action} was, beside {against}, for those who got it (blue) and those who did "
        "not (orange). Where one colour stands alone, nothing can be compared.",
        "ranked": "Who gains most",
        "ranked note": "Qini curve: what is gained if the action goes first to those whom it should help most, as "
        "learnt from one half of the log; measured on the other. Dashed: in random order.",
        "graph": "What may cause what",
        "graph note": "Dashed: not measured.",
        "forest note": "Blue: the effect with its interval. Orange: the plain difference.",
        "notices": "To know",
        "reverses": "The plain difference has the wrong sign: {names}.",
    },
    "zh": {
        "title": "{action} 对 {outcome} 的作用",
        "rows": "{source} 的 {rows:,} 行",
        "compared": "比较",
        "naive": "直接相减",
        "effect": "效应",
        "interval": "{level:.0%} 区间",
        "used": "行数",
        "more": "每增加一个单位",
        "against": "{action} 相对 {against}",
        "held": "保持相同：{names}。",
        "nothing held": "没有保持相同的列。",
        "back-door": "保持一些列相同（后门）",
        "propensities": "日志中的倾向：每一行按其动作当时的概率计入",
        "no effect": "直接比较：因果模型中没有从动作到结果的箭头",
        "front-door": "中间环节（前门）",
        "instrument": "工具变量",
        "general": "一个公式（ID 算法）",
        "how": "识别方法：{strategy}。",
        "assumed": "前提：{said}",
        "overall": "总体",
        "by": "按 {name}",
        "refused": "无法判断",
        "passed": "通过",
        "failed": "未通过",
        "not tried": "未尝试",
        "attempts": "反驳尝试",
        "attempt": "尝试",
        "came": "结果",
        "hidden": "隐藏的原因",
        "overlap": "谁得到了什么",
        "overlap note": "得到 {action} 的人（蓝）与得到 {against} 的人（橙）当初得到 {action} 的概率。"
        "只有一种颜色的地方无法比较。",
        "ranked": "谁受益最多",
        "ranked note": "Qini 曲线：先对预计受益最多的人采取行动会带来多少；"
        "用一半日志学习，在另一半上测量。虚线：随机顺序。",
        "graph": "什么可能导致什么",
        "graph note": "虚线：没有测量。",
        "forest note": "蓝：效应及其区间。橙：直接相减。",
        "notices": "需要知道",
        "reverses": "直接相减的符号是错的：{names}。",
    },
}


def effects_table(study: Study, *, language: str = "en") -> Table:
    """Lay out each effect beside the plain difference, over all and by segment.

    Args:
        study: What ``huiyi.effect`` returned.
        language: ``en`` or ``zh``.

    Raises:
        OptionError: There are no words in that language.
    """
    from rich.table import Table

    said = _SAID[wording(language).code[:2]]
    table = Table(box=None, header_style="dim", pad_edge=False)
    table.add_column(said["compared"], overflow="fold")
    for name in (said["naive"], said["effect"], said["interval"].format(level=study.config.level), said["used"]):
        table.add_column(name, justify="right", no_wrap=True)
    for row in _rows(study, said):
        table.add_row(*row)
    return table


def study_in_words(study: Study, language: str = "en") -> list[str]:
    """How it was told, what was taken for granted, and how far it can be trusted, a sentence each.

    Args:
        study: What ``huiyi.effect`` returned.
        language: ``en`` or ``zh``. What attempts and notices say is English.
    """
    code = wording(language).code[:2]
    said = _SAID[code]
    lines = grounds(study, code)
    if wrong := _reversed(study, said):
        lines.append(said["reverses"].format(names=", ".join(wrong)))
    for one in study.effects.overall:
        if one.refused:
            lines.append(f"{_compared(one, said)}: {one.refused}")
        if one.action in study.refutations:
            tried = [f"{made.name} {_verdict(made.passed, said)}" for made in study.refutations[one.action]]
            lines += [f"{_compared(one, said)}: {', '.join(tried)}."] if tried else []
            lines += [f"  {made.said}" for made in study.refutations[one.action] if made.passed is False]
        if one.action in study.sensitivities:
            lines.append(f"{_compared(one, said)}: {study.sensitivities[one.action].said}")
    return lines


def study_json(study: Study) -> dict[str, Any]:
    """A study as JSON can hold it.

    Args:
        study: What ``huiyi.effect`` returned.
    """
    found = study.identification
    return {
        "source": study.log.source,
        "rows": len(study.log),
        "action": study.log.action_name,
        "outcome": study.outcome,
        "strategy": found.strategy,
        "adjusted": list(found.adjustment),
        "formula": found.formula,
        "assumptions": [*study.model.assumptions, *found.assumptions],
        "overall": [plain(one) for one in study.effects.overall],
        "by_segment": [plain(one) for one in study.effects.by_segment],
        "refutations": {name: [plain(one) for one in made] for name, made in study.refutations.items()},
        "sensitivity": {name: plain(one) for name, one in study.sensitivities.items()},
        "qini": {name: plain(one.qini) for name, one in study.rankings.items()},
        "overlap": {
            one.action: {
                "edges": one.edges.tolist(),
                "got": one.got.tolist(),
                "got_other": one.got_other.tolist(),
                "effective_rows": plain(one.effective_rows),
            }
            for one in study.overlaps
        },
        "notices": list(study.notices),
    }


def write_study(study: Study, path: str | Path, *, language: str = "en") -> None:
    """Write a study as a self-contained HTML page: effects, overlap, attempts to prove them wrong, and the graph.

    It asks the network for nothing and runs no script. An existing file is replaced only once the new one is whole.

    Args:
        study: What ``huiyi.effect`` returned.
        path: The file to write.
        language: ``en`` or ``zh``.

    Raises:
        OptionError: There are no words in that language.
        OutputError: The file cannot be written there.
    """
    words = wording(language)
    said = _SAID[words.code[:2]]
    title = said["title"].format(action=study.log.action_name, outcome=study.outcome)
    rows = said["rows"].format(rows=len(study.log), source=study.log.source)
    body = [f"<article><h1>{isolated(title)}</h1><p>{isolated(rows)}</p>", '<section class="panel">']
    body += [f"<p>{isolated(line, most=2000)}</p>" for line in grounds(study, words.code[:2])]
    if wrong := _reversed(study, said):
        body.append(f"<p><b>{isolated(said['reverses'].format(names=', '.join(wrong)), most=1000)}</b></p>")
    body.append("</section>")
    if study.notices:
        listed = "".join(f"<li>{isolated(notice, most=1000)}</li>" for notice in study.notices)
        body.append(f'<section class="panel notes"><h3>{said["notices"]}</h3><ul>{listed}</ul></section>')
    body += [_effects(study, said), _overlaps(study, said), _ranked(study, said), _attempts(study, said)]
    body += [_graph(study, said), "</article>"]
    page = Template(_TEMPLATE.read_text("utf-8")).substitute(
        language=words.code, title=one_line(title), body="\n".join(body)
    )
    write_page(Path(path), page, what="the report")


def grounds(study: Study | PolicyStudy, language: str) -> list[str]:
    """What an answer rests on: how it was told, what is held equal, and what is taken for granted.

    Args:
        study: What ``huiyi.study`` returned.
        language: ``en`` or ``zh``.
    """
    said, found = _SAID[language], study.identification
    lines = []
    if found.is_identified:
        held = ", ".join(found.adjustment)
        lines = [
            said["how"].format(strategy=said[found.strategy]),
            said["held"].format(names=held) if held else said["nothing held"],
        ]
    return [*lines, *(said["assumed"].format(said=line) for line in (*study.model.assumptions, *found.assumptions))]


def _reversed(study: Study, said: Mapping[str, str]) -> list[str]:
    """Comparisons whose plain difference has the other sign, where the effect's sign is sure."""
    return [
        _compared(one, said)
        for one in study.effects.overall
        if one.estimate is not None and one.estimate.low * one.estimate.high > 0 > one.estimate.value * one.naive
    ]


def _rows(study: Study, said: Mapping[str, str]) -> list[tuple[str, str, str, str, str]]:
    """Each effect as the cells of a table."""
    shares = is_share(study.log.outcomes[study.outcome])
    rows = []
    for one in (*study.effects.overall, *study.effects.by_segment):
        estimate = one.estimate
        told = (
            ("–", said["refused"])
            if estimate is None
            else (
                _number(estimate.value, shares),
                f"{_number(estimate.low, shares)} … {_number(estimate.high, shares)}",
            )
        )
        rows.append((_named(one, said), _number(one.naive, shares), *told, f"{one.rows:,}"))
    return rows


def _effects(study: Study, said: Mapping[str, str]) -> str:
    """Effects as a forest plot and a table, over all and by each column that was asked about."""
    columns = [
        Column(said["compared"], "wide"),
        Column(said["naive"], "number"),
        Column(said["effect"], "number"),
        Column(said["interval"].format(level=study.config.level), "number"),
        Column(said["used"], "number"),
    ]
    groups: dict[str, list[Effect]] = {said["overall"]: list(study.effects.overall)}
    for one in study.effects.by_segment:
        groups.setdefault(said["by"].format(name=", ".join(one.segment)), []).append(one)
    parts, shares = [], is_share(study.log.outcomes[study.outcome])
    for heading, effects in groups.items():
        twigs = [Twig(_named(one, said), one.estimate, one.naive if isfinite(one.naive) else None) for one in effects]
        drawn = forest(twigs, heading, are_shares=shares)
        parts.append(section(one_line(heading), drawn, note=said["forest note"]))
    return "".join([*parts, table(columns, _rows(study, said))])


def _overlaps(study: Study, said: Mapping[str, str]) -> str:
    """How probable each action was for those who got it and for those who did not."""
    parts = [
        figure(
            isolated(said["against"].format(action=one.action, against=one.against)),
            _histogram(one.got.tolist(), one.got_other.tolist()),
            [(BLUE, one_line(one.action)), (ORANGE, one_line(one.against))],
            note=one_line(said["overlap note"].format(action=one.action, against=one.against), most=500),
        )
        for one in study.overlaps
    ]
    return section(said["overlap"], f'<div class="plots">{"".join(parts)}</div>') if parts else ""


def _histogram(above: Sequence[int], below: Sequence[int]) -> str:
    """Two histograms on one axis from 0 to 1, one upwards, one downwards, as SVG."""
    width, height, margin = 420, 200, 24
    most = max([1, *above, *below])
    step, middle = width / len(above), (height - margin) / 2
    bars = []
    for counts, sign, colour in ((above, 1, BLUE), (below, -1, ORANGE)):
        for place, count in enumerate(counts):
            size = round((middle - 4) * count / most, 1)
            top = middle - size if sign > 0 else middle
            bars.append(
                f'<rect x="{place * step + 1:.1f}" y="{top:.1f}" width="{step - 2:.1f}" height="{size}" '
                f'style="fill:{colour}"><title>{count:,}</title></rect>'
            )
    ends = "".join(
        f'<text x="{x}" y="{height - 6}" text-anchor="{anchor}" font-size="12" style="fill:currentColor">{name}</text>'
        for x, anchor, name in ((0, "start", "0 %"), (width / 2, "middle", "50 %"), (width, "end", "100 %"))
    )
    opening = f'<svg viewBox="0 0 {width} {height}" role="img" font-family="system-ui, sans-serif">'
    return f"{opening}{''.join(bars)}{ends}</svg>"


def _attempts(study: Study, said: Mapping[str, str]) -> str:
    """Attempts to prove each effect wrong, and how strong a hidden cause must be."""
    parts = []
    for one in study.effects.overall:
        told = study.sensitivities.get(one.action)
        hidden = f"<p><b>{said['hidden']}.</b> {isolated(told.said, most=1000)}</p>" if told else ""
        tried = study.refutations.get(one.action, ())
        if not (tried or hidden):
            continue
        columns = [Column(said["attempt"]), Column(""), Column(said["came"], "wide")]
        rows = [(made.name, _verdict(made.passed, said), made.said) for made in tried]
        parts.append(f"<h3>{isolated(_compared(one, said))}</h3>{table(columns, rows) if rows else ''}{hidden}")
    return section(said["attempts"], "".join(parts)) if parts else ""


def _ranked(study: Study, said: Mapping[str, str]) -> str:
    """The Qini curve of each action."""
    parts = [
        figure(isolated(_compared(one, said)), ranking.svg(), [], note=one_line(ranking.said, most=500))
        for one in study.effects.overall
        if (ranking := study.rankings.get(one.action)) is not None
    ]
    plots = f'<div class="plots">{"".join(parts)}</div>'
    return section(said["ranked"], plots, note=said["ranked note"]) if parts else ""


def _graph(study: Study, said: Mapping[str, str]) -> str:
    """The causal model as a drawing, with what is taken for granted."""
    return section(said["graph"], draw(study.model), note=said["graph note"])


def _named(one: Effect, said: Mapping[str, str]) -> str:
    """What is compared, and for whom."""
    where = ", ".join(f"{name}: {value}" for name, value in one.segment.items())
    return f"{where} · {_compared(one, said)}" if where else _compared(one, said)


def _compared(one: Effect, said: Mapping[str, str]) -> str:
    if not one.against:
        return f"{one.action}, {said['more']}"
    return said["against"].format(action=one.action, against=one.against)


def _verdict(passed: bool | None, said: Mapping[str, str]) -> str:
    return said["not tried"] if passed is None else said["passed" if passed else "failed"]


def is_share(values: NDArray[np.float64]) -> bool:
    """Whether an outcome is yes or no, so that its means are shares."""
    return bool(np.isin(values[np.isfinite(values)], (0.0, 1.0)).all())


def _number(value: float, shares: bool) -> str:
    """A difference: of shares in points of a hundred."""
    if not isfinite(value):
        return "–" if isnan(value) else f"{value:+}"
    return f"{value:+.1%}" if shares else f"{value:+,.4g}"


def plain(value: Any) -> Any:
    """A value of ours as JSON can hold it: what is not a finite number is null."""
    if is_dataclass(value) and not isinstance(value, type):
        return {one.name: plain(getattr(value, one.name)) for one in fields(value)}
    if isinstance(value, Mapping):
        return {str(name): plain(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [plain(one) for one in value]
    if isinstance(value, float | np.floating):
        return float(value) if isfinite(value) else None
    return value.item() if isinstance(value, np.generic) else value
