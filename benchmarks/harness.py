"""What every benchmark does alike: find the data, run, print a table, write JSON."""

from __future__ import annotations

import argparse
import gzip
import json
import os
import platform
import sys
from collections.abc import Mapping, Sequence
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
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
        "python": platform.python_version(),
        "cores": os.cpu_count(),
        "peak_rss_mb": round(peak_rss_mb()),
    }
    out.write_text(json.dumps({**about, "rows": list(rows)}, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


def _shown(value: Any) -> str:
    """A cell of the table."""
    return "" if value is None else f"{value:.4f}" if isinstance(value, float) else str(value)
