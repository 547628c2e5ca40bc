"""Where results, notices and progress go."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from huiyi.pipeline import Model


class StoppedError(Exception):
    """Ctrl-C, after which something is left to be said."""


def open_console() -> Any:
    """Where results are printed."""
    from rich.console import Console

    return Console(soft_wrap=True)


@contextmanager
def progress_bars() -> Iterator[Callable[[str, int, int], None]]:
    """Progress bars on the error stream, one for each thing done."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

    shape = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*shape, console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty()) as bars:
        known: dict[str, TaskID] = {}

        def tell(what: str, done: int, total: int) -> None:
            if what not in known:
                known[what] = bars.add_task(what, total=total)
            bars.update(known[what], completed=done, total=total)

        yield tell


def print_notices(notices: Sequence[str]) -> None:
    """What the user should know, on the error stream."""
    for notice in notices:
        print(f"note: {notice}", file=sys.stderr)


def print_training(model: Model, language: str) -> None:
    """What was trained, and what it promises."""
    summary, console = model.summary, open_console()
    took = {"en": f"Trained in {summary['seconds']} s.", "zh": f"训练用时 {summary['seconds']} 秒。"}
    console.print(took[language], markup=False, highlight=False)
    for name, skill in model.skills.items():
        rows, labels = skill.summary["rows"], skill.summary["labels"]
        weights = ", ".join(f"{head} {weight:g}" for head, weight in skill.summary["weights"].items())
        told = {
            "en": f"{name}: {rows:,} rows, {labels:,} labels. Signals: {weights}.",
            "zh": f"{name}：{rows:,} 条数据，{labels:,} 个标签。信号：{weights}。",
        }
        console.print(told[language], markup=False, highlight=False)
        console.print(skill.decider.promise.describe(language), markup=False, highlight=False)
    if "search" in summary:
        console.print(_searched(summary["search"], language), markup=False, highlight=False)
    print_notices([*summary["notices"], *left_out_columns(summary["left_out_columns"])])


def _searched(search: Mapping[str, Any], language: str) -> str:
    """What a search found."""
    words = {
        "en": (
            "Search: {trials} trials, {cut_short} of them cut short. Held-out loss {usual_loss} by the usual settings, "
            "{best_loss} by the best, {together_loss} by the {used} together that are used.",
            " What mattered: {}.",
        ),
        "zh": (
            "搜索：{trials} 次试验，其中 {cut_short} 次提前结束。保留样本上的损失：默认设置 {usual_loss}，"
            "最好的设置 {best_loss}，合用 {used} 个时 {together_loss}。",
            "起作用的设置：{}。",
        ),
    }
    told, mattered = words[language]
    shares = ", ".join(f"{name} {share:.0%}" for name, share in list(search["mattered"].items())[:3])
    return told.format(**search, used=len(search["members"])) + (mattered.format(shares) if shares else "")


def left_out_columns(columns: Sequence[str]) -> list[str]:
    """Name the columns that were not used, if there are any."""
    return [f"columns not used: {', '.join(columns)}"] if columns else []
