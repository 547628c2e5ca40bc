"""What a method of tuning is to the rest of Huiyi, and what most methods have in common.

A method is handed a backbone, makes of it a module that is called in the same
way, and marks with ``requires_grad`` what trains. Nothing here imports torch
before a backbone is there, so that the names of the methods can be told without it.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from huiyi.errors import ModelFolderError

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor
    from torch.nn import Module, Parameter


class Method(Protocol):
    """Says which parameters of a backbone train."""

    @property
    def learning_rate(self) -> float:
        """The step size that suits what trains."""
        ...

    def attach(self, backbone: Any, *, steps: int, rng: np.random.Generator) -> Module:
        """Make a module in which only what this method trains requires a gradient.

        Args:
            backbone: The module as it was loaded, without another method. It is changed
                in place and becomes part of what is returned; its weights
                keep their values.
            steps: How many steps the optimiser will take, at least 1.
            rng: What new parameters are drawn from.

        Returns:
            A module that is called as the backbone is.

        Raises:
            OptionError: The configuration cannot be used, or not with this
                architecture.
        """
        ...

    def after_step(self, module: Module, step: int) -> None:
        """Do what is due after a step of the optimiser, before its gradients are cleared.

        Args:
            module: What ``attach`` returned.
            step: The number of steps taken before this one.
        """
        ...

    def penalty(self, module: Module) -> Tensor:
        """What is added to the loss of a step, a number."""
        ...

    def merged(self, module: Module) -> Module:
        """A copy for serving, in evaluation mode, in which nothing trains. It gives the same outputs."""
        ...

    def difference(self, module: Module) -> dict[str, Tensor]:
        """What must be saved to get the module back on top of the same backbone."""
        ...

    def load_difference(self, module: Module, state: Mapping[str, Tensor]) -> None:
        """Take back what ``difference`` gave, into a module attached with the same configuration.

        Raises:
            ModelFolderError: The state is of another method, configuration or
                backbone.
        """
        ...


class Defaults:
    """What is so for most methods: steps need no care, and what trains is the difference."""

    def after_step(self, module: Module, step: int) -> None:
        """Nothing is due. See ``Method.after_step``."""

    def penalty(self, module: Module) -> Tensor:
        """Zero. See ``Method.penalty``."""
        return next(module.parameters()).new_zeros(())

    def merged(self, module: Module) -> Module:
        """The module itself, copied. See ``Method.merged``."""
        return copy.deepcopy(module).eval().requires_grad_(False)

    def difference(self, module: Module) -> dict[str, Tensor]:
        """Copies of the trained parameters. See ``Method.difference``."""
        return {name: trained.detach().cpu().clone() for name, trained in trained_parameters(module).items()}

    def load_difference(self, module: Module, state: Mapping[str, Tensor]) -> None:
        """Overwrite the trained parameters. See ``Method.load_difference``."""
        import torch

        trained = trained_parameters(module)
        expected = {name: tuple(parameter.shape) for name, parameter in trained.items()}
        given = {name: tuple(tensor.shape) for name, tensor in state.items()}
        if wrong := [name for name in expected | given if expected.get(name) != given.get(name)]:
            name = wrong[0]
            raise ModelFolderError(
                f"The saved difference does not fit: {name} is {_described(given.get(name))} there, but "
                f"{_described(expected.get(name))} in the model, and {len(wrong) - 1} others differ too. "
                "Use the backbone, the method and its options that it was trained with."
            )
        with torch.no_grad():
            for name, parameter in trained.items():
                parameter.copy_(state[name])


@dataclass(frozen=True)
class ParameterTable:
    """How much of a module trains.

    Attributes:
        trained: Number of parameters that train.
        total: Number of all parameters, those that a method added included.
        saved_bytes: Size of the difference that is saved.
    """

    trained: int
    total: int
    saved_bytes: int


def parameter_table(module: Module) -> ParameterTable:
    """Count the parameters of a module that a method was attached to."""
    trained = trained_parameters(module).values()
    return ParameterTable(
        trained=sum(parameter.numel() for parameter in trained),
        total=sum(parameter.numel() for parameter in module.parameters()),
        saved_bytes=sum(parameter.nbytes for parameter in trained),
    )


def trained_parameters(module: Module) -> dict[str, Parameter]:
    """The parameters that require a gradient, by name."""
    return {name: parameter for name, parameter in module.named_parameters() if parameter.requires_grad}


@contextmanager
def drawn_from(rng: np.random.Generator) -> Iterator[None]:
    """Let torch draw from ``rng``, and leave its own generator as it was.

    Only the generator of the processor is touched: new parameters are drawn
    there and then moved, so they do not depend on the device.
    """
    import torch

    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(int(rng.integers(2**63)))
        yield


def _described(shape: tuple[int, ...] | None) -> str:
    return "missing" if shape is None else f"of shape {shape}"
