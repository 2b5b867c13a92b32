"""Bytes to a door of another process and what it answers, and what that process holds; it knows HTTP/1.1 only barely.

Nothing here mends a request: what a test writes is what travels.
"""

import asyncio
import json
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.ports import free_port
from tests.support.senders import Signed

ROOT = Path(__file__).parents[2]
PATIENCE = 30.0
"""Seconds after which an open connection without an end is a hang: six times the door's own deadlines."""

LAST = b"GET /live HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"
"""Sent behind a request that may or may not be one: whatever becomes of that, the connection has an end."""


@dataclass(frozen=True)
class Answer:
    """One response."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def reason(self) -> str | None:
        """The problem's own name, None where it is no problem of the door's."""
        if self.headers.get("content-type") != "application/problem+json" or not self.body:
            return None
        return str(json.loads(self.body)["type"]).removeprefix("urn:doorbell:problem:")

    @property
    def told(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class Door:
    """A door that listens somewhere, as a process."""

    port: int
    pid: int
    directory: Path

    @property
    def resident(self) -> int:
        """Bytes of memory that are its own: not those of the files it maps."""
        fields = Path(f"/proc/{self.pid}/status").read_text(encoding="ascii").splitlines()
        found = dict(line.split(":", 1) for line in fields)
        return int(found["RssAnon"].split()[0]) * 1024

    @property
    def open_files(self) -> int:
        return sum(1 for _ in Path(f"/proc/{self.pid}/fd").iterdir())

    def lines(self) -> list[dict[str, Any]]:
        """Its log so far."""
        text = (self.directory / "log").read_text(encoding="utf-8")
        return [json.loads(line) for line in text.splitlines() if line.endswith("}")]

    def faults(self) -> list[dict[str, Any]]:
        """What its log calls a fault of ours."""
        return [line for line in self.lines() if line["event"] == "fault"]

    async def say(self, raw: bytes) -> list[Answer]:
        """Every answer on a connection that says this and nothing more, up to its end. Raises `TimeoutError`."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            async with asyncio.timeout(PATIENCE):
                return parsed(await _all(reader, writer, raw))
        finally:
            writer.transport.abort()

    async def ask(self, raw: bytes) -> list[Answer]:
        """The same with one honest request behind it that asks for the connection's end."""
        return await self.say(raw + LAST)

    async def one(self, raw: bytes) -> Answer:
        """The first answer that is not `100 Continue`."""
        return next(answer for answer in await self.ask(raw) if answer.status != 100)


async def _all(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, raw: bytes) -> bytes:
    found = bytearray()
    sending = asyncio.create_task(_sent(writer, raw))
    # A door that refuses unread may reset what is still on its way; what it answered before counts.
    with suppress(ConnectionError):
        while chunk := await reader.read(65_536):
            found += chunk
    sending.cancel()
    await asyncio.gather(sending, return_exceptions=True)
    return bytes(found)


async def _sent(writer: asyncio.StreamWriter, raw: bytes) -> None:
    writer.write(raw)
    await writer.drain()


def parsed(raw: bytes) -> list[Answer]:
    """The responses in these bytes, in order."""
    answers: list[Answer] = []
    while b"\r\n\r\n" in raw:
        head, _, raw = raw.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        pairs = (line.split(":", 1) for line in lines)
        headers = {name.strip().lower(): value.strip() for name, value in pairs}
        # The answer to HEAD announces a body and has none.
        length = 0 if raw.startswith(b"HTTP/") else int(headers.get("content-length", "0"))
        answers.append(Answer(int(first.split(" ")[1]), headers, raw[:length]))
        raw = raw[length:]
    return answers


def post(target: str, headers: Mapping[str, str], body: bytes) -> bytes:
    """One whole request."""
    said = {"host": "bell.example.com", **headers, "content-length": str(len(body))}
    lines = [f"{name}: {value}" for name, value in said.items()]
    head = "\r\n".join([f"POST {target} HTTP/1.1", *lines])
    return head.encode("latin-1", "replace") + b"\r\n\r\n" + body


def sent(signed: Signed, name: str) -> bytes:
    """A signed delivery to the source of this name."""
    return post(signed.target(name), signed.headers, signed.body)


@contextmanager
def standing(directory: Path, certificate: bytes) -> Iterator[Door]:
    """A door for every sender, until the block ends; killed rather than waited for."""
    (directory / "certificate.pem").write_bytes(certificate)
    port = free_port()
    command = [sys.executable, "-m", "tests.support.every_door", str(directory), str(port)]
    with subprocess.Popen(command, cwd=ROOT) as process:
        try:
            _await(port, process)
            yield Door(port, process.pid, directory)
        finally:
            process.send_signal(signal.SIGKILL)


def _await(port: int, process: "subprocess.Popen[bytes]") -> None:
    while process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except ConnectionRefusedError:
            time.sleep(0.01)
        else:
            return
    raise RuntimeError(f"the door ended with {process.returncode} before it listened")
