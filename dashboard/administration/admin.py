"""``/board/admin``: who is enrolled, which devices send, who may sign in, what was refused, and the
alarm burden of each ward.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from fastapi import APIRouter
from fastapi.responses import Response

from dashboard.auth.guard import administrators_only, database_unavailable
from dashboard.auth.session_lookup import SESSION
from dashboard.shell.templating import render_page
from store.episodes import burden
from store.people import roster
from vigil.contracts import topics
from vigil.kafka.clients import open_consumer
from vigil.service.errors import UnavailableError

if TYPE_CHECKING:
    from dashboard.shell.context import WebContext
    from vigil.service.settings import Settings


def count_dead_letters(settings: Settings) -> int:
    """The number of messages on the dead-letter topic; blocks.

    Raises:
        UnavailableError: the broker does not answer.
    """
    from kafka import TopicPartition  # noqa: PLC0415  (imported late, as everywhere)
    from kafka.errors import KafkaError  # noqa: PLC0415

    consumer = open_consumer(settings, None, connect_timeout_seconds=0)
    try:
        numbers = consumer.partitions_for_topic(topics.DEAD_LETTERS.name) or ()
        partitions = [TopicPartition(topics.DEAD_LETTERS.name, number) for number in numbers]
        begins, ends = consumer.beginning_offsets(partitions), consumer.end_offsets(partitions)
        return sum(ends[each] - begins[each] for each in partitions)
    except KafkaError as error:
        raise UnavailableError(
            "The broker did not return the offsets.",
            code="unavailable.broker",
            how_to_fix="Try again.",
        ) from error
    finally:
        consumer.close()


async def _dead_letters(settings: Settings) -> int | None:
    try:
        async with asyncio.timeout(5):
            return await asyncio.to_thread(count_dead_letters, settings)
    except (UnavailableError, TimeoutError):
        return None


def routes(context: WebContext) -> APIRouter:
    """The routes of the administrators' page."""
    router = APIRouter(include_in_schema=False)
    demo = context.settings.demo

    @router.get("/board/admin")
    async def show_admin() -> Response:
        session = SESSION.get()
        if session.role != "admin":
            return administrators_only(demo)
        try:
            async with context.database() as connection:
                patients = await roster.patient_lines(connection)
                devices = await roster.device_lines(connection)
                users = await roster.user_lines(connection)
                wards = await burden.by_ward(connection)
        except UnavailableError:
            return database_unavailable(demo)
        dead = await _dead_letters(context.settings)
        return render_page(
            "administration/admin.html",
            demo=demo,
            session=session,
            here="admin",
            now=context.clock(),
            patients=patients,
            devices=devices,
            users=users,
            dead_letters=dead,
            wards=wards,
            days=burden.DAYS,
        )

    return router
