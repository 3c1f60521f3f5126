"""An OpenAI-compatible endpoint of the test's own, which answers as its script says."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

GOOD = "Your heart rate is high, now at {heart_rate}."
STATUS = {"refuses": 401, "unknown_model": 404, "fails": 503, "redirects": 302}
BODIES = {
    "no_json": b"<html>It works!</html>",
    "no_choices": b'{"choices":[]}',
    "a_number": b'{"choices":[{"message":{"content":7}}]}',
    "a_list": b"[]",
    "deep": b"[" * 20_000,
    "not_text": b"\xff\xfe\x00",
}


class Server(ThreadingHTTPServer):
    """Keeps what it was sent."""

    daemon_threads = True

    def __init__(self, script: str):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.script = script
        self.asked: list[tuple[str, dict[str, str], Any]] = []

    @property
    def url(self) -> str:
        """The base that a client is given."""
        return f"http://127.0.0.1:{self.server_port}/v1"


class _Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        self._answer(b'{"data":[]}')

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.asked.append((self.path, dict(self.headers), json.loads(body)))
        reply = {"choices": [{"message": {"role": "assistant", "content": f" {GOOD}\n"}}]}
        self._answer(BODIES.get(self.server.script, json.dumps(reply).encode()))

    def _answer(self, body: bytes) -> None:
        script = self.server.script
        if script == "slow":
            time.sleep(5)
        if script == "hangs_up":
            self.connection.close()
            return
        self.send_response(STATUS.get(script, 200))
        if script == "redirects":
            self.send_header("Location", "http://127.0.0.1:9/elsewhere")
        self.end_headers()
        if script in {"huge", "drips"}:
            self._endless(pause=0.05 if script == "drips" else 0.0)
        else:
            self.wfile.write(body)

    def _endless(self, pause: float) -> None:
        try:
            for _ in range(200_000):
                self.wfile.write(b" " * (1 if pause else 4096))
                self.wfile.flush()
                time.sleep(pause)
        except OSError:  # the client had enough
            pass

    def log_message(self, *_: Any) -> None:
        """Say nothing on the terminal."""


@contextmanager
def serving(script: str) -> Iterator[Server]:
    """A server for the time of a test."""
    server = Server(script)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
