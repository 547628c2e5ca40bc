"""The figures as a table for the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from huiyi.evaluate.wording import shown, shown_interval, source_rows, wording

if TYPE_CHECKING:
    from rich.table import Table

    from huiyi.evaluate.evaluation import Evaluation


def figures_table(evaluation: Evaluation, *, language: str = "en") -> Table:
    """Lay out every figure with its interval and what it means.

    Args:
        evaluation: What ``evaluate`` returned.
        language: ``en`` or ``zh``.

    Raises:
        OptionError: There are no words in that language.

    Example:
        >>> rich.print(figures_table(evaluate(model, table)))  # doctest: +SKIP
    """
    from rich.table import Table

    words = wording(language)
    table = Table(box=None, header_style="dim", pad_edge=False)
    table.add_column(words.figure, no_wrap=True)
    table.add_column(words.value, justify="right", no_wrap=True)
    table.add_column(words.interval, justify="right", no_wrap=True)
    table.add_column(words.meaning, style="dim", overflow="fold")
    for name, value in evaluation.figures.items():
        title, meaning = words.figures[name]
        table.add_row(title, shown(name, value), shown_interval(evaluation.intervals.get(name)), meaning)
    return table


def sources_table(evaluation: Evaluation, *, language: str = "en") -> Table:
    """Lay out what each source of the records adds, where the model listens to several.

    Args:
        evaluation: What ``evaluate`` returned.
        language: ``en`` or ``zh``.

    Raises:
        OptionError: There are no words in that language.

    Example:
        >>> rich.print(sources_table(evaluate(model, table)))  # doctest: +SKIP
    """
    from rich.table import Table

    words = wording(language)
    table = Table(box=None, header_style="dim", pad_edge=False, title=words.sources_heading, title_justify="left")
    table.add_column(words.source, no_wrap=True)
    for name in (words.rows, words.alone, words.without, words.milliseconds):
        table.add_column(name, justify="right", no_wrap=True)
    for row in source_rows(evaluation, words):
        table.add_row(*row)
    return table
