"""A configuration directory that a test writes, and a process' reloading over it with a clock of its own."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from orchestrator.configuration.reading import read, stamps_of
from orchestrator.configuration.reloading import Reloading
from orchestrator.database import Database
from orchestrator.stores import read_secret_file

SOURCES = """\
github:
  scheme: github
  secrets: [env:GITHUB_WEBHOOK_SECRET]
"""

RULE = """\
NAME:
  on: [github/issues.*]
  forward: {url: "https://hooks.example.com/NAME", secret: env:GITHUB_WEBHOOK_SECRET}
"""

ENVIRONMENT = {"GITHUB_WEBHOOK_SECRET": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"}
LONG = 5.0
"""Seconds after which files count as quiet."""


@dataclass
class Told:
    """A log that remembers its lines."""

    lines: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    def _say(self, name: str, **told: Any) -> None:
        self.lines.append((name, told))

    info = warning = error = exception = _say

    def named(self, name: str) -> list[dict[str, Any]]:
        return [told for said, told in self.lines if said == name]


@dataclass(kw_only=True)
class Files:
    """The directory."""

    at: Path

    def write(self, texts: Mapping[str, str]) -> None:
        for name, text in texts.items():
            path = self.at / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")

    def rules(self, *names: str) -> None:
        """These rules and no other."""
        for old in (self.at / "rules").glob("*.yaml"):
            old.unlink()
        self.write({f"rules/{name}.yaml": RULE.replace("NAME", name) for name in names})

    def spoil(self, name: str) -> None:
        """A slip of the pen: one mistake."""
        self.write(
            {
                f"rules/{name}.yaml": RULE.replace("NAME", name).replace(
                    "on:", "when: {action: {eqq: opened}}\n  on:"
                )
            }
        )


@dataclass(kw_only=True)
class Process:
    """One process' reloading; `passes` lets time pass and looks."""

    files: Files
    log: Told
    reloading: Reloading
    monotonic: list[float]

    async def passes(self, seconds: float = LONG) -> int:
        """Look, let so many seconds pass, look again; how many configurations were read."""
        read_now = await self.reloading.step()
        self.monotonic[0] += seconds
        return read_now + await self.reloading.step()

    def rules(self) -> list[str]:
        return [rule.name for rule in self.reloading.configuration().rules]


def process(
    at: Path, ledger: Database, environment: dict[str, str] | None = None, **changes: Any
) -> Process:
    """A process over this directory, not started yet."""
    told, log, monotonic = environment or dict(ENVIRONMENT), Told(), [0.0]
    # Its calendar is not that of the files: none of them is young.
    began = datetime(2000, 1, 1, tzinfo=UTC)
    made = Reloading(
        read=lambda: read(at, told, read_secret_file),
        stamp=lambda beside: stamps_of(at, beside),
        ledger=ledger,
        now=lambda: began + timedelta(seconds=monotonic[0]),
        log=log,
        clock=lambda: monotonic[0],
        **{"keeps": True, **changes},
    )
    return Process(files=Files(at=at), log=log, reloading=made, monotonic=monotonic)


def removed(at: Path) -> None:
    """The directory is gone."""
    for path in sorted(at.rglob("*"), reverse=True):
        with suppress(IsADirectoryError):
            path.unlink() if path.is_file() else path.rmdir()
    at.rmdir()
