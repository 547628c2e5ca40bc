"""What looking at many pictures costs, the first time and again: seconds, and the memory that it takes.

Each row is a process of its own, so that its peak of memory is its own. The
pictures are drawn by this script. Run it in an environment with the extras
``image`` and ``tune``.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from harness import report
from peers.peak import peak_rss_mb

FEW, MANY = 1_000, 10_000
WIDTH, HEIGHT = 320, 240


def draw(folder: Path) -> None:
    """Photograph-like noise, every picture another one, as JPEG."""
    from PIL import Image

    rng = np.random.default_rng(0)
    for number in range(MANY):
        coarse = rng.integers(256, size=(HEIGHT // 40, WIDTH // 40, 3), dtype=np.uint8)
        Image.fromarray(coarse).resize((WIDTH, HEIGHT)).save(folder / f"{number}.jpg", quality=85)


def look(folder: Path, count: int) -> dict[str, Any]:
    """Perceive some of the pictures, with what was kept before."""
    from huiyi.perceive import FeatureCache, ImagePerceiver, Upkeep
    from huiyi.values import Media, Record

    perceiver = ImagePerceiver()
    perceiver.upkeep = Upkeep(FeatureCache(folder / "features.sqlite"))
    records = [Record(images=(Media(path=folder / f"{number}.jpg"),)) for number in range(count)]
    perceiver.fit(records)
    started = time.perf_counter()
    signals, _ = perceiver.perceive(records)
    return {
        "seconds": round(time.perf_counter() - started, 2),
        "peak_mb": round(peak_rss_mb()),
        "signal_mb": round(signals["image"].nbytes / 1e6),
        "sum": float(signals["image"].astype(np.float64).sum()),
    }


def in_process(folder: Path, count: int) -> dict[str, Any]:
    """The same in a fresh process."""
    done = subprocess.run([sys.executable, __file__, str(folder), str(count)], check=True, capture_output=True)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def measured() -> list[dict[str, Any]]:
    """All rows of the table."""
    with TemporaryDirectory() as name:
        folder, rows = Path(name), []
        draw(folder)
        for case, count in ((f"{FEW:,} cold", FEW), (f"{MANY:,} cold", MANY), (f"{MANY:,} warm", MANY)):
            if case.endswith("cold"):
                (folder / "features.sqlite").unlink(missing_ok=True)
            rows.append({"case": case, **in_process(folder, count)})
            print(rows[-1], file=sys.stderr, flush=True)
    sums = [row.pop("sum") for row in rows]
    assert sums[1] == sums[2], "what was kept is not what was seen"
    for row in rows:
        row["cold_over_this"] = round(rows[1]["seconds"] / row["seconds"], 1)
        row["peak_over_few_mb"] = row["peak_mb"] - rows[0]["peak_mb"]
    return rows


if __name__ == "__main__":
    if len(sys.argv) == 3:
        print(json.dumps(look(Path(sys.argv[1]), int(sys.argv[2]))))
    else:
        report("media", measured())
