"""Alerts, actions and patients as plain values, and the way into the database for them."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from store.database.connections import Connection
from store.notifications import subscriptions
from store.notifications.deliveries import Delivery, PlannedDelivery
from vigil.domain import ids
from vigil.domain.action import Action
from vigil.domain.alert import Alert, Provenance, Text

NOW = datetime(2026, 11, 21, 6, 12, tzinfo=UTC)
ONSET = datetime(2026, 11, 21, 6, 2, tzinfo=UTC)


def alert(patient_id: str = "p1", kind: str = "heart_rate_high", **changes: Any) -> Alert:
    """An alert at its opening, medium priority, unless changed."""
    onset = changes.pop("onset", ONSET)
    episode_id = ids.episode_id(patient_id, kind, onset)
    sequence = changes.get("sequence", 0)
    base = Alert(
        alert_id=ids.alert_id(episode_id),
        episode_id=episode_id,
        patient_id=patient_id,
        revision=2 * sequence,
        sequence=sequence,
        kind=kind,
        category="clinical",
        phase="opened",
        priority="medium",
        retrospective=False,
        time=NOW,
        onset=onset,
        texts={
            "care_team": {"en": Text("Heart rate high: 118", "SECRET care team", "Assess.")},
            "patient": {"en": Text("Your heart rate is high.", "It is 118.", "Sit and rest.")},
        },
        slots={},
        provenance={
            "care_team": Provenance("template", "t1"),
            "patient": Provenance("template", "t1"),
        },
    )
    return msgspec.structs.replace(base, **({"event_id": ""} | changes))


def action(verb: str, of: Alert | None = None, **changes: Any) -> Action:
    """What somebody did about an alert."""
    about = of or alert()
    base = Action(
        action_id=ids.derive("action", verb, about.episode_id, str(changes)),
        episode_id=about.episode_id,
        patient_id=about.patient_id,
        actor="patient" if verb in {"ok", "need_help"} else "nurse",
        verb=verb,  # type: ignore[arg-type]
        time=NOW,
    )
    return msgspec.structs.replace(base, **({"event_id": ""} | changes))


def planned(**changes: Any) -> PlannedDelivery:
    """A delivery to plan."""
    base = PlannedDelivery(
        cause="alert:0",
        alert_id=ids.derive("alert"),
        episode_id="event",
        patient_id="p1",
        sequence=0,
        channel="on_call",
        recipient="oncall-1",
        priority="medium",
        kind="heart_rate_high",
        reason="opened",
        made_at=NOW,
        expires_at=NOW + timedelta(hours=2),
        synthetic=False,
        happened_at=NOW,
    )
    return replace(base, **changes)


def delivery(**changes: Any) -> Delivery:
    """A claimed delivery."""
    values: dict[str, Any] = {
        "delivery_id": ids.derive("delivery"),
        "alert_id": ids.derive("alert"),
        "episode_id": ids.derive("event"),
        "patient_id": "p1",
        "recipient": "nobody",
        "priority": "medium",
        "kind": "heart_rate_high",
        "reason": "opened",
        "made_at": NOW,
        "expires_at": NOW + timedelta(hours=2),
        "happened_at": NOW,
        "time_uncertain": False,
        "attempts": 1,
        "synthetic": False,
        "ward": "A",
        "locale": "en",
        "endpoint": None,
        "p256dh": None,
        "auth": None,
    }
    return Delivery(**{**values, **changes})


def enrol(
    connection: Connection,
    patient_id: str = "p1",
    subscription: dict[str, Any] | None = None,
    *,
    synthetic: bool = False,
) -> str:
    """A patient with a phone, subscribed where a subscription is given; returns the phone's id."""
    connection.execute(
        "INSERT INTO patients (patient_id, ward, synthetic) VALUES (%s, 'A', %s)"
        " ON CONFLICT DO NOTHING",
        (patient_id, synthetic),
    )
    count = connection.execute("SELECT count(*) AS n FROM phones").fetchone()
    assert count is not None
    phone_id = f"phone-{count['n']}"
    connection.execute(
        "INSERT INTO phones (phone_id, token_sha256, patient_id) VALUES (%s, %s, %s)",
        (phone_id, phone_id, patient_id),
    )
    if subscription is not None:
        connection.execute(
            "INSERT INTO push_subscriptions (subscription_id, phone_id, endpoint, p256dh, auth)"
            " VALUES (%s, %s, %s, %s, %s)",
            (
                ids.derive("subscription", subscription["endpoint"]),
                phone_id,
                subscription["endpoint"],
                subscription["keys"]["p256dh"],
                subscription["keys"]["auth"],
            ),
        )
        assert subscriptions.live_subscriptions(connection, [patient_id])
    return phone_id


def log_of(connection: Connection) -> list[dict[str, Any]]:
    """Every delivery, oldest first."""
    return connection.execute(
        "SELECT * FROM deliveries ORDER BY created_at, delivery_id"
    ).fetchall()
