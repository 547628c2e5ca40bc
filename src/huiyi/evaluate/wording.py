"""Every word of the report and of the terminal table, in English and in Chinese."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from huiyi.errors import OptionError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Mapping

    from huiyi.evaluate.evaluation import Evaluation
    from huiyi.values import DecisionKind


@dataclass(frozen=True)
class Wording:
    """The words of one language.

    Attributes:
        figures: Figure to its name and to what it means, in one line.
        kinds: Decision kind to a word for it.
        sources: Source to a word for it. One that is missing is called by its name.
    """

    code: str
    title: str
    figures: Mapping[str, tuple[str, str]]
    kinds: Mapping[DecisionKind, str]
    sources: Mapping[str, str]

    # the table of figures
    figure: str
    value: str
    interval: str
    meaning: str

    # the summary and the promise
    rows: str
    in_scope: str
    oos: str
    labels: str
    max_error: str
    scope_level: str
    model: str
    never_saved: str
    version: str
    seed: str
    promise: str
    measured: str
    no_acts: str

    # sources
    sources_heading: str
    sources_note: str
    source: str
    alone: str
    without: str
    milliseconds: str

    # sections
    figures_heading: str
    notices_heading: str
    done_heading: str
    confusions_heading: str
    confusions_note: str
    labels_heading: str
    labels_note: str
    mistakes_heading: str
    mistakes_note: str
    nothing: str

    # columns
    acted_right: str
    acted_wrong: str
    asked: str
    declined: str
    truth: str
    said: str
    example: str
    label: str
    precision: str
    recall: str
    text: str
    probability: str
    decision: str
    no_text: str

    # plots
    reliability_title: str
    reliability_note: str
    reliability_x: str
    reliability_y: str
    risk_title: str
    risk_note: str
    risk_x: str
    risk_y: str
    risk_curve: str
    risk_asked: str
    risk_done: str
    scope_title: str
    scope_note: str
    scope_x: str
    scope_y: str


ENGLISH = Wording(
    code="en",
    title="Evaluation",
    figures={
        "n": ("Rows", "test rows that carry a label"),
        "accuracy": ("Accuracy", "in-scope rows labelled exactly right"),
        "macro_f1": ("Macro F1", "F1 averaged over labels: rare ones count as much as frequent ones"),
        "micro_f1": ("Micro F1", "F1 over all pairs of a row and a label"),
        "ece": ("Calibration error", "how far stated probabilities are from what comes true, on average (ECE)"),
        "nll": (
            "Log loss",
            "penalty for giving the right label a low probability, of rows whose label was trained on; 0 is best",
        ),
        "oos_auroc": ("Scope AUROC", "how often an out-of-scope row looks stranger than an in-scope row"),
        "oos_aupr": ("Scope AUPR", "precision of finding out-of-scope rows, averaged over all levels"),
        "oos_f1": ("Scope F1", "F1 of calling rows out of scope, at the level in use"),
        "oos_recall": ("Scope recall", "out-of-scope rows recognised as such, at the level in use"),
        "act_rate": ("Act rate", "rows acted on, without asking or declining"),
        "act_error": ("Act error", "acts that are wrong; every act on an out-of-scope row is"),
        "act_error_in_scope": ("Act error in scope", "acts on in-scope rows that are wrong"),
        "oos_act_rate": ("Out-of-scope act rate", "out-of-scope rows acted on; each is a mistake"),
        "set_coverage": ("Set coverage", "in-scope rows whose candidates include the right label"),
        "set_size": ("Set size", "candidates a row, on average"),
        "span_f1": ("Span F1", "spans whose label, start and end are right, against those missed and those too many"),
        "token_accuracy": ("Token accuracy", "tokens that are tagged right"),
        "seconds": ("Time for all", "all rows, in batches"),
        "ms_per_record_p50": ("Time for one", "a single decision; half are faster"),
        "ms_per_record_p99": ("Time for one, slow", "a single decision; 99 of 100 are faster"),
    },
    kinds={"act": "acted", "clarify": "asked", "decline": "declined"},
    sources={"ocr": "text in pictures"},
    sources_heading="What each source adds",
    sources_note="In-scope rows labelled exactly right by one source alone, and by all others without it.",
    source="Source",
    alone="Alone",
    without="Without it",
    milliseconds="Time for one",
    figure="Figure",
    value="Value",
    interval="95% interval",
    meaning="What it means",
    rows="Rows",
    in_scope="In scope",
    oos="Out of scope",
    labels="Labels",
    max_error="Error asked for",
    scope_level="Scope level",
    model="Model",
    never_saved="not saved",
    version="Huiyi",
    seed="Seed",
    promise="The promise",
    measured="Measured on these rows: {share} of the acts were wrong ({wrong} of {acts}); asked for: at most {asked}.",
    no_acts="On these rows the model never acted.",
    figures_heading="Figures",
    notices_heading="Please note",
    done_heading="What the model did",
    confusions_heading="Most frequent confusions",
    confusions_note="In-scope rows given a wrong label, whether or not the model acted on it.",
    labels_heading="Each label",
    labels_note="In-scope rows only, weakest first.",
    mistakes_heading="Most confident mistakes",
    mistakes_note="Wrong labels on in-scope rows, and acts on out-of-scope rows. Errors in the data show here first.",
    nothing="None.",
    acted_right="Acted, rightly",
    acted_wrong="Acted, wrongly",
    asked="Asked back",
    declined="Declined",
    truth="Right",
    said="Said",
    example="For example",
    label="Label",
    precision="Precision",
    recall="Recall",
    text="Text",
    probability="Probability",
    decision="Decision",
    no_text="(no text)",
    reliability_title="Does it know how sure to be?",
    reliability_note="Each dot is a fifteenth of the in-scope rows, with its 95% interval. Best is on the dashed line.",
    reliability_x="stated probability",
    reliability_y="right",
    risk_title="What would acting more often cost?",
    risk_note="Surest rows first, those called out of scope last.",
    risk_x="rows acted on",
    risk_y="wrong acts",
    risk_curve="all levels",
    risk_asked="asked for",
    risk_done="as decided",
    scope_title="Does it know what it does not know?",
    scope_note="Left of the dashed line, rows are called out of scope.",
    scope_x="in-scope training rows that look stranger",
    scope_y="share of the rows",
)

CHINESE = Wording(
    code="zh",
    title="评估报告",
    figures={
        "n": ("样本数", "带标签的测试样本"),
        "accuracy": ("准确率", "范围内样本中，标签完全正确的比例"),
        "macro_f1": ("宏平均 F1", "各标签 F1 的平均值：罕见标签与常见标签同等重要"),
        "micro_f1": ("微平均 F1", "把所有“样本–标签”对合在一起计算的 F1"),
        "ece": ("校准误差", "所报概率与实际正确率的平均差距（ECE）"),
        "nll": ("对数损失", "给正确标签的概率越低，惩罚越大；只算训练过的标签；0 为最好"),
        "oos_auroc": ("范围 AUROC", "范围外样本看起来比范围内样本更陌生的概率"),
        "oos_aupr": ("范围 AUPR", "查找范围外样本的精确率，对所有阈值取平均"),
        "oos_f1": ("范围 F1", "按当前阈值判定“范围外”的 F1"),
        "oos_recall": ("范围召回率", "按当前阈值，被识别出来的范围外样本"),
        "act_rate": ("执行率", "既不询问也不拒绝、直接执行的样本"),
        "act_error": ("执行错误率", "执行中出错的比例；执行范围外样本一律算错"),
        "act_error_in_scope": ("范围内执行错误率", "在范围内样本的执行中，出错的比例"),
        "oos_act_rate": ("范围外执行率", "被直接执行的范围外样本；每一条都是错误"),
        "set_coverage": ("候选覆盖率", "范围内样本中，候选里包含正确标签的比例"),
        "set_size": ("候选个数", "平均每条样本的候选标签数"),
        "span_f1": ("片段 F1", "标签、起点和终点都正确的片段，兼顾漏报与误报"),
        "token_accuracy": ("词元准确率", "标注正确的词元所占比例"),
        "seconds": ("总用时", "分批处理全部样本"),
        "ms_per_record_p50": ("单条用时", "单条决策；一半比它更快"),
        "ms_per_record_p99": ("单条用时（慢）", "单条决策；100 条里有 99 条比它更快"),
    },
    kinds={"act": "执行", "clarify": "询问", "decline": "拒绝"},
    sources={
        "text": "文本",
        "history": "对话",
        "fields": "表单",
        "image": "图片",
        "ocr": "图中文字",
        "audio": "声音",
        "speech": "语音内容",
    },
    sources_heading="各来源的作用",
    sources_note="范围内样本标签完全正确的比例：只用这一来源，以及用其余全部来源。",
    source="来源",
    alone="单独使用",
    without="去掉之后",
    milliseconds="单条用时",
    figure="指标",
    value="数值",
    interval="95% 区间",
    meaning="含义",
    rows="样本",
    in_scope="范围内",
    oos="范围外",
    labels="标签",
    max_error="要求的错误率上限",
    scope_level="范围阈值",
    model="模型",
    never_saved="未保存",
    version="Huiyi",
    seed="随机种子",
    promise="承诺",
    measured="在这些样本上实测：执行中有 {share} 出错（{acts} 次中错 {wrong} 次），要求不超过 {asked}。",
    no_acts="在这些样本上，模型一次也没有直接执行。",
    figures_heading="各项指标",
    notices_heading="请注意",
    done_heading="模型做了什么",
    confusions_heading="最常见的混淆",
    confusions_note="范围内样本中判断错误的标签，无论模型是否据此执行。",
    labels_heading="逐个标签",
    labels_note="只含范围内样本，从最差的开始。",
    mistakes_heading="最自信的错误",
    mistakes_note="范围内样本的错误标签，以及对范围外样本的执行。数据里若有标错的样本，多半先在这里出现。",
    nothing="没有。",
    acted_right="执行正确",
    acted_wrong="执行错误",
    asked="询问",
    declined="拒绝",
    truth="正确标签",
    said="模型判断",
    example="例子",
    label="标签",
    precision="精确率",
    recall="召回率",
    text="文本",
    probability="概率",
    decision="决定",
    no_text="（无文本）",
    reliability_title="它知道自己有多大把握吗？",
    reliability_note="每个点是十五分之一的范围内样本及其 95% 区间。落在虚线上最好。",
    reliability_x="所报概率",
    reliability_y="实际正确率",
    risk_title="多执行一些，代价是什么？",
    risk_note="把握最大的样本在前，被判为范围外的在最后。",
    risk_x="直接执行的样本",
    risk_y="执行错误率",
    risk_curve="各种阈值",
    risk_asked="要求上限",
    risk_done="实际决定",
    scope_title="它知道自己不懂什么吗？",
    scope_note="虚线左侧的样本被判为范围外。",
    scope_x="比它更陌生的范围内训练样本",
    scope_y="样本比例",
)

_LANGUAGES = {wording.code: wording for wording in (ENGLISH, CHINESE)}

_UNITS = {"seconds": " s", "ms_per_record_p50": " ms", "ms_per_record_p99": " ms"}
_AS_DECIMALS = {"ece", "nll", "oos_auroc", "oos_aupr"}


def wording(language: str) -> Wording:
    """The words of a language.

    Raises:
        OptionError: There are no words in that language.

    Example:
        >>> wording("zh").title
        '评估报告'
    """
    if language not in _LANGUAGES:
        raise OptionError(
            f"There is no report in the language {language!r}. Choose one of {', '.join(_LANGUAGES)}."
            f"{did_you_mean(language, _LANGUAGES)}"
        )
    return _LANGUAGES[language]


def shown(name: str, value: float) -> str:
    """A figure's value as people read it.

    Example:
        >>> shown("accuracy", 0.93456), shown("ece", 0.01234), shown("ms_per_record_p50", 1.234), shown("n", 4500)
        ('93.5%', '0.012', '1.23 ms', '4,500')
    """
    if name == "n":
        return f"{value:,}"
    if name in _UNITS:
        return f"{value:,.2f}{_UNITS[name]}"
    if name == "set_size":
        return f"{value:.2f}"
    return f"{value:.3f}" if name in _AS_DECIMALS else f"{value:.1%}"


def shown_interval(interval: tuple[float, float] | None) -> str:
    """An interval as people read it, or nothing.

    Example:
        >>> shown_interval((0.9266, 0.9413)), shown_interval(None)
        ('92.7–94.1%', '')
    """
    return f"{100 * interval[0]:.1f}–{interval[1]:.1%}" if interval else ""


def source_rows(evaluation: Evaluation, words: Wording) -> list[tuple[str, ...]]:
    """What each source adds as people read it: its name, its rows, alone, without it, milliseconds."""
    return [
        (
            words.sources.get(source, source),
            shown("n", worth.rows),
            shown("accuracy", worth.alone),
            shown("accuracy", worth.without),
            shown("ms_per_record_p50", worth.milliseconds),
        )
        for source, worth in evaluation.sources.items()
    ]
