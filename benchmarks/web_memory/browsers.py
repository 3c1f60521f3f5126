"""Browsers without a screen: they load pages and follow them on Dash's websocket."""

from __future__ import annotations

import asyncio
import json
import re
import secrets
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import httpx
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Origin

PASSWORD = secrets.token_urlsafe()
"""Of a database that is deleted at the end."""
START_SECONDS = 120


class LostVersionError(Exception):
    """The server does not know what the page shows."""


@dataclass
class Site:
    """Where browsers go, signed in."""

    url: str
    cookie: str = ""
    output: str = ""
    """What Dash calls the callback of a stream."""
    messages: int = 0
    received_bytes: int = 0
    pages: int = 0
    failures: Counter[str] = field(default_factory=Counter)
    client: httpx.AsyncClient = field(init=False)

    async def sign_in(self) -> None:
        """As a browser does, waiting for the server to start."""
        self.client = client = httpx.AsyncClient(base_url=self.url, timeout=60)
        page = await _first_page(client)
        token = page.split('name="csrf" value="')[1].split('"', maxsplit=1)[0]
        data = {"user": "kim", "password": PASSWORD, "csrf": token, "next": "/board/"}
        await client.post("/login", data=data)
        self.cookie = f"vigil_session={client.cookies['vigil_session']}"
        calls = (await client.get("/board/_dash-dependencies")).json()
        self.output = next(
            call["output"]
            for call in calls
            if [one["id"] for one in call["inputs"]] == ["start"]
            and not call.get("clientside_function")
        )


async def _first_page(client: httpx.AsyncClient) -> str:
    """The page to sign in, once the server has started."""
    async with asyncio.timeout(START_SECONDS):
        while True:
            try:
                return (await client.get("/login")).text
            except httpx.TransportError:
                await asyncio.sleep(0.5)


class Browser:
    """One open page: the board, or a patient's.

    Args:
        patient: whose page; empty: the board.
    """

    def __init__(self, site: Site, number: int, patient: str = ""):
        self._site, self._name, self.patient = site, f"{number:019d}", patient
        self._stream = 0
        self.version = ""
        self.seen = asyncio.Event()
        """Set by each message with content."""

    async def run(self) -> None:
        """Load the page and follow it until cancelled; a lost connection is opened again."""
        while True:
            try:
                await self._load()
                async with connect(
                    self._site.url.replace("http", "ws") + "/board/_dash-ws-callback",
                    origin=Origin(self._site.url),
                    additional_headers={"Cookie": self._site.cookie},
                    max_size=None,
                ) as line:
                    await self._receive(line)
            except (httpx.HTTPError, ConnectionClosed, LostVersionError, OSError) as error:
                self._site.failures[type(error).__name__] += 1
                await asyncio.sleep(0.5)

    async def _load(self) -> None:
        path = f"/board/patient/{self.patient}" if self.patient else "/board/"
        page = await self._site.client.get(path)
        self._site.pages += 1
        found = re.search(r'data-version="([^"]*)"', page.text)
        self.version = found[1] if found else ""

    async def _receive(self, line: ClientConnection) -> None:
        await self._request(line)
        async for received in line:
            self._site.received_bytes += len(received)
            found = json.loads(received)
            # Dash sends messages that come close together as one list.
            for sent in found if isinstance(found, list) else [found]:
                payload = sent.get("payload") or {}
                message = (payload.get("props") or {}).get("data")
                if payload.get("componentId") == "patch" and message:
                    await self._apply(line, message)

    async def _apply(self, line: ClientConnection, message: dict[str, Any]) -> None:
        """As ``apply`` of ``board.js`` does; the page itself is not kept."""
        if message["stream"] != self._stream:
            return
        self._site.messages += 1
        if message.get("unknown"):
            raise LostVersionError  # the page is loaded again
        lost = "version" in message and message["base"] != self.version
        if lost:
            self._site.failures["message lost"] += 1
        elif "version" in message:
            self.version = message["version"]
            self.seen.set()
        if lost or "again" in message:
            await self._request(line)

    async def _request(self, line: ClientConnection) -> None:
        self._stream += 1
        start = {
            "stream": self._stream,
            "view": self._name,
            "page": "patient" if self.patient else "board",
            "patient": self.patient,
            "ward": "",
            "version": self.version,
            "seen": None,
        }
        call = {
            "output": self._site.output,
            "inputs": [{"id": "start", "property": "data", "value": start}],
            "changedPropIds": ["start.data"],
            "state": [],
        }
        sent = {"type": "callback_request", "requestId": str(self._stream), "rendererId": "r"}
        await line.send(json.dumps(sent | {"payload": call}))
