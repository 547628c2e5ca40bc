"""What every benchmark does alike: find the data, run, print a table, write JSON."""

from __future__ import annotations

import argparse
import gzip
import json
import os
import platform
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from peers.peak import peak_rss_mb

HERE = Path(__file__).parent
DATA = Path(os.environ.get("HUIYI_DATA", HERE.parents[1] / "shared" / "data"))

Pair = tuple[str, Any]


def load(path: str, label: str = "intent") -> list[Pair]:
    """Rows of one split as (text, label) pairs; leaves the script with a clear word when the data are not there."""
    file = DATA / f"{path}.jsonl.gz"
    if not file.is_file():
        sys.exit(
            f"skipped: {file.name} is not in the data folder; set HUIYI_DATA to the folder that has {path}.jsonl.gz"
        )
    with gzip.open(file, "rt", encoding="utf-8", newline="\n") as lines:
        return [(row["text"], row[label]) for row in map(json.loads, lines)]


def in_scope(rows: Sequence[Pair]) -> list[Pair]:
    """The rows that are not labelled out of scope."""
    return [row for row in rows if row[1] != "oos"]


def report(name: str, rows: Sequence[Mapping[str, Any]]) -> None:
    """Print a table, and write it with date and machine to ``results/NAME.json``, or to ``--out``."""
    parser = argparse.ArgumentParser(description=f"benchmark {name}")
    parser.add_argument("--out", type=Path, default=result_file(name))
    publish(name, rows, parser.parse_args().out)


def run_cases(
    name: str, cases: Mapping[str, Callable[[], Mapping[str, Any]]], about: str | None, *, key: str = "data"
) -> None:
    """Run the cases named on the command line, or all; their rows then replace the ones of before, each with its day.

    Args:
        name: Of the benchmark.
        cases: What makes each row, by name.
        about: What the benchmark is, for ``--help``.
        key: The column that holds a case's name.
    """
    parser = argparse.ArgumentParser(description=about)
    parser.add_argument("cases", nargs="*", help=f"some of {', '.join(cases)}; all when none is named")
    parser.add_argument("--out", type=Path, default=result_file(name))
    asked = parser.parse_args()
    if unknown := [case for case in asked.cases if case not in cases]:
        sys.exit(f"not known: {', '.join(unknown)}; expected some of {', '.join(cases)}")
    rows = json.loads(asked.out.read_text("utf-8"))["rows"] if asked.out.is_file() else []
    known = {row[key]: row for row in rows}
    for case in asked.cases or cases:
        known[case] = {key: case, **cases[case](), "date": today()}
        print(known[case], file=sys.stderr, flush=True)
        publish(name, [known[case] for case in cases if case in known], asked.out)


def kept(data: str, effort: str) -> Path:
    """Where a trained model is kept for other benchmarks."""
    return HERE / ".models" / f"{data}-{effort}"


def keep(model: Any, data: str, effort: str) -> None:
    """Keep a trained model there, in the place of one of before."""
    shutil.rmtree(kept(data, effort), ignore_errors=True)
    model.save(kept(data, effort))


@contextmanager
def clocked() -> Iterator[dict[str, int]]:
    """Seconds, and processor seconds, of what is done inside; they are there when it is done."""
    spent: dict[str, int] = {}
    started, worked = time.perf_counter(), time.process_time()
    yield spent
    spent["seconds"] = round(time.perf_counter() - started)
    spent["processor_seconds"] = round(time.process_time() - worked)


def one_pass(texts: Sequence[str], *, max_tokens: int = 128) -> float:
    """Processor seconds of one forward pass of MiniLM over texts, in batches of like length."""
    from huiyi.train.tuning.backbones import MINILM, load_backbone
    from huiyi.train.tuning.batches import Tokens
    from huiyi.train.tuning.loop import encode

    backbone = load_backbone(MINILM)
    tokens = Tokens.cut(backbone.tokenizer, texts, max_tokens=max_tokens)
    started = time.process_time()
    encode(backbone.module, backbone, tokens)
    return time.process_time() - started


def told(what: str, figures: Mapping[str, float]) -> None:
    """Figures of an epoch, on the error stream."""
    print(what, {key: round(value, 4) for key, value in figures.items()}, file=sys.stderr, flush=True)


def result_file(name: str) -> Path:
    """Where the figures of a benchmark stand."""
    return HERE / "results" / f"{name}.json"


def publish(name: str, rows: Sequence[Mapping[str, Any]], out: Path) -> None:
    """Print a table, and write it with date and machine."""
    columns = list(dict.fromkeys(key for row in rows for key in row))
    cells = [[_shown(row.get(column)) for column in columns] for row in rows]
    widths = [max(len(column), *(len(row[i]) for row in cells)) for i, column in enumerate(columns)]
    for line in (columns, *cells):
        print("  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip())
    out.parent.mkdir(parents=True, exist_ok=True)
    about = {
        "name": name,
        "date": today(),
        "python": platform.python_version(),
        "cores": os.cpu_count(),
        "peak_rss_mb": round(peak_rss_mb()),
    }
    out.write_text(json.dumps({**about, "rows": list(rows)}, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


def today() -> str:
    """The day, UTC."""
    return datetime.now(UTC).strftime("%Y-%m-%d")


def _shown(value: Any) -> str:
    """A cell of the table."""
    return "" if value is None else f"{value:.4f}" if isinstance(value, float) else str(value)
