"""Ports for processes that are told theirs by number; it listens on none.

They are taken from below those that the system gives away by itself (32768 and up on Linux): a number from there may be
somebody else's before the process it was meant for has bound it.
"""

import secrets
import socket
from typing import Final

LOWEST: Final = 20_000
MANY: Final = 12_000


def free_port() -> int:
    """One of 127.0.0.1 that nobody has just now."""
    while True:
        # Not `random`: it is seeded alike in every process of a test run.
        port = LOWEST + secrets.randbelow(MANY)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
