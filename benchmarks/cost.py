"""What it costs: import, cold start, memory, size, a thousand classes, one decision."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import venv
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

from harness import HERE, load, report
from peers.peak import peak_rss_mb
from peers.run import run_peer

import huiyi
from huiyi.data.desk import FOLDER, desk

REPEATS = 7
HEAVY = ("sklearn", "scipy", "pandas", "torch")


def seconds(*command: str) -> float:
    """Median wall seconds of a command, run a few times after once for the disk cache."""
    times = []
    for _ in range(REPEATS + 1):
        start = perf_counter()
        subprocess.run(command, check=True, capture_output=True)
        times.append(perf_counter() - start)
    return median(times[1:])


def start_up(model: str) -> list[dict[str, Any]]:
    python = sys.executable
    code = f"import sys, huiyi; print([name for name in {HEAVY} if name in sys.modules])"
    loaded = subprocess.run([python, "-c", code], check=True, capture_output=True, text=True).stdout.strip()
    bare = seconds(python, "-c", "pass")
    ours, numpy = seconds(python, "-c", "import huiyi"), seconds(python, "-c", "import numpy")
    cold = seconds(python, "-m", "huiyi", "decide", model, "where is my berth?")
    sklearn = seconds(python, "-c", "import sklearn")
    code = (
        "import sys, huiyi, peers.peak; huiyi.load(sys.argv[1]).decide('where is my berth?'); "
        "print(round(peers.peak.peak_rss_mb()))"
    )
    served = [python, "-c", code, model]
    memory = subprocess.run(served, cwd=HERE, check=True, capture_output=True, text=True).stdout
    return [
        {"what": f"of {', '.join(HEAVY)} loaded by `import huiyi`", "got": loaded},
        {"what": "an empty Python, seconds", "got": bare},
        {"what": "`import huiyi` over `import numpy`, whole process", "got": ours / numpy},
        {"what": "cold `huiyi decide` over `import sklearn`, whole process", "got": cold / sklearn},
        {"what": "peak MB while serving the desk's model", "got": int(memory)},
    ]


def decisions(models: dict[str, huiyi.Model]) -> list[dict[str, Any]]:
    rows = [{"text": text, "intent": label} for text, label in load("banking77/test")[:200]]
    theirs = run_peer("minilm_encode", rows, rows)["ms_p50"]
    results = [{"what": "sentence-transformers encodes one text with MiniLM, median ms", "got": theirs}]
    for name, model in models.items():
        times = []
        for row in rows:
            start = perf_counter()
            model.decide(row["text"])
            times.append(1000 * (perf_counter() - start))
        results.append({"what": f"model.decide of one text, {name}, median ms", "got": median(times)})
        results.append({"what": f"MiniLM over model.decide, {name}", "got": theirs / median(times)})
    return results


def thousand_classes() -> list[dict[str, Any]]:
    """1,000 classes of 20 texts: made of four syllables that belong to the class and three that belong to none."""
    import numpy as np

    rng = np.random.default_rng(0)
    syllables = np.array([a + b for a in "bdfgklmnprstvz" for b in ("a", "e", "i", "o", "u", "ai", "ou")])
    words = ["".join(rng.choice(syllables, 3)) for _ in range(3000)]
    classes = [rng.choice(words, 6, replace=False) for _ in range(1000)]

    def text(own: Any) -> str:
        return " ".join(rng.permutation([*rng.choice(own, 4, replace=False), *rng.choice(words, 3)]))

    train = [(text(own), f"class {i}") for i, own in enumerate(classes) for _ in range(20)]
    test = [(text(own), f"class {i}") for i, own in enumerate(classes)]
    before = perf_counter()
    model = huiyi.train(train)
    took = perf_counter() - before
    peak = peak_rss_mb()
    return [
        {"what": "1,000 classes of 20: training seconds", "got": took},
        {"what": "1,000 classes of 20: peak MB", "got": round(peak)},
        {"what": "1,000 classes of 20: accuracy", "got": float(huiyi.evaluate(model, test).figures["accuracy"])},
    ]


def core_install() -> list[dict[str, Any]]:
    """Packages and megabytes that a plain install brings, pip itself left out."""
    with tempfile.TemporaryDirectory() as folder:
        venv.create(folder, with_pip=True)
        python = str(Path(folder) / "bin" / "python")
        own = ("pip", "setuptools")
        subprocess.run([python, "-m", "pip", "install", "--quiet", str(HERE.parent)], check=True)
        listed = subprocess.run(
            [python, "-m", "pip", "list", "--format=freeze"], check=True, capture_output=True, text=True
        )
        names = [line for line in listed.stdout.split() if line.split("==")[0] not in own]
        [site] = Path(folder).glob("lib/python*/site-packages")
        size = sum(
            file.lstat().st_size
            for file in site.rglob("*")
            if file.is_file() and not file.relative_to(site).parts[0].startswith((*own, "_distutils_hack"))
        )
    return [
        {"what": "core install, packages", "got": len(names)},
        {"what": "core install, MB", "got": size / 1e6},
    ]


def main() -> None:
    desk_model = huiyi.train(desk("train"), task=FOLDER / "task.yaml")
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "model")
        desk_model.save(path)
        results = start_up(path)
    results += core_install()
    banking = huiyi.train(load("banking77/train"))
    results += decisions({"built-in desk": desk_model, "BANKING77": banking})
    results += thousand_classes()
    report("cost", results)


if __name__ == "__main__":
    main()
