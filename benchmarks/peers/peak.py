"""The most memory this process ever held, where Linux tells it."""

from __future__ import annotations

import re
from pathlib import Path


def peak_rss_mb() -> float:
    """Megabytes. Not by ``getrusage``: there a child begins with the peak of the process it was forked from."""
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    found = re.search(r"VmHWM:\s+(\d+) kB", status)
    assert found, "Linux always tells the peak"
    return int(found[1]) / 1024
