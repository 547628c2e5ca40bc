"""Packages that are also functions.

``huiyi.train`` and ``huiyi.evaluate`` are packages, and the two things people
do with them. Python sets a package's attribute to the submodule as soon as it is
imported, so the function cannot stand there instead; but a module may be called.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any


def callable_package(name: str, function: Callable[..., Any]) -> None:
    """Make calling the imported package ``name`` call ``function``."""

    class Package(ModuleType):
        """A package whose call is its main function."""

        def __call__(self, *args: Any, **options: Any) -> Any:
            return function(*args, **options)

    Package.__call__.__doc__ = function.__doc__
    sys.modules[name].__class__ = Package
