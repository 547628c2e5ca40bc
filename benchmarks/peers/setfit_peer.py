"""SetFit: the encoder fine-tuned on pairs of texts, then a logistic regression over its vectors."""

from __future__ import annotations

from importlib.metadata import version
from tempfile import TemporaryDirectory

from datasets import Dataset
from measure import Answers, arguments, measure, minilm_folder
from setfit import SetFitModel, Trainer, TrainingArguments


class SetFit:
    """SetFit with its defaults, but for the length of its training."""

    def __init__(self, *, steps: int) -> None:
        self.steps = steps

    def fit(self, texts: list[str], labels: list[str]) -> None:
        """Fine-tune the encoder, then fit the head."""
        self.model = SetFitModel.from_pretrained(minilm_folder(), device="cpu")
        with TemporaryDirectory() as checkpoints:
            options = TrainingArguments(
                output_dir=checkpoints,
                batch_size=32,
                max_steps=self.steps,
                save_strategy="no",
                report_to="none",
                show_progress_bar=False,
            )
            rows = Dataset.from_dict({"text": texts, "label": labels})
            Trainer(model=self.model, args=options, train_dataset=rows).train()

    def answer(self, texts: list[str]) -> Answers:
        """Answer by the head's top probability; SetFit never declines."""
        probabilities = self.model.predict_proba(texts, as_numpy=True, show_progress_bar=False)
        return Answers(
            labels=self.model.model_head.classes_[probabilities.argmax(axis=1)],
            confidences=probabilities.max(axis=1),
            familiarity=probabilities.max(axis=1),
            is_declined=None,
        )


if __name__ == "__main__":
    parser = arguments()
    parser.add_argument("--steps", type=int, default=500, help="training steps at most, of 32 pairs each")
    chosen = parser.parse_args()
    measure(SetFit(steps=chosen.steps), name="SetFit", version=version("setfit"), paths=chosen)
