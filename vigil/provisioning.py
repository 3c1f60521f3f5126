"""Makes on a broker the topics that :mod:`vigil.topics` lists."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kafka.admin import NewTopic
from kafka.errors import InvalidReplicationFactorError, KafkaError, TopicAlreadyExistsError

from vigil import topics
from vigil.broker import open_admin, unavailable
from vigil.errors import SettingsError

if TYPE_CHECKING:
    from vigil.settings import Settings


def create_topics(settings: Settings) -> list[str]:
    """Create every topic that the broker lacks and return their names. Safe to repeat.

    A topic that is there already is left as it is, its partitions and settings too.

    Raises:
        UnavailableError: the broker does not answer within ``VIGIL_STARTUP_TIMEOUT_SECONDS``.
        SettingsError: the broker has not as many nodes as ``VIGIL_REPLICATION`` asks for.
    """
    created = []
    try:
        with open_admin(settings) as admin:
            existing = set(admin.list_topics())
            for topic in topics.TOPICS.values():
                if topic.name in existing:
                    continue
                new = NewTopic(
                    topic.name,
                    topic.partitions or settings.partitions,
                    settings.replication,
                    topic_configs=topic.config(),
                )
                try:
                    admin.create_topics([new])
                except TopicAlreadyExistsError:  # another process was quicker
                    continue
                created.append(topic.name)
    except InvalidReplicationFactorError as error:
        raise SettingsError(
            f"The broker cannot keep {settings.replication} copies of a topic.",
            code="settings.invalid",
            field="VIGIL_REPLICATION",
            mend="Ask for no more than there are brokers.",
        ) from error
    except KafkaError as error:
        raise unavailable(settings, type(error).__name__) from error
    return created
