"""Adds the patient's pages to the web process."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi.staticfiles import StaticFiles

from dashboard.phone import asking, enrolling, pushing, reading
from dashboard.phone.pages import STATIC
from dashboard.shell import time_zone_pages

if TYPE_CHECKING:
    from fastapi import FastAPI

    from dashboard.shell.context import WebContext


def install(api: FastAPI, context: WebContext) -> None:
    """Add everything under ``/phone``.

    Raises:
        SettingsError: the VAPID key is not valid.
    """
    api.include_router(time_zone_pages.routes(context.now))
    for part in (enrolling, reading, asking, pushing):
        api.include_router(part.routes(context))
    api.mount("/phone/static", StaticFiles(directory=STATIC), name="phone-static")
