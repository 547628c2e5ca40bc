"""Methods: which parameters of a backbone train. One file a method."""

from collections.abc import Callable

from huiyi.train.tuning.methods.adalora import AdaLora, AdaLoraConfig
from huiyi.train.tuning.methods.adapters import Adapters, AdaptersConfig
from huiyi.train.tuning.methods.base import Method, ParameterTable, parameter_table
from huiyi.train.tuning.methods.full import Full, FullConfig
from huiyi.train.tuning.methods.head import Head, HeadConfig
from huiyi.train.tuning.methods.lora import Lora, LoraConfig
from huiyi.train.tuning.methods.prefix import Prefix, PrefixConfig

METHODS: dict[str, Callable[..., Method]] = {
    "head": Head,
    "full": Full,
    "lora": Lora,
    "adalora": AdaLora,
    "prefix": Prefix,
    "adapters": Adapters,
}
"""The methods by name. Each takes ``config``, a value of its own config class."""

__all__ = [
    "METHODS", "AdaLora", "AdaLoraConfig", "Adapters", "AdaptersConfig", "Full", "FullConfig", "Head", "HeadConfig",
    "Lora", "LoraConfig", "Method", "ParameterTable", "Prefix", "PrefixConfig", "parameter_table",
]  # fmt: skip
