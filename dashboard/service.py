"""The care team's board and the patient's page, as a part of the web process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING

from fastapi.responses import RedirectResponse, Response
from fastapi.staticfiles import StaticFiles

from dashboard.phone.routes import install as install_phone
from dashboard.shell.context import WebContext
from dashboard.shell.templating import STATIC
from store.database.connections import async_pool
from store.episodes.feed import BoardFeed

if TYPE_CHECKING:
    from fastapi import FastAPI

    from vigil.service.settings import Settings


class Dashboard:
    """A :class:`~vigil.composition.stage.WebPart`."""

    name = "dashboard"

    def __init__(self, settings: Settings):
        self.context = WebContext(
            settings=settings, pool=async_pool(settings), feed=BoardFeed(settings)
        )
        self._tasks: list[asyncio.Task[None]] = []

    def install(self, api: FastAPI) -> None:
        """Add the pages, Dash, and the guard around everything under ``/board/``."""
        from dashboard import refusals  # noqa: PLC0415
        from dashboard.administration import admin, system  # noqa: PLC0415
        from dashboard.auth import login_pages  # noqa: PLC0415
        from dashboard.auth.guard import Guard  # noqa: PLC0415
        from dashboard.auth.session_lookup import SessionLookup  # noqa: PLC0415
        from dashboard.live import callbacks  # noqa: PLC0415
        from dashboard.live.pages import BoardPages  # noqa: PLC0415
        from dashboard.live.views import Views  # noqa: PLC0415
        from dashboard.patient import actions  # noqa: PLC0415
        from dashboard.phrase_review.pages import PhrasePages  # noqa: PLC0415
        from dashboard.shell import state_pages  # noqa: PLC0415
        from dashboard.shell.dash_shell import DashShell  # noqa: PLC0415

        context, sessions = self.context, SessionLookup(self.context)
        views = Views(context)
        api.mount("/static", StaticFiles(directory=STATIC), name="static")
        api.include_router(login_pages.routes(context, sessions))
        api.include_router(state_pages.routes(context))
        api.include_router(actions.routes(context))
        api.include_router(admin.routes(context))
        api.include_router(system.routes(context))
        api.include_router(PhrasePages(context).router())

        @api.get("/", include_in_schema=False)
        async def home() -> Response:
            return RedirectResponse("/board/", 303)

        @api.get("/board", include_in_schema=False)
        async def without_slash() -> Response:
            return RedirectResponse("/board/", 308)

        frame = DashShell()
        api.include_router(BoardPages(context, views, frame).router())
        frame.mount(api, lambda app: callbacks.register(app, context, views))
        install_phone(api, context)
        api.state.refusal_page = refusals.refusal_pages(context.settings)
        api.add_middleware(Guard, context=context, sessions=sessions)

    @asynccontextmanager
    async def lifespan(self) -> AsyncIterator[None]:
        """Open the pool, listen for changes, connect to the broker; none waits for another."""
        context = self.context
        await context.pool.open(wait=False)
        try:
            async with context.publisher.opened(), self._background_tasks():
                yield
        finally:
            await context.pool.close()

    @asynccontextmanager
    async def _background_tasks(self) -> AsyncIterator[None]:
        context = self.context
        tasks = [
            asyncio.create_task(context.feed.run(), name="board-feed"),
            asyncio.create_task(context.monitor.run(context.publisher), name="monitor"),
        ]
        self._tasks = tasks
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            for task in tasks:
                with suppress(asyncio.CancelledError):
                    await task

    def trouble(self) -> Mapping[str, str]:
        """Database and broker where they do not answer, and background tasks that failed."""
        trouble = {
            f"beside.{task.get_name()}": "This part of the process has ended; restart the process."
            for task in self._tasks
            if task.done() and not task.cancelled() and task.exception() is not None
        }
        if not self.context.feed.listening:
            trouble["unavailable.database"] = "The database does not answer."
        if self.context.publisher.trouble is not None:
            trouble["unavailable.broker"] = "The Kafka broker does not answer."
        return trouble


def build(settings: Settings) -> Dashboard:
    """Build the dashboard; opens no connection yet."""
    return Dashboard(settings)
