"""Train: strategies, and the check of the data they would learn from."""

from huiyi.callables import callable_package
from huiyi.train.check import Check, check, check_json
from huiyi.train.check_terminal import check_table
from huiyi.train.config import Session, TrainConfig
from huiyi.train.fast import held_out_intents
from huiyi.train.findings import Finding
from huiyi.train.label_errors import LabelError, rank_label_errors
from huiyi.train.training import train

callable_package(__name__, train)

__all__ = [
    "Check",
    "Finding",
    "LabelError",
    "Session",
    "TrainConfig",
    "check",
    "check_json",
    "check_table",
    "held_out_intents",
    "rank_label_errors",
    "train",
]
