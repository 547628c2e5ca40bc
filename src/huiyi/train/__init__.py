"""Train: strategies, and the check of the data they would learn from."""

from huiyi.callables import callable_package
from huiyi.train.fast import TrainConfig, held_out_intents, train

callable_package(__name__, train)

__all__ = ["TrainConfig", "held_out_intents", "train"]
