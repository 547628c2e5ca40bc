"""Print results/*.json as the Markdown tables of README.md."""

from __future__ import annotations

import json
from typing import Any

from harness import HERE


def shown(value: Any) -> str:
    return "" if value is None else f"{value:.3f}" if isinstance(value, float) else str(value)


def main() -> None:
    for path in sorted((HERE / "results").glob("*.json")):
        result = json.loads(path.read_text("utf-8"))
        columns = list(dict.fromkeys(key for row in result["rows"] for key in row))
        print(f"### {result['name']}\n")
        print(f"{result['date']}, Python {result['python']}, {result['cores']} cores.\n")
        print(f"| {' | '.join(columns)} |\n|{' --- |' * len(columns)}")
        for row in result["rows"]:
            print(f"| {' | '.join(shown(row.get(column)) for column in columns)} |")
        print()


if __name__ == "__main__":
    main()
