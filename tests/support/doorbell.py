"""An on-call service of the test's own, which takes every page and counts them."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType

from local.parts import HOST


class Doorbell:
    """Use it in a ``with``."""

    def __enter__(self) -> Doorbell:
        """Listen."""
        self._server = _Server((HOST, 0), _Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, name="doorbell")
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Listen no more."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def url(self) -> str:
        """What ``VIGIL_ONCALL_URLS`` is set to."""
        return f"json://{HOST}:{self._server.server_port}/"

    @property
    def rung(self) -> int:
        """How often somebody was paged."""
        return self._server.rung


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    rung = 0
    lock = threading.Lock()


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        with self.server.lock:
            self.server.rung += 1
        self.send_response(200)
        self.end_headers()

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Says nothing on the terminal."""
