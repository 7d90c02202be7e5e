"""Packages that only some adapters need."""

from importlib import import_module
from typing import Any

from oodretrieval.errors import ConfigurationError


def require_extra(package: str, extra: str) -> Any:
    """Import a package that comes with an extra of this project.

    Args:
        package: Name of the package.
        extra: Name of the extra in ``pyproject.toml``.

    Returns:
        The module.

    Raises:
        ConfigurationError: If it is not installed; names the command.
    """
    try:
        return import_module(package)
    except ImportError as error:
        raise ConfigurationError(
            f"this network needs the package {package!r}, which cannot be imported ({error}); in the checkout run "
            f"`pip install -c constraints.txt -e '.[{extra}]'`"
        ) from error
