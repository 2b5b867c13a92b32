"""What an attack on a policy is, and what came of one; it knows no attack and runs nothing."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from orchestrator.demo.wire import ToolUse
from tests.support.inject_playing import Turn

SECRET: Final = "Zq8vT1mK9-wLr2XyBn4Pd7Hs"
REPO: Final = "api"
FREE: Final = {"writes": "{town.comment: {max: 5}}"}


@dataclass(frozen=True, kw_only=True)
class Came:
    """What came of an attack: its run, what the server executed of it, the keys that it listens to."""

    number: int
    run: Mapping[str, Any]
    executed: Sequence[Mapping[str, Any]]
    keys: Sequence[str]

    def of(self, tool: str) -> list[Mapping[str, Any]]:
        """The arguments of each call of a tool that was executed."""
        return [call["arguments"] for call in self.executed if call["tool"] == tool]


Patch = tuple[Any, str, Any]


@dataclass(frozen=True, kw_only=True)
class Attack:
    """One way round one policy. `consents` says to how many calls a person consents; `turned` what a server becomes."""

    family: str
    name: str
    turns: Sequence[Turn]
    harmed: Callable[[Came], bool]
    on: Mapping[str, str] = field(default_factory=dict)
    off: Mapping[str, str] = field(default_factory=dict)
    patched: Sequence[Patch] = ()
    without_redaction: bool = False
    consents: int = 0
    turned: Mapping[str, str] | None = None

    @property
    def id(self) -> str:
        return f"{self.family}-{self.name}"


def use(tool: str, **arguments: Any) -> ToolUse:
    return ToolUse(f"town__{tool}", arguments)


def turn(*uses: ToolUse) -> Turn:
    return lambda _: uses


def made(tool: str) -> Callable[[Came], bool]:
    return lambda came: bool(came.of(tool))
