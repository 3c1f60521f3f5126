"""kafka-python's sockets, known by their name.

The library (3.0.12) leaves a socket open that it gives up while it connects: to a broker that is
away, or in a client that is closed meanwhile. Python closes it with the object, and says so in a
``ResourceWarning``, which fails whichever test runs at that moment. With a name of its own the
warning can be let through for these sockets alone (``filterwarnings`` in ``pyproject.toml``).
"""

from __future__ import annotations

import socket

from kafka.net.inet import KafkaNetSocket


class KafkaSocket(socket.socket):
    """A socket of kafka-python."""


def name_them() -> None:
    """From now on."""
    KafkaNetSocket.socket = KafkaSocket
