"""``/board/patient/…/readings``: a patient's readings, and withdrawing some of them.

Works without a script. What is withdrawn is chosen on the list, checked on a page that shows what
rests on it, and only then published. A withdrawn reading stays on the list, struck through, with
who withdrew it, when and why.
"""

from __future__ import annotations

import asyncio
import time as clocks
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from hmac import compare_digest
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import quote, urlencode

from fastapi import APIRouter, Form
from fastapi.responses import RedirectResponse, Response

from dashboard.auth.guard import database_unavailable
from dashboard.auth.session_lookup import SESSION
from dashboard.shell.templating import render_page
from store.episodes import board
from store.readings import listing, withdrawing
from store.readings.listing import ListedReading
from vigil.contracts.wire import to_message
from vigil.domain import figures
from vigil.domain.kinds import KINDS
from vigil.domain.reading import WITHDRAWAL_LABELS, Measurement, Withdrawal
from vigil.domain.signals import SIGNALS
from vigil.service.errors import InputError, UnavailableError
from vigil.values import timestamps

if TYPE_CHECKING:
    from dashboard.shell.context import WebContext

PATH = "/board/patient/{patient_id}/readings"
CHECK = PATH + "/check"
WITHDRAW = PATH + "/withdraw"
CONFIRM_SECONDS = 3.0
"""How long the list waits for the database to have a withdrawal that was just published."""


@dataclass(frozen=True, slots=True)
class Line:
    """A reading as the pages show it."""

    key: str
    """What a form sends of it: its time and its id."""
    time: datetime
    device_id: str
    values: str
    reading: ListedReading | None = None


def line_of(reading: ListedReading) -> Line:
    """A row of the list."""
    key = _key(reading.time, reading.reading_id)
    return Line(key, reading.time, reading.device_id, _values(reading.values), reading)


class ReadingPages:
    """The pages of a patient's readings."""

    def __init__(self, context: WebContext):
        self._context = context
        self._demo = context.settings.demo

    def router(self) -> APIRouter:
        """Their routes."""
        router = APIRouter(include_in_schema=False)
        router.add_api_route(PATH, self.show, methods=["GET"])
        router.add_api_route(CHECK, self.check, methods=["POST"])
        router.add_api_route(WITHDRAW, self.withdraw, methods=["POST"])
        return router

    async def show(
        self, patient_id: str, device: str = "", until: str = "", done: str = "", of: str = ""
    ) -> Response:
        """The newest readings up to a time, of one device or of all.

        Args:
            done: how many readings were just withdrawn.
            of: by which withdrawal; what is shown waits a moment for it.
        """
        end = _time(until)
        try:
            recorded = not of or await self._is_recorded(of)
            async with self._context.database() as connection:
                who = await board.patient(connection, patient_id)
                if who is None:
                    return self._message(404, "There is no such patient", "The link may be old.")
                found = await listing.newest_readings(
                    connection, patient_id, device_id=device or None, until=end
                )
        except UnavailableError:
            return database_unavailable(self._demo)
        return self._page(
            "patient/readings.html",
            who,
            lines=[line_of(one) for one in found],
            device=device,
            devices=sorted({one.device_id for one in found if one.device_id}),
            older=self._older(patient_id, device, found),
            reasons=WITHDRAWAL_LABELS,
            done=done if done.isdecimal() and len(done) < 6 else "",
            recorded=recorded,
            again=f"{_address(patient_id)}?{urlencode({'done': done, 'of': of})}",
        )

    async def _is_recorded(self, withdrawal_id: str) -> bool:
        """Whether the database has a withdrawal, within a moment."""
        deadline = clocks.monotonic() + CONFIRM_SECONDS
        while True:
            async with self._context.database() as connection:
                if await withdrawing.is_recorded(connection, withdrawal_id):
                    return True
            if clocks.monotonic() >= deadline:
                return False
            await asyncio.sleep(0.1)

    async def check(
        self,
        patient_id: str,
        csrf: Annotated[str, Form()] = "",
        reading: Annotated[list[str] | None, Form()] = None,
        shown: Annotated[list[str] | None, Form()] = None,
        everything: Annotated[str, Form()] = "",
        reason: Annotated[str, Form()] = "",
        comment: Annotated[str, Form()] = "",
    ) -> Response:
        """Show what is about to be withdrawn, and what rests on it."""
        keys = (shown if everything else reading) or []
        prepared = await self._prepare(patient_id, csrf, keys, reason=reason, comment=comment)
        if isinstance(prepared, Response):
            return prepared
        message, who = prepared
        return self._page(
            "patient/withdraw.html",
            who,
            message=message,
            label=WITHDRAWAL_LABELS[message.reason],
            lines=[_line(one) for one in message.readings],
            episodes=[
                (KINDS[one.kind].label, one) for one in message.episodes if one.kind in KINDS
            ],
        )

    async def withdraw(
        self,
        patient_id: str,
        csrf: Annotated[str, Form()] = "",
        reading: Annotated[list[str] | None, Form()] = None,
        reason: Annotated[str, Form()] = "",
        comment: Annotated[str, Form()] = "",
    ) -> Response:
        """Publish the withdrawal, and go back to the list."""
        prepared = await self._prepare(
            patient_id, csrf, reading or [], reason=reason, comment=comment
        )
        if isinstance(prepared, Response):
            return prepared
        message, _ = prepared
        try:
            await self._context.publish([to_message(message, "dashboard")])
        except UnavailableError:
            return self._message(
                503,
                "Nothing was withdrawn",
                "The message system does not answer. Try again in a moment.",
                patient_id,
            )
        done = urlencode({"done": len(message.readings), "of": message.withdrawal_id})
        return RedirectResponse(f"{_address(patient_id)}?{done}", 303)

    async def _prepare(
        self, patient_id: str, csrf: str, keys: Sequence[str], *, reason: str, comment: str
    ) -> tuple[Withdrawal, board.Patient] | Response:
        """The withdrawal that a form asks for, or the page that says why there is none."""
        session = SESSION.get()
        if not compare_digest(session.csrf.encode(), csrf.encode()):
            return self._message(403, "This page is from an earlier sign-in", "Reload it.")
        named = [row for row in (_parts(key) for key in keys) if row is not None]
        chosen = withdrawing.Chosen(
            patient_id,
            reading_ids=tuple(dict.fromkeys(name for _, name in named)),
            since=min((time for time, _ in named), default=None),
            until=max((time for time, _ in named), default=None),
        )
        cause = withdrawing.Cause(reason, session.user_id, comment.strip())  # type: ignore[arg-type]  # checked there
        try:
            async with self._context.database() as connection:
                who = await board.patient(connection, patient_id)
                if who is None:
                    return self._message(404, "There is no such patient", "The link may be old.")
                now = self._context.clock()
                return await withdrawing.prepare(connection, chosen, cause, now), who
        except InputError as error:
            lines = f"{error.message} {error.how_to_fix}"
            return self._message(422, "These readings cannot be withdrawn", lines, patient_id)
        except UnavailableError:
            return database_unavailable(self._demo)

    def _page(self, template: str, who: board.Patient, **values: Any) -> Response:
        return render_page(
            template, demo=self._demo, session=SESSION.get(), here="patient", who=who, **values
        )

    def _message(self, status: int, heading: str, line: str, patient_id: str = "") -> Response:
        return render_page(
            "shell/message.html",
            status,
            demo=self._demo,
            heading=heading,
            lines=[line],
            link=_address(patient_id) if patient_id else "/board/",
            link_text="Back to the readings" if patient_id else "Back to the board",
            again_in=0,
            severe=False,
        )

    def _older(self, patient_id: str, device: str, found: Sequence[ListedReading]) -> str:
        """The address of the page before; empty: there is none."""
        if len(found) < listing.AT_MOST:
            return ""
        values = {"until": found[-1].time.isoformat(), **({"device": device} if device else {})}
        return f"{_address(patient_id)}?{urlencode(values)}"


def _address(patient_id: str) -> str:
    return f"/board/patient/{quote(patient_id, safe='')}/readings"


def _time(text: str) -> datetime | None:
    with suppress(timestamps.NotATimeError):
        return timestamps.parse(text)
    return None


def _key(time: datetime, reading_id: str) -> str:
    return f"{time.isoformat()} {reading_id}"


def _parts(key: str) -> tuple[datetime, str] | None:
    time, _, reading_id = key.partition(" ")
    moment = _time(time)
    return None if moment is None or not reading_id else (moment, reading_id)


def _values(values: dict[str, float]) -> str:
    """Figures with their units; a pressure as a pair."""
    rest, found = dict(values), list[str]()
    if "systolic" in rest:
        pair = [
            figures.text(name, rest.pop(name)) for name in ("systolic", "diastolic") if name in rest
        ]
        found.append(f"{'/'.join(pair)} mmHg")
    for name, value in rest.items():
        signal = SIGNALS[name]
        found.append(f"{signal.label} {figures.text(name, value)} {signal.unit_label}")
    return ", ".join(found)


def _line(one: Measurement) -> Line:
    return Line(_key(one.time, one.reading_id), one.time, "", _values(one.values))
