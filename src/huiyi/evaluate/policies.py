"""Policies that were learnt, for people: what to do when, what it would bring, and whether to use it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from huiyi.evaluate.effects import grounds, is_share, plain
from huiyi.evaluate.wording import wording

if TYPE_CHECKING:
    from huiyi.study import PolicyStudy
    from huiyi.values import Estimate

_SAID = {
    "en": {
        "do": "What to do, the first that fits ({shape}):",
        "more": "More of {outcome} is better.",
        "less": "Less of {outcome} is better: it is counted with a minus.",
        "costs": "All values are less what actions cost: {costs}.",
        "logging": "What was done brought {value} ({interval}).",
        "policy": "A policy learnt like this brings {value} ({interval}): {gain} more ({gained}), valued on rows that "
        "it was not learnt from; they count as much as {effective:,.0f} of {rows:,} rows.",
        "refused": "What it would bring cannot be told: {why}",
        "gains": "By intent:",
        "one action": "one action for all",
        "table": "one action for each intent",
        "tree": "conditions that follow each other",
        "table of trees": "conditions for each intent",
    },
    "zh": {
        "do": "怎么做，按第一条符合的规则（{shape}）：",
        "more": "{outcome} 越多越好。",
        "less": "{outcome} 越少越好：按负数计算。",
        "costs": "所有数值都已减去动作的成本：{costs}。",
        "logging": "原来的做法带来 {value}（{interval}）。",
        "policy": "这样学到的策略带来 {value}（{interval}）：多 {gain}（{gained}），"
        "用没有参与学习的数据估计，相当于 {rows:,} 行中的 {effective:,.0f} 行。",
        "refused": "无法判断会带来什么：{why}",
        "gains": "按意图：",
        "one action": "所有情况同一个动作",
        "table": "每个意图一个动作",
        "tree": "逐层的条件",
        "table of trees": "每个意图各有条件",
    },
}


def policy_in_words(study: PolicyStudy, language: str = "en") -> list[str]:
    """The rules, what such a policy would bring beside what was done, and whether to use it.

    Args:
        study: What ``huiyi.study.policy`` returned.
        language: ``en`` or ``zh``. The reason is English.
    """
    code = wording(language).code[:2]
    said, learned, shares = _SAID[code], study.learned, is_share(study.log.outcomes[study.outcome])

    def number(value: float, *, signed: bool = False) -> str:
        sign = "+" if signed else ""
        return format(value, f"{sign}.1%" if shares else f"{sign},.4g")

    def interval(estimate: Estimate, *, signed: bool = False) -> str:
        return f"{number(estimate.low, signed=signed)} … {number(estimate.high, signed=signed)}"

    value = learned.value
    lines = [said["less" if study.less_is_better else "more"].format(outcome=study.outcome)]
    if study.costs:
        lines.append(said["costs"].format(costs=", ".join(f"{name} {cost:g}" for name, cost in study.costs.items())))
    lines += grounds(study, code)
    lines.append(said["do"].format(shape=said[learned.shape]))
    lines += [f"  {phrase}" for phrase in learned.policy.explain("zh" if code == "zh" else "en")]
    lines.append(said["logging"].format(value=number(value.logging.value), interval=interval(value.logging)))
    if value.estimate is None or value.gain is None:
        lines.append(said["refused"].format(why=value.refused))
    else:
        lines.append(
            said["policy"].format(
                value=number(value.estimate.value),
                interval=interval(value.estimate),
                gain=number(value.gain.value, signed=True),
                gained=interval(value.gain, signed=True),
                effective=value.effective,
                rows=value.rows,
            )
        )
    lines.append(learned.reason)
    if learned.gains:
        lines.append(said["gains"])
        lines += [
            f"  {intent}: {number(gain.value, signed=True)} ({interval(gain, signed=True)})"
            for intent, gain in learned.gains.items()
        ]
    return lines


def policy_json(study: PolicyStudy) -> dict[str, Any]:
    """A policy and what was found of it, as JSON can hold it.

    Args:
        study: What ``huiyi.study.policy`` returned.
    """
    learned = study.learned
    return {
        "source": study.log.source,
        "rows": len(study.log),
        "action": study.log.action_name,
        "outcome": study.outcome,
        "less_is_better": study.less_is_better,
        "costs": dict(study.costs),
        "strategy": study.identification.strategy,
        "adjusted": list(study.identification.adjustment),
        "policy": plain(learned.policy.to_json()),
        "shape": learned.shape,
        "adopted": learned.adopted,
        "reason": learned.reason,
        "value": plain(learned.value),
        "gains": {intent: plain(gain) for intent, gain in learned.gains.items()},
        "notices": list(study.notices),
    }
