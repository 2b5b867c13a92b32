"""The state directory: who holds it, where each file stands, and what is running on it; it knows no database.

with StateDirectory.open(Path(".doorbell"), role="service") as state:
    engine = connect(state.inbox)
"""

import base64
import fcntl
import json
import os
import secrets
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import TracebackType
from typing import IO, Literal, Self

from orchestrator.errors import OperatorError

Role = Literal["up", "service"]
"""One `up` and one service may hold a state directory; an `up` starts its service as a process of its own."""

SECRET_BYTES = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Addresses:
    """Where the running service and its Temporal are; what the CLI reads to find them."""

    url: str
    pid: int
    temporal: str
    temporal_ui: str | None = None


@dataclass(frozen=True, slots=True)
class StateDirectory:
    """The paths below one directory. `open` takes its lock as well; `StateDirectory(path)` only reads."""

    path: Path
    _lock: IO[str] | None = field(default=None, repr=False, compare=False)

    @classmethod
    def open(cls, path: Path, *, role: Role = "service") -> Self:
        """Create the directory if need be and hold it in this role until `close` or the end of the process.

        Raises `OperatorError` naming the process that holds it already.
        """
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        return cls(path.resolve(), _locked(path, role))

    def refuse_if_held(self, role: Role) -> None:
        """Raise `OperatorError` if a process holds the directory in this role."""
        _locked(self.path, role).close()

    def close(self) -> None:
        """Let go of the lock."""
        if self._lock is not None:
            self._lock.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def inbox(self) -> Path:
        """The service's SQLite file: deliveries and decisions."""
        return self.path / "inbox.db"

    @property
    def ledger(self) -> Path:
        """The workers' SQLite file: what runs did."""
        return self.path / "ledger.db"

    @property
    def temporal(self) -> Path:
        """The embedded Temporal server's file."""
        return self.path / "temporal.db"

    @property
    def logs(self) -> Path:
        """One file for each process that `up` runs."""
        return self.path / "logs"

    def operator_secret(self) -> str:
        """The secret (`whsec_...`) that signs what a person does through the CLI; made on first use, mode 0600."""
        path = self.path / "operator.secret"
        if not path.exists():
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            _create_once(
                path, "whsec_" + base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()
            )
        return path.read_text(encoding="ascii").strip()

    def announce(self, addresses: Addresses) -> None:
        """Write `service.json`: the service is ready and can be found there."""
        _replace(self.path / "service.json", json.dumps(asdict(addresses), indent=2))

    def withdraw(self) -> None:
        """Remove `service.json`: the service is stopping."""
        (self.path / "service.json").unlink(missing_ok=True)

    def addresses(self) -> Addresses | None:
        """Where the service is, or None when none was announced or its process is gone."""
        with suppress(FileNotFoundError):
            found = Addresses(
                **json.loads((self.path / "service.json").read_text(encoding="utf-8"))
            )
            return found if alive(found.pid) else None
        return None

    def record_pids(self, pids: Mapping[str, int]) -> None:
        """Write `pids.json`: the process ids of `up` and of its children that are running now."""
        _replace(self.path / "pids.json", json.dumps(dict(pids), indent=2))

    def pids(self) -> dict[str, int]:
        """What `up` last recorded; empty when it never ran here or stopped in order."""
        with suppress(FileNotFoundError):
            recorded: dict[str, int] = json.loads(
                (self.path / "pids.json").read_text(encoding="utf-8")
            )
            return recorded
        return {}


def alive(pid: int) -> bool:
    """Whether a process of this id exists."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _locked(path: Path, role: Role) -> IO[str]:
    lock = (path / f"{role}.lock").open("a+", encoding="ascii")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        lock.seek(0)
        holder = lock.read().strip() or "unknown"
        lock.close()
        raise OperatorError(
            f"the state directory {str(path)!r} is in use: process {holder} runs `doorbell "
            f"{'up' if role == 'up' else 'serve'}` on it; stop that one, or choose another with --state"
        ) from error
    lock.truncate(0)
    lock.write(str(os.getpid()))
    lock.flush()
    return lock


def _create_once(path: Path, text: str) -> None:
    """Two processes may come here at once: the first link wins, and nobody sees half a secret."""
    draft = path.with_name(f"{path.name}.{os.getpid()}")
    draft.touch(mode=0o600)
    draft.write_text(text + "\n", encoding="ascii")
    with suppress(FileExistsError):
        os.link(draft, path)
    draft.unlink()


def _replace(path: Path, text: str) -> None:
    draft = path.with_name(f"{path.name}.{os.getpid()}")
    draft.write_text(text + "\n", encoding="utf-8")
    draft.replace(path)
