"""``vigil stream``: the workers' offsets, and skipping one message."""

from __future__ import annotations

from typing import Annotated

import typer

from vigil.service.errors import InputError
from vigil.service.settings import Settings

Service = Annotated[str, typer.Argument(help="detectors, explain, notify or store.")]


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    group = typer.Typer(help="Offsets of the workers on the topics.", no_args_is_help=True)
    app.add_typer(group, name="stream")
    group.command()(where)
    group.command()(skip)


def where(service: Service) -> None:
    """List a worker's next offset on each partition."""
    from kafka import TopicPartition

    from cli.stream.positions import find_offset_store, topics_of
    from vigil.kafka.clients import Publisher
    from vigil.streaming.skipping import CONNECT_TIMEOUT_SECONDS, WorkerPosition

    settings = Settings()
    topics, offset_store = topics_of(service), find_offset_store(service, settings)
    publisher = Publisher(settings, "stream", CONNECT_TIMEOUT_SECONDS)
    try:
        places = [TopicPartition(t, n) for t in topics for n in publisher.partitions(t)]
    finally:
        publisher.close()
    for place in places:
        at = WorkerPosition(settings, service, place, offset_store=offset_store).read()
        rest = "at the end" if at.message is None else f"next message {at.message}"
        typer.echo(f"{place.topic} {place.partition} {at.offset}  {rest}")


def skip(
    service: Service,
    topic: Annotated[str, typer.Argument(help="A topic that it reads.")],
    partition: Annotated[int, typer.Argument(min=0)],
    offset: Annotated[int, typer.Argument(min=0, help="Its next offset: `stream where`.")],
) -> None:
    """Skip the message at a worker's next offset.

    The message goes to the dead letters first, and can be sent again. This works while the worker
    is stopped, and while it crashes repeatedly.
    """
    from kafka import TopicPartition

    from cli.stream.positions import find_offset_store, topics_of
    from vigil.streaming.skipping import WorkerPosition

    settings, topics = Settings(), topics_of(service)
    if topic not in topics:
        raise InputError(
            f"{service} does not read {topic!r}.",
            code="input.not_there",
            field="TOPIC",
            how_to_fix=f"It reads {', '.join(topics)}.",
        )
    place = TopicPartition(topic, partition)
    offset_store = find_offset_store(service, settings)
    done = WorkerPosition(settings, service, place, offset_store=offset_store).skip(offset)
    kept = (
        "" if done.dead_letter.published else ", kept on this machine: `vigil deadletter publish`"
    )
    what = "" if done.readable else " (it could not be read: the dead letter has only its position)"
    typer.echo(f"message {done.next_offset - 1} of {topic}/{partition} is a dead letter{what}:")
    typer.echo(f"    {done.dead_letter.ident}{kept}")
    typer.echo(f"{service} continues at {done.next_offset}, by itself or when it is started")
