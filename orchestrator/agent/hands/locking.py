"""Whether a tool is what was locked, and what is different if it isn't; values in, words out, it asks no server."""

import json
from collections.abc import Iterator, Mapping
from itertools import islice, takewhile
from typing import Any, Final

from orchestrator.agent.hands.definitions import (
    Discovered,
    ToolDefinition,
    canonical,
    definition_hash,
)
from orchestrator.agent.text.untrusted import shown
from orchestrator.configuration.locks import Lock, LockedServer, LockedTool, hash_of
from workflows.playbook import TextPolicy

MOST_LINES: Final = 12
AROUND: Final = 20
"""Characters before a difference that are shown with it."""
SHOWN: Final = 100
AS_A_RULE: Final = TextPolicy()


def estranged(lock: Lock, found: Discovered, way: str) -> str | None:
    """Why a server isn't the one that was locked, whatever its tools; `way` is how it is reached now, as a digest."""
    if not lock.sound:
        return (
            "tools.lock can't be used, so no tool of any server may be called; run `doorbell check`"
        )
    locked = lock.servers.get(found.server)
    if locked is None:
        return None
    if locked.reached != way:
        return (
            f"server {found.server!r} is reached otherwise than when its tools were locked: look at servers.yaml,"
            f" then run `doorbell lock --accept {found.server}`"
        )
    if _name(locked.identity) != _name(found.identity):
        return (
            f"server {found.server!r} calls itself {_short(found.identity)}, and it was {_short(locked.identity)}"
            f" when its tools were locked; if that is meant, run `doorbell lock --accept {found.server}`"
        )
    return None


def drifted(lock: Lock, definition: ToolDefinition) -> str | None:
    """Why a tool isn't the one that was locked, with what is different."""
    name = f"{definition.server}.{definition.name}"
    locked = lock.tool(definition.server, definition.name)
    if locked is None:
        return f"{name} isn't locked: run `doorbell lock`, and look at what it adds to tools.lock"
    if definition_hash(definition) == locked.hash:
        return None
    return "\n".join(
        (
            f"the definition of {name} isn't the one that was locked:",
            *differences(locked.definition, canonical(definition)),
            f"if that is meant, run `doorbell lock --accept {name}`",
        )
    )


def changed(pinned: Mapping[str, Any], definition: ToolDefinition) -> str:
    """That a tool is no longer what a run was opened with, with what is different where that is still known."""
    told = differences(pinned, canonical(definition)) if pinned else ()
    said = (
        f"{definition.server}.{definition.name} is no longer what it was when this run was opened"
    )
    return "\n".join((f"{said}:", *told)) if told else f"{said}."


def differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> tuple[str, ...]:
    """What is different between two definitions, a line for each field, in an order that is always the same."""
    told = _differences("", before, after)
    lines = list(islice(told, MOST_LINES))
    left = sum(1 for _ in told)
    return (*lines, f"  … and {left} more") if left else tuple(lines)


def same_server(locked: LockedServer, found: Discovered, way: str) -> bool:
    """Whether a server is reached as when it was locked, and calls itself so."""
    return locked.reached == way and _name(locked.identity) == _name(found.identity)


def locked_as(definition: ToolDefinition, accepted_at: float | None = None) -> LockedTool:
    """A definition as it stands in the lock."""
    return LockedTool(definition=canonical(definition), accepted_at=accepted_at)


def _differences(path: str, before: Any, after: Any) -> Iterator[str]:
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        for key in sorted({*before, *after}):
            at = f"{path}.{key}" if path else str(key)
            if key not in before:
                yield f"  + {_short(at)}: {_value(after[key])}"
            elif key not in after:
                yield f"  - {_short(at)}: {_value(before[key])}"
            else:
                yield from _differences(at, before[key], after[key])
    elif hash_of({_last(path): before}) != hash_of({_last(path): after}):
        yield f"  ~ {_short(path)}: {_from_to(_text(before), _text(after))}"


def _last(path: str) -> str:
    return path.rpartition(".")[2]


def _from_to(before: str, after: str) -> str:
    # Two long texts that differ at their ends would look the same.
    alike = takewhile(lambda pair: pair[0] == pair[1], zip(before, after, strict=False))
    start = max(sum(1 for _ in alike) - AROUND, 0)
    lead = "…" if start else ""
    return f"{lead}{_short(before[start:])} → {lead}{_short(after[start:])}"


def _value(value: Any) -> str:
    return _short(_text(value))


def _text(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True, default=str)


def _short(text: str) -> str:
    told = " ".join(shown(text, AS_A_RULE).split())
    return told if len(told) <= SHOWN else f"{told[: SHOWN - 1]}…"


def _name(identity: str) -> str:
    """Without the version, which servers rarely tell rightly, and which changes with every release."""
    return identity.rpartition(" ")[0] or identity
