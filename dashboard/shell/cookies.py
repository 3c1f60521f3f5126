"""The flags of every cookie, decided in one place."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from fastapi.responses import Response

    from vigil.service.settings import Settings

SameSite = Literal["lax", "strict"]


def host_cookie(settings: Settings, name: str) -> str:
    """A cookie's name; over HTTPS with ``__Host-``, which binds it to this host (RFC 6265bis)."""
    return f"__Host-{name}" if settings.served_over_https else name


def set_cookie(
    response: Response,
    settings: Settings,
    *,
    name: str,
    value: str,
    same_site: SameSite,
    path: str = "/",
    max_age: int | None = None,
) -> None:
    """Set a cookie that no script can read.

    Args:
        max_age: seconds; None: until the browser is closed.
    """
    response.set_cookie(
        name,
        value,
        max_age=max_age,
        path=path,
        httponly=True,
        secure=settings.served_over_https,
        samesite=same_site,
    )


def delete_cookie(response: Response, settings: Settings, name: str) -> None:
    """Make the browser delete a cookie of path ``/``."""
    response.delete_cookie(
        name, path="/", secure=settings.served_over_https, httponly=True, samesite="lax"
    )
