"""The floor under every peer: how long sentence-transformers takes to encode one text with all-MiniLM-L6-v2."""

from __future__ import annotations

import json
from importlib.metadata import version

from measure import arguments, median_ms, minilm_folder, read_rows
from sentence_transformers import SentenceTransformer

if __name__ == "__main__":
    paths = arguments().parse_args()  # takes TRAIN like the other runners, and reads TEST alone
    encoder = SentenceTransformer(minilm_folder(), device="cpu")
    texts, _ = read_rows(paths.test)
    result = {
        "name": "all-MiniLM-L6-v2, encoding alone",
        "version": f"sentence-transformers {version('sentence-transformers')}",
        "ms_p50": median_ms(lambda text: encoder.encode(text, show_progress_bar=False), texts),
    }
    paths.out.write_text(json.dumps(result, indent=2))
