"""The HTTP gateway: ``POST /v1/readings`` and ``GET /v1/signals``.

A request is answered only after the broker has its readings. Until then nothing is
known about any of them, so a sender that gets 503, or no answer, sends the whole request again.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, NoReturn

import msgspec
from fastapi import Request
from fastapi.responses import Response
from starlette.requests import ClientDisconnect

from ingest.http import answers, openapi, schemas
from ingest.http.batch import Door, Key, items, sent_at, sort_out
from ingest.http.directory import Directory
from ingest.recent_keys import RecentKeys
from vigil.contracts import wire
from vigil.domain.directory import DeviceEntry
from vigil.kafka.async_publisher import AsyncPublisher
from vigil.service.errors import AccessError, InputError, UnavailableError, VigilError
from vigil.values.clock import Clock
from vigil.web import bodies
from vigil.web.rate_limited_log import RateLimitedLog

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fastapi import FastAPI

    from vigil.service.settings import Settings

REMEMBERED_READINGS = 100_000
hand_over_log = RateLimitedLog("ingest")


class Gateway:
    """The routes of ``/v1``."""

    def __init__(
        self, directory: Directory, publisher: AsyncPublisher, settings: Settings, clock: Clock
    ):
        self._directory = directory
        self._publisher = publisher
        self._limit = settings.max_body_bytes
        self._tolerance = timedelta(seconds=settings.future_tolerance_seconds)
        self._clock = clock
        self._acknowledged = RecentKeys[Key](REMEMBERED_READINGS)

    def install(self, api: FastAPI) -> None:
        """Add the routes; whatever else is asked below ``/v1`` gets a JSON 404 or 405."""
        api.post("/v1/readings", **openapi.READINGS)(self.take_readings)
        api.get("/v1/signals", **openapi.SIGNALS)(self.list_signals)
        api.api_route("/v1/{path:path}", methods=_METHODS, include_in_schema=False)(self.refuse)
        openapi.describe(api)

    async def take_readings(self, request: Request) -> Response:
        """Accept one reading, or up to 1,000; answer when the broker has them."""
        try:
            device = self._authenticate(request.headers)
            body = await self._body(request)
            return await self._take(device, decode(body))
        except VigilError as error:
            return answers.problem(error)
        except ClientDisconnect:  # nobody is there to be answered
            return Response(status_code=400)

    async def list_signals(self) -> Response:
        """The signals that Vigil accepts, and the units it converts."""
        return Response(schemas.SIGNALS_BODY, media_type="application/json")

    async def refuse(self, request: Request, path: str) -> Response:
        """Answer that there is no such path, or not with this method."""
        method = _PATHS.get(path)
        if method is None:
            return answers.problem(
                InputError(
                    f"There is no /v1/{path[:80]}.",
                    code="input.unknown_path",
                    how_to_fix="See /openapi.json for what there is.",
                )
            )
        response = answers.problem(
            InputError(
                f"/v1/{path} does not take {request.method}.",
                code="input.wrong_method",
                how_to_fix=f"Use {method}.",
            )
        )
        response.headers["Allow"] = method
        return response

    async def _take(self, device: DeviceEntry, body: object) -> Response:
        now = self._clock()
        door = Door(
            device=device,
            patient=self._directory.patient,
            known=self._acknowledged.__contains__,
            now=now,
            latest=now + self._tolerance,
            sent_at=sent_at(body),
        )
        batch = sort_out(items(body), door)
        if batch.is_before_assignment:
            hand_over_log.warn(f"nothing but readings from before {device.device_id} was assigned")
        if batch.uploads:
            await self._publisher.publish([wire.to_message(u, "ingest") for u in batch.uploads])
            for key in batch.keys:
                self._acknowledged.add(key)
        return answers.answer(batch.results)

    def _authenticate(self, headers: Mapping[str, str]) -> DeviceEntry:
        key = _key(headers)
        if self._directory.trouble is not None:
            raise UnavailableError("Who is enrolled is not known yet.", code="unavailable.broker")
        device = self._directory.device(key)
        if device is None:
            raise AccessError(
                "The device key is not known, or is revoked.",
                code="access.wrong_key",
                field="Authorization",
                how_to_fix="Ask for a new key: `vigil device add --replace`.",
            )
        return device

    async def _body(self, request: Request) -> bytes:
        """The body, never holding more of it than the limit.

        What a sender still writes after a refusal is read and discarded by the server.
        """
        _check_type(request.headers)
        if int(request.headers.get("content-length", "0")) > self._limit:
            self._too_large()
        parts, size = [], 0
        async for part in request.stream():
            size += len(part)
            if size > self._limit:
                self._too_large()
            parts.append(part)
        return b"".join(parts)

    def _too_large(self) -> NoReturn:
        raise InputError(
            f"The body is larger than {self._limit} bytes.",
            code="input.too_large",
            field="body",
            how_to_fix="Send fewer readings in a request.",
        )


_PATHS = {"readings": "POST", "signals": "GET"}
_METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"]


def decode(body: bytes) -> object:
    """The body's JSON.

    Raises:
        InputError: ``input.broken_json``, or ``input.bad_text`` for half of a surrogate pair.
    """
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        if _half_a_pair(body):
            raise InputError(
                "A text contains half of a surrogate pair.",
                code="input.bad_text",
                field="body",
                how_to_fix="Send whole characters.",
            ) from None
        raise InputError(
            f"The body is not JSON: {str(error)[:100]}.",
            code="input.broken_json",
            field="body",
            how_to_fix="Send UTF-8 JSON; numbers must be finite.",
        ) from None


def _half_a_pair(body: bytes) -> bool:
    """Whether a body is an object as it should be, but for a text that no UTF-8 can spell."""
    try:
        value = bodies.load_json(body)
    except ValueError:
        return False
    return isinstance(value, dict) and bodies.check_json(value) is not None


def _key(headers: Mapping[str, str]) -> str:
    scheme, _, token = headers.get("authorization", "").partition(" ")
    key = token.strip() if scheme.lower() == "bearer" else headers.get("x-api-key", "")
    if not key:
        raise AccessError(
            "The request carries no device key.",
            code="access.no_key",
            field="Authorization",
            how_to_fix="Send the header `Authorization: Bearer vk_…`, or `X-API-Key: vk_…`.",
        )
    return key


def _check_type(headers: Mapping[str, str]) -> None:
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise InputError(
            f"The content type is {kind[:60] or 'not given'}.",
            code="input.wrong_content_type",
            field="Content-Type",
            how_to_fix="Send application/json.",
        )
    coding = headers.get("content-encoding", "identity").strip().lower()
    if coding != "identity":
        raise InputError(
            f"The content encoding is {coding[:60]}.",
            code="input.wrong_content_type",
            field="Content-Encoding",
            how_to_fix="Send the JSON as it is, not compressed.",
        )
