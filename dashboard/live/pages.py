"""``/board/`` and ``/board/patient/…``: complete pages, which then update themselves."""

from __future__ import annotations

from hmac import compare_digest
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Form, Request
from fastapi.responses import JSONResponse, Response

from dashboard.auth.guard import PROBE_PATH, database_unavailable
from dashboard.auth.session_lookup import SESSION
from dashboard.board import head
from dashboard.handover.pages import SummaryPages
from dashboard.live import stream as live
from dashboard.patient import phone_link
from dashboard.patient.question_pages import QuestionPages
from dashboard.patient.reading_pages import ReadingPages
from dashboard.patient.trend import DEFAULT_SPAN, SPANS
from dashboard.shell.templating import render_page
from store.episodes import board
from vigil.service.errors import UnavailableError

if TYPE_CHECKING:
    from dashboard.live.views import Views
    from dashboard.shell.context import WebContext
    from dashboard.shell.dash_shell import DashShell


def page_not_found(demo: bool, what: str) -> Response:
    """The page for an address without a page."""
    return render_page(
        "shell/message.html",
        404,
        demo=demo,
        heading=what,
        lines=["The link may be old."],
        link="/board/",
        link_text="Back to the board",
        again_in=0,
        severe=False,
    )


class BoardPages:
    """The pages of the care team."""

    def __init__(self, context: WebContext, views: Views, shell: DashShell):
        self._context, self._views, self._shell = context, views, shell
        self._demo = context.settings.demo

    def router(self) -> APIRouter:
        """Their routes."""
        router = APIRouter(include_in_schema=False)
        router.add_api_route("/board/", self.show_board, methods=["GET"])
        router.add_api_route("/board/patient/{patient_id}", self.show_patient, methods=["GET"])
        router.add_api_route("/board/patient/{patient_id}/phone", self.link_phone, methods=["POST"])
        router.add_api_route(PROBE_PATH, self.probe, methods=["GET"])
        router.include_router(SummaryPages(self._context).router())
        router.include_router(QuestionPages(self._context).router())
        router.include_router(ReadingPages(self._context).router())
        return router

    async def show_board(self, request: Request, ward: str = "") -> Response:
        """The ward, as it is now."""
        try:
            content = await self._views.board(ward)
            names = head.ward_names(await self._views.wards.read())
        except UnavailableError:
            return database_unavailable(self._demo)
        return self._shell.page(
            request,
            "board/board.html",
            **self._common("board"),
            rows=content.fragments,
            head=content.head,
            version=self._views.versions.remember(content.fragments, content.head).version,
            wards=names,
            ward=ward,
        )

    async def show_patient(self, request: Request, patient_id: str) -> Response:
        """One patient."""
        try:
            who = await self._who(patient_id)
            if who is None:
                return page_not_found(self._demo, "There is no such patient")
            content = await self._views.patient(patient_id)
        except UnavailableError:
            return database_unavailable(self._demo)
        return self._shell.page(
            request,
            "patient/patient.html",
            **self._common("patient"),
            rows=content.fragments,
            head=content.head,
            version=self._views.versions.remember(content.fragments, content.head).version,
            patient_id=patient_id,
            name=who.display_name or patient_id,
            spans=SPANS,
            default_span=DEFAULT_SPAN,
            at_most=board.AT_MOST,
        )

    async def link_phone(self, patient_id: str, csrf: Annotated[str, Form()] = "") -> Response:
        """Create a link for the patient's phone; it is shown once."""
        session = SESSION.get()
        if not compare_digest(session.csrf.encode(), csrf.encode()):
            return page_not_found(self._demo, "This page is from an earlier sign-in")
        try:
            who = await self._who(patient_id)
            if who is None or not who.active:
                return page_not_found(self._demo, "There is no such patient")
            link = await phone_link.create_link(self._context, patient_id, session.user_id)
        except UnavailableError:
            return database_unavailable(self._demo)
        return render_page("patient/phone_link.html", **self._common("patient"), who=who, link=link)

    async def probe(self) -> Response:
        """For a page that receives nothing: confirms that it is signed in."""
        return JSONResponse({"status": "signed in"})

    def _common(self, here: str) -> dict[str, Any]:
        now = self._context.clock()
        return {
            "demo": self._demo,
            "session": SESSION.get(),
            "now": now,
            "here": here,
            "pulse": live.PULSE_SECONDS,
        }

    async def _who(self, patient_id: str) -> board.Patient | None:
        async with self._context.database() as connection:
            return await board.patient(connection, patient_id)
