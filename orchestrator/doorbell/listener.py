"""The door's listening socket, bound here or inherited; it knows systemd's protocol for that, and no HTTP.

Whoever holds the socket while processes come and go refuses no connection: a sender that connects in between
waits in the backlog for the next process. https://www.freedesktop.org/software/systemd/man/latest/sd_listen_fds.html
"""

import os
import socket
from collections.abc import Mapping
from typing import Final

from orchestrator.errors import OperatorError

FIRST: Final = 3
"""The first inherited descriptor; the protocol fixes it."""
NAME: Final = "door"
"""What our own supervisor and our socket unit call the descriptor (`FileDescriptorName=`)."""
BACKLOG: Final = 4096
"""Connections that wait while nobody accepts; the kernel's `net.core.somaxconn` may make it fewer."""

HANDED_OVER: Final[Mapping[str, str]] = {"LISTEN_FDS": "1", "LISTEN_FDNAMES": NAME}
"""What a child's environment says of the one socket it inherits; its own start adds the LISTEN_PID."""


def bound(host: str, port: int) -> socket.socket:
    """A new socket that listens there; port 0 picks one.

    Raises `OperatorError` when it can't be had.
    """
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    try:
        # Without it a port we just left would count as taken for a minute.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(BACKLOG)
    except (OSError, OverflowError) as error:
        listener.close()
        raise OperatorError(
            f"port {port} on {host}, for the door, cannot be had ({error}); stop what uses it, or choose "
            f"another with --port N (`doorbell up --port 0` picks one)"
        ) from error
    return _made_ready(listener)


def inherited(
    environment: Mapping[str, str], pid: int, *, first: int = FIRST
) -> socket.socket | None:
    """The socket that was handed to the process `pid`, which is ours; None when there is none.

    Raises `OperatorError` when what was handed over is no TCP socket that listens.
    """
    if environment.get("LISTEN_PID") != str(pid):
        return None
    count = environment.get("LISTEN_FDS", "0")
    if not (count.isascii() and count.isdigit()):
        raise OperatorError(f"LISTEN_FDS is {count!r}: expected how many sockets were handed over")
    if int(count) == 0:
        return None
    place = _place(int(count), environment.get("LISTEN_FDNAMES", ""))
    return _made_ready(_taken(first + place))


def _place(count: int, names: str) -> int:
    listed = names.split(":")[:count]
    if NAME in listed:
        return listed.index(NAME)
    if count == 1:
        return 0
    raise OperatorError(
        f"{count} sockets were handed over, named {names!r}: expected one, or one named {NAME!r} "
        f"(FileDescriptorName={NAME} in its socket unit)"
    )


def _taken(descriptor: int) -> socket.socket:
    try:
        listener = socket.socket(fileno=descriptor)
    except OSError as error:
        raise OperatorError(
            f"descriptor {descriptor} was handed over as the door's socket, and is none ({error})"
        ) from error
    kind = (listener.family in (socket.AF_INET, socket.AF_INET6), listener.type)
    listens = listener.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
    if kind != (True, socket.SOCK_STREAM) or not listens:
        listener.close()
        raise OperatorError(
            f"descriptor {descriptor} was handed over as the door's socket: expected a TCP socket that "
            f"listens (ListenStream=PORT, Accept=no)"
        )
    return listener


def _made_ready(listener: socket.socket) -> socket.socket:
    """What the sockets it accepts inherit, and what a process we start must not."""
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    listener.settimeout(0)
    os.set_inheritable(listener.fileno(), False)  # noqa: FBT003 - it takes no names
    return listener


def host_of(listener: socket.socket) -> str:
    """The address it listens at."""
    host: str = listener.getsockname()[0]
    return host


def port_of(listener: socket.socket) -> int:
    """The port it listens at."""
    port: int = listener.getsockname()[1]
    return port


def url_of(host: str, port: int) -> str:
    """Where this machine itself reaches what listens there."""
    near = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - looked up, not listened on
    return f"http://[{near}]:{port}" if ":" in near else f"http://{near}:{port}"
