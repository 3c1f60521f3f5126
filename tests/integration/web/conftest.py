"""A web process of a small part of its own, to stand behind the bounds of every part."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from http.client import HTTPResponse
from urllib.parse import urlsplit

from fastapi import FastAPI, Request, WebSocket
from starlette.websockets import WebSocketDisconnect

from tests.support.timeouts import TIMEOUT
from vigil.service.settings import Settings


class Small:
    """Routes that wait, read and write much; a :class:`vigil.composition.stage.WebPart`."""

    name = "small"

    def __init__(self) -> None:
        self.go_on = asyncio.Event()
        self.read = 0

    def install(self, api: FastAPI) -> None:
        for prefix in ("/open", "/board", "/v1"):
            api.get(f"{prefix}/wait")(self.wait)
        api.post("/v1/take")(self.take)
        api.get("/open/much")(self.much)
        api.websocket("/board/line")(self.line)

    async def wait(self) -> dict[str, str]:
        await self.go_on.wait()
        return {"status": "done"}

    async def take(self, request: Request) -> dict[str, int]:
        async for part in request.stream():
            self.read += len(part)
        return {"read": self.read}

    async def much(self) -> str:
        return "x" * 20_000_000

    async def line(self, websocket: WebSocket) -> None:
        await websocket.accept()
        try:
            while True:
                await websocket.send_text(await websocket.receive_text())
        except WebSocketDisconnect:
            return

    @asynccontextmanager
    async def lifespan(self) -> AsyncIterator[None]:
        yield
        self.go_on.set()

    def trouble(self) -> Mapping[str, str]:
        return {}


def settings_of(**changes: object) -> Settings:
    """Settings with bounds that a test can reach."""
    return Settings(demo=True, log_level="ERROR", **changes)


def dial(url: str, source: str = "127.0.0.1") -> socket.socket:
    """A connection, from an address of this machine."""
    parts = urlsplit(url)
    line = socket.create_connection(
        (parts.hostname or "", parts.port or 0), timeout=TIMEOUT, source_address=(source, 0)
    )
    line.settimeout(TIMEOUT)
    return line


def answered(line: socket.socket) -> tuple[int, dict[str, str], bytes]:
    """The next response on a connection."""
    response = HTTPResponse(line)
    response.begin()
    headers = {name.lower(): value for name, value in response.getheaders()}
    return response.status, headers, response.read()


def ask(url: str, path: str, source: str = "127.0.0.1") -> tuple[int, dict[str, str], bytes]:
    """One request on a connection of its own."""
    with dial(url, source) as line:
        line.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
        return answered(line)


def all_of(line: socket.socket) -> bytes:
    """What the other side says until it ends the connection, one way or the other."""
    received = bytearray()
    with suppress(ConnectionError):
        while part := line.recv(65_536):
            received += part
    return bytes(received)
