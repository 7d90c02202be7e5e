"""Packages that come with an extra of this project."""

from importlib import import_module
from typing import Any

from oodretrieval.errors import ConfigurationError


def require_extra(package: str, extra: str, wanted_by: str = "this network") -> Any:
    """Import a package that comes with an extra of this project.

    Args:
        package: Name of the package.
        extra: Name of the extra in ``pyproject.toml``.
        wanted_by: What needs it; begins the message.

    Returns:
        The module.

    Raises:
        ConfigurationError: If it is not installed; names the command.
    """
    try:
        return import_module(package)
    except ImportError as error:
        raise ConfigurationError(
            f"{wanted_by} needs the package {package!r}, which cannot be imported ({error}); in the checkout run "
            f"`pip install -c constraints.txt -e '.[{extra}]'`"
        ) from error
