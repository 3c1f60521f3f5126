"""Messages that may stand on a topic though no service of Vigil's wrote them, drawn by a seed.

Three sorts, in equal measure: what a topic's published schema allows (with every extreme that it
allows), what comes near it (a valid message with one thing changed, as a value or as bytes), and
what is nothing at all. The schemas are read from ``docs/schemas``: a field that is added there is
fuzzed from the same day.

Everybody whom a message names is called ``fuzz…``: real patients' messages stand beside them, and
nothing may happen to these.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator, Mapping
from copy import deepcopy
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple, get_args

from explain.languages import LOCALES
from tests.support.raw_records import NULL
from vigil.contracts import topics
from vigil.contracts.wire import CE_TYPES, Outgoing
from vigil.domain.alert import Audience
from vigil.domain.kinds import KINDS
from vigil.domain.signals import NAMES

SCHEMAS = Path(__file__).parents[2] / "docs" / "schemas"
PREFIX = "fuzz"
PEOPLE = 40
"""Different patients and devices: a worker's memory grows with them, and with nothing else."""
WEIGHTS: Mapping[str, int] = {
    topics.READINGS.name: 40,
    topics.EVENTS.name: 20,
    topics.ALERTS.name: 14,
    topics.ACTIONS.name: 14,
    topics.PHRASES.name: 4,
    topics.STATUS.name: 4,
    topics.DIRECTORY.name: 3,
    topics.DEAD_LETTERS.name: 1,
}
"""How often a topic is drawn, in a hundred."""
_COMPACTED = {topic.name for topic in topics.TOPICS.values() if topic.compacted}
NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)

_WORDS = (
    "", "x", "rest", "supine", "en", "zh", "tlh", "patient", "care_team", "heart rate", "a\u0000b",
    "\u202egnp", "\u0085", "\u05d0\u200f", "\U0001f9e0", "{heart_rate}", "{0.__class__}", "%s",
    "<b>", "' OR 1=1 --", "NaN", "null", "9" * 30, "w" * 3000,
)  # fmt: skip
_NUMBERS = (
    0, -1, 1, 2, 72, 72.5, 37.05, 100.5, 299.99999999999994, -0.0, 1e9, 1e15, 1e308, -1e308, 5e-324,
    2**31, 2**53 + 1, 2**63, -(2**63) - 1, 10**30,
)  # fmt: skip
_TIMES = (
    "0001-01-01T00:00:00Z", "0001-01-01T00:00:00+14:00", "1969-12-31T23:59:59Z",
    "1970-01-01T00:00:00Z", "1999-12-31T23:59:59.999999Z", "2026-11-21T11:59:59.9999999Z",
    "2026-11-21t12:00:00z", "2026-11-21T12:00:00-23:59", "2026-12-31T23:59:60Z",
    "2038-01-19T03:14:08Z", "2106-02-07T06:28:16Z", "9000-01-01T00:00:00Z",
    "9999-12-31T23:59:59.999999Z", "9999-12-31T23:59:59-14:00",
)  # fmt: skip
_OTHERS: tuple[Any, ...] = (None, True, False, 0, -7, 1.5, "", "x", [], {}, [None], {"a": 1})
"""What stands where something else should."""
_KEYS: Mapping[str, tuple[str, ...]] = {
    "values": NAMES,
    "texts": get_args(Audience),
    "provenance": get_args(Audience),
    "local_slots": LOCALES,
}
"""Field → the keys that its mapping has; JSON Schema's dialect in ``docs/schemas`` names none."""
_CLOSED = {"texts", "provenance"}


class Sent(NamedTuple):
    """A message, and how it was made: ``valid``, ``near`` or ``arbitrary``."""

    sort: str
    message: Outgoing


class Fuzzer:
    """Draws messages; another with the same seed draws the same.

    Args:
        now: about when the messages claim to be from, where they are not absurd.
    """

    def __init__(self, seed: int, now: datetime = NOW):
        self._draw = random.Random(seed)  # noqa: S311
        self._now = now
        self._schemas = {
            name: json.loads((SCHEMAS / f"{name.removeprefix('org.vigil.')}.json").read_text())
            for name in CE_TYPES
        }
        self._types = {
            topic.name: [name for name, struct in CE_TYPES.items() if struct in topic.carries]
            for topic in topics.TOPICS.values()
        }
        self._sorts: tuple[tuple[str, Callable[[str], Outgoing]], ...] = (
            ("valid", self.valid), ("near", self.near), ("arbitrary", self.arbitrary),
        )  # fmt: skip

        self._plain: Mapping[str, Callable[[], Any]] = {
            "integer": self._integer, "number": self._number,
            "boolean": self._now_and_then, "null": lambda: None,
        }  # fmt: skip

    def messages(self, count: int) -> Iterator[Sent]:
        """So many messages on all topics."""
        for topic in self._draw.choices([*WEIGHTS], [*WEIGHTS.values()], k=count):
            sort, make = self._draw.choice(self._sorts)
            yield Sent(sort, make(topic))

    def valid(self, topic: str) -> Outgoing:
        """What the schema of one of the topic's types allows."""
        ce_type = self._type(topic)
        content = self._object(ce_type)
        value = json.dumps(content, ensure_ascii=self._now_and_then()).encode()
        return Outgoing(topic, self._key(topic, content), value, self._headers(ce_type))

    def near(self, topic: str) -> Outgoing:
        """A valid message with one thing changed."""
        ce_type = self._type(topic)
        content = self._object(ce_type)
        key = self._key(topic, content)
        if self._draw.random() < 0.7:
            value = json.dumps(self._changed(content)).encode("utf-8", "surrogatepass")
        else:
            value = self._damaged(json.dumps(content).encode())
        return Outgoing(topic, key, value, self._headers(ce_type))

    def arbitrary(self, topic: str) -> Outgoing:
        """Bytes."""
        draw = self._draw
        values: tuple[Callable[[], bytes | None], ...] = (
            lambda: None,
            lambda: b"",
            lambda: draw.randbytes(draw.randrange(200)),
            lambda: b"[" * draw.randrange(1, 5000),
            lambda: json.dumps(draw.choice(_OTHERS)).encode(),
            lambda: b'{"patient_id":"' + b"x" * draw.randrange(3000) + b'"}',
            "\ufeff{}".encode,
        )
        keys = (None, b"", b"fuzz", draw.randbytes(9), b"fuzz" * 500)
        key, value = draw.choice(keys), draw.choice(values)()
        if key is None and (value is None or topic in _COMPACTED):
            key = b"fuzz"  # a compacted topic takes no other, nor a client a record of nothing
        return Outgoing(topic, key, value, self._odd_headers(topic))  # type: ignore[arg-type]

    def _type(self, topic: str) -> str:
        return self._draw.choice(self._types[topic] or [*CE_TYPES])

    def _now_and_then(self) -> bool:
        return self._draw.random() < 0.1

    def _key(self, topic: str, content: Any) -> bytes | None:
        named = content.get("patient_id") or content.get("phrase_id") or content.get("instance")
        named = named or (PREFIX if topic in _COMPACTED else "")
        if topic not in _COMPACTED and self._now_and_then():
            return None
        return str(named).encode("utf-8", "replace") or None

    def _headers(self, ce_type: str) -> list[tuple[str, bytes]]:
        if self._now_and_then():
            return []
        ident = self._draw.randbytes(8).hex()
        return [("ce_type", ce_type.encode()), ("ce_id", ident.encode()), ("ce_source", b"/fuzz")]

    def _odd_headers(self, topic: str) -> list[tuple[str, bytes]]:
        draw = self._draw
        right = self._type(topic).encode()
        kinds: tuple[list[tuple[str, bytes]], ...] = (
            [],
            [("ce_type", right)],
            [("ce_type", right)],
            [("ce_type", b"org.vigil.unknown.v9")],
            [("ce_type", NULL)],
            [("ce_type", b"\xff\xfe"), ("ce_type", right)],
            [(f"h{number}", b"v") for number in range(draw.randrange(40))],
            [("", b""), ("ce_type", right), ("n\u0000", draw.randbytes(300))],
            [("traceparent", NULL)] * draw.randrange(1, 300),
        )
        return draw.choice(kinds)

    def _object(self, ce_type: str) -> Any:
        schema = self._schemas[ce_type]
        return self._draw_value(schema, schema["$defs"], "")

    def _draw_value(
        self, schema: Mapping[str, Any], definitions: Mapping[str, Any], name: str
    ) -> Any:
        """A value that a schema allows; ``name`` is the field's."""
        draw = self._draw
        if "$ref" in schema:
            schema = definitions[schema["$ref"].rpartition("/")[2]]
        if "anyOf" in schema:
            return self._draw_value(draw.choice(schema["anyOf"]), definitions, name)
        if "default" in schema and draw.random() < 0.3:
            return deepcopy(schema["default"])
        if "enum" in schema:
            return draw.choice(schema["enum"])
        plain = self._plain.get(schema.get("type", ""))
        if plain is not None:
            return plain()
        compound = {"object": self._mapping, "array": self._array, "string": self._string}
        make = compound.get(schema.get("type", ""))
        return make(schema, definitions, name) if make else self._free(3)

    def _mapping(self, schema: Mapping[str, Any], definitions: Mapping[str, Any], name: str) -> Any:
        if "properties" in schema:
            wanted = set(schema.get("required", ()))
            return {
                field: self._draw_value(inner, definitions, field)
                for field, inner in schema["properties"].items()
                if field in wanted or self._draw.random() < 0.6
            }
        inner = schema.get("additionalProperties") or {}
        known = _KEYS.get(name, (*NAMES, *LOCALES, "value", "limit", "score", "readings"))
        chosen = self._draw.choices(known, k=self._draw.randrange(5))
        if self._now_and_then() and name not in _CLOSED:
            chosen.append(self._draw.choice(("glucose", "", "a\u0000b", "x" * 300)))
        return {key: self._draw_value(inner, definitions, "") for key in chosen}

    def _array(self, schema: Mapping[str, Any], definitions: Mapping[str, Any], name: str) -> Any:
        length = self._draw.choice((0, 1, 1, 1, 2, 3, 9))
        return [self._draw_value(schema.get("items", {}), definitions, name) for _ in range(length)]

    def _string(self, schema: Mapping[str, Any], _definitions: object, name: str) -> str:
        draw = self._draw
        if "pattern" in schema or name.endswith("_id") or name == "instance":
            number = draw.randrange(PEOPLE)
            return (
                f"{PREFIX}-{number}"
                if not self._now_and_then()
                else f"{PREFIX}.{number}@+:" + "i" * 90
            )
        if schema.get("format") == "date-time":
            return self._time()
        if name == "kind":
            return draw.choice((*KINDS, "glucose_high"))
        if name == "signals":
            return draw.choice((*NAMES, "glucose"))
        return draw.choice(_WORDS)

    def _time(self) -> str:
        if self._draw.random() < 0.2:
            return self._draw.choice(_TIMES)
        moment = self._now + timedelta(seconds=self._draw.uniform(-90_000, 90_000))
        return moment.isoformat()

    def _number(self) -> float:
        if self._draw.random() < 0.3:
            return self._draw.choice(_NUMBERS)
        return round(self._draw.uniform(20, 180), self._draw.randrange(4))

    def _integer(self) -> int:
        if self._draw.random() < 0.3:
            return int(self._draw.choice(_NUMBERS))
        return self._draw.randrange(5)

    def _free(self, depth: int) -> Any:
        """Any JSON."""
        draw = self._draw
        if depth and draw.random() < 0.4:
            if draw.random() < 0.5:
                return [self._free(depth - 1) for _ in range(draw.randrange(4))]
            return {draw.choice(_WORDS): self._free(depth - 1) for _ in range(draw.randrange(4))}
        return draw.choice((self._number(), draw.choice(_WORDS), None, True, self._time()))

    def _changed(self, content: Any) -> Any:
        """The same with one thing gone, added or of another type, at a random depth."""
        draw, at = self._draw, content
        while True:
            places = list(at) if isinstance(at, dict) else range(len(at))
            deeper = [p for p in places if isinstance(at[p], dict | list) and at[p]]
            if not deeper or draw.random() < 0.4:
                break
            at = at[draw.choice(deeper)]
        places = list(at) if isinstance(at, dict) else list(range(len(at)))
        how = draw.randrange(4)
        if how == 0 or not places:
            if isinstance(at, dict):
                at[draw.choice(_WORDS)] = draw.choice(_OTHERS)
            else:
                at.append(draw.choice(_OTHERS))
        elif how == 1:
            del at[draw.choice(places)]
        else:
            odd = (*_OTHERS, float("nan"), float("inf"), "\ud800", self._time(), "1e5", 10**400)
            at[draw.choice(places)] = draw.choice(odd)
        return content

    def _damaged(self, value: bytes) -> bytes:
        """The same bytes with a piece gone, doubled or overwritten."""
        draw = self._draw
        at, end = sorted(draw.randrange(len(value) + 1) for _ in range(2))
        return draw.choice((
            value[:at],
            value[:at] + value[end:],
            value[:at] + draw.randbytes(3) + value[at:],
            value[:end] + value[at:],
            value.replace(b"fuzz", b"fuzz\xff", 1),
            value + value,
        ))  # fmt: skip
