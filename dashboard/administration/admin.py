"""``/board/admin``: who is enrolled, which devices send, who may sign in, what was refused, and how
many alarms each ward has to bear.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from fastapi import APIRouter
from fastapi.responses import Response

from dashboard.auth.door import SESSION
from dashboard.auth.guard import administrators_only, database_away
from dashboard.shell.templating import page
from store.episodes import burden
from store.people import roster
from vigil.contracts import topics
from vigil.kafka.clients import open_consumer
from vigil.service.errors import UnavailableError

if TYPE_CHECKING:
    from dashboard.shell.context import WebContext
    from vigil.service.settings import Settings


def count_dead_letters(settings: Settings) -> int:
    """How many messages wait on the dead-letter topic; blocks.

    Raises:
        UnavailableError: the broker does not answer.
    """
    from kafka import TopicPartition  # noqa: PLC0415  (late: as everything of Kafka's is)
    from kafka.errors import KafkaError  # noqa: PLC0415

    consumer = open_consumer(settings, None, patience=0)
    try:
        numbers = consumer.partitions_for_topic(topics.DEADLETTER.name) or ()
        places = [TopicPartition(topics.DEADLETTER.name, number) for number in numbers]
        begins, ends = consumer.beginning_offsets(places), consumer.end_offsets(places)
        return sum(ends[place] - begins[place] for place in places)
    except KafkaError as error:
        raise UnavailableError(
            "The broker did not say.", code="unavailable.broker", how_to_fix="Try again."
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
    """The administrators' page."""
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
            return database_away(demo)
        dead = await _dead_letters(context.settings)
        return page(
            "admin.html",
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
