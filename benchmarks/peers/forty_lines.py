"""The bar: forty lines of scikit-learn around a frozen encoder.

TF-IDF (characters 2-5 and words 1-2) with a linear SVM, plus frozen all-MiniLM-L6-v2 with a linear SVM; their margins
added; one temperature from 3-fold cross-validation. A text is out of scope when its largest margin is smaller than
that of 95 % of the held-out training rows.
"""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING

import numpy as np
from joblib import parallel_config
from measure import Answers, arguments, measure, minilm_folder
from scipy.optimize import minimize_scalar
from scipy.special import softmax
from sentence_transformers import SentenceTransformer
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.metrics import log_loss
from sklearn.model_selection import cross_val_predict
from sklearn.pipeline import make_union
from sklearn.svm import LinearSVC

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from scipy.sparse import csr_array


class FortyLines:
    """Two linear SVMs, one over words and one over sentence vectors, whose margins are added."""

    def fit(self, texts: list[str], labels: list[str]) -> None:
        """Fit both machines, then the temperature and the smallest margin on held-out folds."""
        self.encoder = SentenceTransformer(minilm_folder(), device="cpu")
        self.words = make_union(
            TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 5), sublinear_tf=True),
            TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True),
        ).fit(texts)
        views = self.views(texts)
        self.machines = [LinearSVC(random_state=0).fit(view, labels) for view in views]
        with parallel_config("threading", n_jobs=2):
            held_out = sum(
                cross_val_predict(LinearSVC(random_state=0), view, labels, cv=3, method="decision_function")
                for view in views
            )
        self.temperature = minimize_scalar(
            lambda temperature: log_loss(labels, softmax(held_out / temperature, axis=1)), bounds=(0.01, 10)
        ).x
        self.smallest_margin = np.quantile(held_out.max(axis=1), 0.05)

    def answer(self, texts: list[str]) -> Answers:
        """Answer by the largest sum of margins."""
        margins = sum(
            machine.decision_function(view) for machine, view in zip(self.machines, self.views(texts), strict=True)
        )
        return Answers(
            labels=self.machines[0].classes_[margins.argmax(axis=1)],
            confidences=softmax(margins / self.temperature, axis=1).max(axis=1),
            familiarity=margins.max(axis=1),
            is_declined=margins.max(axis=1) < self.smallest_margin,
        )

    def views(self, texts: list[str]) -> tuple[csr_array, NDArray[np.float32]]:
        """Return each text as TF-IDF and as a sentence vector."""
        vectors = self.encoder.encode(texts, normalize_embeddings=True, show_progress_bar=False)
        return self.words.transform(texts), vectors


if __name__ == "__main__":
    packages = ", ".join(f"{name} {version(name)}" for name in ("scikit-learn", "sentence-transformers"))
    measure(FortyLines(), name="forty lines of scikit-learn", version=packages, paths=arguments().parse_args())
