"""Where each fact of a graph came from, and how sure it is: file, line and weight, by a hash of the fact.

Eight bytes of hash, four of line and, where there are weights, eight of weight
stand for a fact, so the sources of millions fit into memory. RDF itself has no
cheap place for them: a graph of its own for each line makes a store several
times slower to fill.
"""

from __future__ import annotations

import json
from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numpy.typing import NDArray

_NAMES, _ARRAYS = "sources.json", "sources-{}.npz"


def digest(subject: str, predicate: str, object_: str) -> int:
    """A hash of a fact as a whole number of eight bytes; the same on every machine."""
    content = f"{subject}\n{predicate}\n{object_}".encode("utf-8", "surrogatepass")
    return int.from_bytes(blake2b(content, digest_size=8).digest(), "little")


class Page:
    """What is said of the facts of one reading, while it is read.

    Args:
        name: The file, or whatever else the facts came from.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.digests = array("Q")
        self.lines = array("L")
        self.weights = array("d")
        self.weighted = False

    def note(self, digested: int, line: int, weight: float) -> None:
        """Say of the next fact where it stood; line 0 means that nobody knows."""
        self.digests.append(digested)
        self.lines.append(line)
        self.weights.append(weight)
        self.weighted = self.weighted or weight < 1


@dataclass(frozen=True, eq=False)
class _Filed:
    """A page that is complete, sorted by hash."""

    name: str
    digests: NDArray[Any]
    lines: NDArray[Any]
    weights: NDArray[Any] | None


class Ledger:
    """All that is said of the facts of a graph."""

    def __init__(self) -> None:
        self._pages: list[_Filed] = []
        self._weights: dict[int, float] | None = None

    @property
    def weighted(self) -> bool:
        """Whether any fact may have a weight other than 1."""
        return any(page.weights is not None for page in self._pages)

    def file(self, page: Page) -> None:
        """Keep what is said of one reading."""
        import numpy as np

        if not page.digests:
            return
        digests = np.frombuffer(page.digests, dtype=np.uint64)
        order = np.argsort(digests, kind="stable")
        lines = np.asarray(page.lines, dtype=np.uint32)[order]
        weights = np.asarray(page.weights)[order] if page.weighted else None
        self._pages.append(_Filed(page.name, digests[order], lines, weights))
        self._weights = None

    def entries(self, digested: int) -> Iterator[tuple[str, int, float]]:
        """Source, line and weight of each time that a fact was read."""
        import numpy as np

        key = np.uint64(digested)
        for page in self._pages:
            first = int(np.searchsorted(page.digests, key))
            for place in range(first, len(page.digests)):
                if page.digests[place] != key:
                    break
                weight = 1.0 if page.weights is None else float(page.weights[place])
                yield page.name, int(page.lines[place]), weight

    def weights(self) -> dict[int, float]:
        """The weights of the facts that were never read as certain, by their hashes: the highest of each."""
        import numpy as np

        if self._weights is None:
            found: dict[int, float] = {}
            for page in self._pages:
                if page.weights is not None:
                    for key, weight in zip(page.digests.tolist(), page.weights.tolist(), strict=True):
                        found[key] = max(weight, found.get(key, 0.0))
            if found:
                unsure = np.fromiter(found, dtype=np.uint64, count=len(found))
                for page in self._pages:
                    if page.weights is None:
                        for key in unsure[np.isin(unsure, page.digests)].tolist():
                            found[key] = 1.0
            self._weights = {key: weight for key, weight in found.items() if weight < 1}
        return self._weights

    def save(self, folder: Path) -> None:
        """Write what is not there yet; the list of names last, so that it speaks of whole files only."""
        import numpy as np

        for number, page in enumerate(self._pages):
            place = folder / _ARRAYS.format(number)
            if not place.exists():
                partial = folder / f".{place.name}.partial"
                arrays = {"digests": page.digests, "lines": page.lines}
                if page.weights is not None:
                    arrays["weights"] = page.weights
                with partial.open("wb") as stream:
                    np.savez(stream, allow_pickle=False, **arrays)
                partial.replace(place)
        partial = folder / f".{_NAMES}.partial"
        partial.write_text(json.dumps([page.name for page in self._pages], ensure_ascii=False), encoding="utf-8")
        partial.replace(folder / _NAMES)

    @classmethod
    def load(cls, folder: Path) -> Ledger:
        """Read what ``save`` wrote. Whatever is wrong with it is a ``ValueError``, ``OSError`` or ``KeyError``."""
        import numpy as np

        ledger = cls()
        if (folder / _NAMES).exists():
            for number, name in enumerate(json.loads((folder / _NAMES).read_text("utf-8"))):
                with np.load(folder / _ARRAYS.format(number), allow_pickle=False) as arrays:
                    weights = arrays.get("weights", None)
                    ledger._pages.append(_Filed(str(name), arrays["digests"], arrays["lines"], weights))
        return ledger
