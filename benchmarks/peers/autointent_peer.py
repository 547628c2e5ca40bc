"""AutoIntent: its ``classic-light`` preset, which searches over scorers and decision rules on one encoder."""

from __future__ import annotations

from importlib.metadata import version

import numpy as np
from autointent import Dataset, Embedder, Pipeline
from autointent.configs import SentenceTransformerEmbeddingConfig
from autointent.modules.scoring import KNNScorer, LinearScorer
from measure import Answers, arguments, measure, minilm_folder


class AutoIntent:
    """AutoIntent's ``classic-light`` preset with the encoder replaced and nothing else."""

    def fit(self, texts: list[str], labels: list[str]) -> None:
        """Search on four fifths of the rows, train the winner on all."""
        self.names = np.unique(labels)
        numbers = np.searchsorted(self.names, labels).tolist()
        rows = [{"utterance": text, "label": number} for text, number in zip(texts, numbers, strict=True)]
        intents = [{"id": number, "name": name} for number, name in enumerate(self.names.tolist())]

        self.pipeline = Pipeline.from_preset("classic-light")
        self.pipeline.set_config(SentenceTransformerEmbeddingConfig(model_name=minilm_folder()))
        self.pipeline.fit(Dataset.from_dict({"train": rows, "intents": intents}), refit_after=True)

        # The cache of embeddings spares the search most of its work, but at every single decision it hashes all
        # weights of the encoder. AutoIntent gets the better of both: with the cache so far, without it from here on.
        encoder_of(self.pipeline.nodes["scoring"].module).config.use_cache = False

    def answer(self, texts: list[str]) -> Answers:
        """Answer by the top score; declined is what the decision rule leaves without a label."""
        output = self.pipeline.predict_with_metadata(texts)
        scores = np.array([utterance.score for utterance in output.utterances])  # (n, labels)
        # One of its scorers gives similarities, which do not sum to 1.
        are_probabilities = np.allclose(scores.sum(axis=1), 1)
        return Answers(
            labels=self.names[scores.argmax(axis=1)],
            confidences=scores.max(axis=1) if are_probabilities else None,
            familiarity=scores.max(axis=1),
            is_declined=np.array([prediction is None for prediction in output.predictions]),
        )


def encoder_of(scorer: LinearScorer | KNNScorer) -> Embedder:
    """Return the encoder inside the scorer that won; AutoIntent has no public way to it."""
    return scorer._vector_index.embedder if isinstance(scorer, KNNScorer) else scorer._embedder


if __name__ == "__main__":
    preset = f"{version('autointent')} classic-light"
    measure(AutoIntent(), name="AutoIntent", version=preset, paths=arguments().parse_args())
