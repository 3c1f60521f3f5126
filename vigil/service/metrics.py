"""Counters and gauges of one process, in the Prometheus text format.

The table names every metric of Vigil, so that a counter exists, at 0, from the start of each
process that has it: an alerting rule such as ``increase(vigil_dead_letters_total[5m]) > 0`` then
also sees the first one. A gauge appears once it is known. The names are an interface: add, never
rename.

Each process has a registry of its own (:class:`Metrics`), never the library's global one.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from prometheus_client import (
    CONTENT_TYPE_PLAIN_0_0_4,
    CollectorRegistry,
    Counter,
    Gauge,
    disable_created_metrics,
    generate_latest,
)

CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4
"""Of :meth:`Metrics.text`."""
LABELS = ("service",)
STREAM = frozenset({"detectors", "explain", "notify", "store"})
"""The services that consume topics."""

disable_created_metrics()  # type: ignore[no-untyped-call]  # no second series for each counter


@dataclass(frozen=True, slots=True)
class Metric:
    """One counter or gauge."""

    name: str
    """Without the prefix ``vigil_`` and, of a counter, the suffix ``_total``."""
    kind: Literal["counter", "gauge"]
    help: str
    services: frozenset[str]
    """Where it exists from the start, if it is a counter."""


def _counters(services: Iterable[str], **helps: str) -> Iterable[Metric]:
    return [
        Metric(name, kind="counter", help=text, services=frozenset(services))
        for name, text in helps.items()
    ]


def _gauges(services: Iterable[str], **helps: str) -> Iterable[Metric]:
    return [
        Metric(name, kind="gauge", help=text, services=frozenset(services))
        for name, text in helps.items()
    ]


_ROWS = (
    *_gauges(
        STREAM | {"ingest"},
        ready="1 when the process can work.",
        seconds_since_beat="Seconds since its loop last turned; 0 before the first turn.",
    ),
    *_gauges(
        STREAM,
        partitions="Partitions that this process works on.",
        stuck_partitions="Partitions with messages waiting that do not advance.",
        lag_messages="Committed messages on its partitions that are not handled yet.",
        lag_seconds="Age of the oldest of them by the broker's timestamp; 0 when none waits.",
        failed_in_a_row="Messages in a row on which the service's own code failed.",
        dead_letters_local="Dead letters kept on this machine.",
    ),
    *_counters(
        STREAM,
        messages="Messages handled.",
        messages_failed="Messages on which the service's own code failed.",
        messages_missed="Messages that the log deleted before this worker read them.",
        messages_read_again="Messages read again because the database is older than the log.",
        dead_letters="Messages set aside as dead letters.",
        dead_letters_kept="Dead letters kept on this machine so far.",
        dead_letters_lost="Dead letters for which there was no room on this machine.",
        times_ahead="Messages whose time was later than the broker's timestamp.",
        after_failures="Calls after a batch that failed.",
        stuck="Times that an offset had failed five times.",
    ),
    *_counters(
        {"detectors"},
        readings="Readings judged.",
        events="Events published.",
        states_saved="Patients' states saved.",
        states_set_aside="Patients' states that could not be read.",
        unknown_signals="Values whose signal the signals table lacks.",
    ),
    *_gauges(
        {"detectors"},
        patients="Patients in memory.",
        detection_compiled="1: detection runs compiled; 0: as Python.",
    ),
    *_counters(
        {"explain"},
        alerts="Alerts published.",
        phrases_hit="Texts in the words of a phrase.",
        phrases_missed="Texts in the words of the tables.",
        phrases_refused="Phrases on the topic that the verifier refuses.",
        phrasebook_damaged="Starts without the phrasebook because its file was damaged.",
        rewordings_asked="Sentences that the language model was asked for.",
        rewordings_dropped="Alerts dropped from the full queue of the language model.",
        rewordings_failed="Rewordings that failed by a fault of Vigil's own.",
        rewordings_late="Alerts that waited past the deadline of the language model.",
        rewordings_published="Alerts revised with a sentence of the language model.",
        rewordings_refused="Signatures that the language model could not write for.",
        rewordings_same="Sentences that are the tables' own.",
        rewordings_unsent="Revisions that the broker did not take.",
    ),
    *_gauges(
        {"explain"},
        phrases_held="Phrases in memory.",
        model_ready="1 when the language model answers.",
    ),
    *_counters({"explain", "store"}, phrases_published="Phrases published."),
    *_counters(
        {"notify"},
        deliveries_planned="Deliveries planned.",
        deliveries_sent="Attempts that the channel took.",
        deliveries_retry="Attempts to be repeated.",
        deliveries_failed="Deliveries that failed for good.",
        deliveries_dropped="Deliveries that were of no use any more.",
        pages_without_recipient="Pages that nobody could be found for.",
    ),
    *_gauges(
        {"notify"},
        deliveries_pending="Deliveries waiting.",
        deliveries_oldest_seconds="Seconds since the oldest of them was planned.",
    ),
    *_counters(
        {"store"},
        readings_stored="Readings stored.",
        events_stored="Events stored.",
        alerts_stored="Alerts stored.",
        actions_stored="Actions stored.",
        phrases_stored="Phrases stored.",
        service_status_stored="Statuses of processes stored.",
        readings_deleted="Readings deleted past their retention.",
        directory_entries_published="Patients and devices published to the directory's topic.",
    ),
    *_gauges(
        {"ingest"},
        directory_log="Checksum that names the log of the directory.",
        directory_offset="Offset up to which the directory was read.",
    ),
)
METRICS: MappingProxyType[str, Metric] = MappingProxyType({row.name: row for row in _ROWS})
"""Name → metric."""
FAMILIES: MappingProxyType[str, str] = MappingProxyType(
    {
        "rewordings_refused_": "Sentences that the verifier refused for this reason.",
        "model_": "Times that the language model was unavailable for this reason.",
    }
)
"""Prefix → help, of counters that end in a reason code; see :meth:`Metrics.declare`."""


SCRAPED = frozenset({"ready", "seconds_since_beat"})
"""Gauges that only the text has: a status has fields of its own for them."""


def find(name: str, kind: Literal["counter", "gauge"]) -> Metric:
    """The metric of a name.

    Raises:
        ValueError: there is none of that name and kind: a slip of ours.
    """
    metric = METRICS.get(name)
    if metric is None and kind == "counter":
        helps = (text for prefix, text in FAMILIES.items() if name.startswith(prefix))
        if (text := next(helps, None)) is not None:
            return Metric(name, kind=kind, help=text, services=frozenset())
    if metric is None or metric.kind != kind:
        raise ValueError(f"{name!r} is not a known {kind}")
    return metric


class Metrics:
    """One process's counters and gauges. Any thread may write and read.

    Args:
        service: the label ``service`` of every metric; its counters begin at 0.
    """

    def __init__(self, service: str):
        self._service = service
        self._registry = CollectorRegistry()
        self._lock = threading.Lock()
        self._counters: dict[str, Counter] = {}
        self._gauges: dict[str, Gauge] = {}
        self.declare(
            metric.name
            for metric in METRICS.values()
            if metric.kind == "counter" and service in metric.services
        )

    def declare(self, names: Iterable[str]) -> None:
        """Let counters exist from now on, at 0."""
        for name in names:
            self._counter(name)

    def count(self, name: str, by: int = 1) -> None:
        """Add to a counter."""
        self._counter(name).inc(by)

    def gauge(self, name: str, value: float) -> None:
        """Set a gauge."""
        self._gauge(name).set(value)

    def counters(self) -> dict[str, int]:
        """Every counter that has counted anything."""
        with self._lock:
            known = list(self._counters.items())
        values = {name: int(_value(counter)) for name, counter in known}
        return {name: value for name, value in values.items() if value}

    def gauges(self) -> dict[str, float]:
        """Every gauge that was set by :meth:`gauge`."""
        with self._lock:
            known = [item for item in self._gauges.items() if item[0] not in SCRAPED]
        return {name: _value(gauge) for name, gauge in known}

    def text(self, *, ready: bool, seconds_since_beat: float) -> str:
        """The Prometheus text format, with the two gauges that are computed for each answer."""
        self.gauge("ready", ready)
        self.gauge("seconds_since_beat", round(seconds_since_beat, 1))
        return generate_latest(self._registry).decode()

    def _counter(self, name: str) -> Counter:
        with self._lock:
            counter = self._counters.get(name)
            if counter is None:
                text = find(name, "counter").help
                made = Counter(f"vigil_{name}", text, LABELS, registry=self._registry)
                counter = self._counters[name] = made.labels(self._service)
            return counter

    def _gauge(self, name: str) -> Gauge:
        with self._lock:
            gauge = self._gauges.get(name)
            if gauge is None:
                text = find(name, "gauge").help
                made = Gauge(f"vigil_{name}", text, LABELS, registry=self._registry)
                gauge = self._gauges[name] = made.labels(self._service)
            return gauge


def _value(metric: Counter | Gauge) -> float:
    [found] = metric.collect()
    return found.samples[0].value
