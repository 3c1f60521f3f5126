"""The reference tables of errors, kinds, signals and topics say what the code says."""

from __future__ import annotations

import re

import pytest

from tests.support.documents import DOCS, rows
from vigil.contracts import schemas, topics, wire
from vigil.domain.kinds import KINDS, PRIORITY_TABLE
from vigil.domain.signals import SIGNALS
from vigil.service.errors import CODES


def table(name: str) -> dict[str, tuple[str, ...]]:
    """The rows of a document whose first cell is code, by that cell."""
    return {row[0].strip("`"): row[1:] for row in rows(name) if row[0].startswith("`")}


def test_errors() -> None:
    found = table("errors.md")
    assert set(found) == set(CODES)
    for code, (meaning, how_to_fix) in found.items():
        assert meaning == CODES[code], code
        assert how_to_fix, code


def test_kinds() -> None:
    found = table("kinds.md")
    assert set(found) == set(KINDS)
    for name, (label, category, signals, cause, result, onset, priority) in found.items():
        kind = KINDS[name]
        assert (label, category, priority) == (kind.label, kind.category, kind.priority), name
        assert signals == (", ".join(kind.signals) or "–"), name
        assert (cause, result, onset) == (kind.cause or "–", kind.result, kind.onset), name


def test_the_priority_table() -> None:
    found = {
        row[0]: row[1:] for row in rows("kinds.md") if row[0] in {r for r, _ in PRIORITY_TABLE}
    }
    assert {
        (result, onset): priority
        for result, priorities in found.items()
        for onset, priority in zip(("immediate", "prompt", "delayed"), priorities, strict=True)
    } == dict(PRIORITY_TABLE)


def test_signals() -> None:
    found = table("signals.md")
    assert set(found) == set(SIGNALS)
    for name, (label, loinc, unit, accepted, span, decimals) in found.items():
        signal = SIGNALS[name]
        assert (label, loinc, unit) == (signal.label, signal.loinc, f"`{signal.ucum}`"), name
        also = ", ".join(f"`{row[0]}`" for row in signal.accepted_units)
        assert accepted == also, name
        assert span == f"{signal.lowest:g} to {signal.highest:g}", name
        assert decimals == str(signal.decimals), name


def test_topics() -> None:
    found = {
        row[0].strip("`"): row[1:] for row in rows("topics.md") if row[0].startswith("`vitals.")
    }
    assert set(found) == set(topics.TOPICS)
    for name, (carries, key, partitions, kept, readers, _what) in found.items():
        topic = topics.TOPICS[name]
        types = [t for t, struct in wire.CE_TYPES.items() if struct in topic.carries]
        assert carries == (", ".join(f"`{t}`" for t in types) or "any bytes"), name
        assert key
        assert partitions == (str(topic.partitions) if topic.partitions else "`VIGIL_PARTITIONS`")
        assert kept == (
            "newest of each key" if topic.compacted else f"{topic.retention_hours // 24} days"
        ), name
        assert readers == ("anyone" if topic.public else "Vigil alone"), name


@pytest.mark.parametrize("name", [*schemas.CE_HEADERS, *schemas.DEAD_LETTER_HEADERS])
def test_each_header_is_described(name: str) -> None:
    assert name in table("topics.md"), name


def test_every_link_between_documents_leads_somewhere() -> None:
    for path in DOCS.glob("*.md"):
        for target in re.findall(r"\]\((?!https?:|#|mailto:)([^)#\s]+)", path.read_text()):
            assert (path.parent / target).exists(), f"{path.name}: {target}"
