"""What outlives a process as JSON, in Temporal's history, in the ledger or in a file, and how it was written before.

`stored.json` holds the least document of every structure as some version could have left it, the names of its
fields and the words of its enumerations. `python -m tests.conformance.stored` adds what isn't there yet; what an
older version wrote is never taken out.
"""

import dataclasses
import enum
import json
import types
import typing
from collections.abc import Iterator, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec

from orchestrator.agent.conversation.frozen import Frozen
from orchestrator.events import Actor
from orchestrator.rules.rule import Finding
from orchestrator.state import Addresses
from workflows import approvals, looks, messages
from workflows.carried import Carried, RunInput, RunResult

WRITTEN = Path(__file__).with_name("stored.json")
ROOTS = (
    *(kind for kind in vars(messages).values() if dataclasses.is_dataclass(kind)),
    *(kind for kind in vars(approvals).values() if dataclasses.is_dataclass(kind)),
    *(kind for kind in vars(looks).values() if dataclasses.is_dataclass(kind)),
    Carried,
    RunInput,
    RunResult,
    Frozen,
    Finding,
    Actor,
    Addresses,
)
PLAIN: dict[Any, Any] = {str: "x", int: 1, float: 1.5, bool: True, Decimal: "1", Any: "x"}


def name(kind: type) -> str:
    """How a structure is called in `stored.json`."""
    return f"{kind.__module__}.{kind.__qualname__}"


def structures() -> dict[str, type]:
    """Every dataclass and enumeration that the roots are made of, by name."""
    found: dict[str, type] = {}
    left: list[Any] = list(ROOTS)
    while left:
        kind = left.pop()
        if _is_structure(kind) and name(kind) not in found:
            left += typing.get_type_hints(kind).values()
        left += typing.get_args(kind)
        if isinstance(kind, type) and (_is_structure(kind) or _words(kind)):
            found[name(kind)] = kind
    return dict(sorted(found.items()))


def written() -> dict[str, Any]:
    """What stands in `stored.json`."""
    found: dict[str, Any] = json.loads(WRITTEN.read_text()) if WRITTEN.exists() else {}
    return found


def today(kind: type) -> dict[str, Any]:
    """What this version would write down of a structure."""
    if words := _words(kind):
        return {"words": words}
    return {"fields": _fields(kind), "least": [least(kind)]}


def least(kind: Any) -> dict[str, Any]:
    """The smallest document of a structure: only what it can't be read without."""
    hints = typing.get_type_hints(kind)
    return {name: _value(hints[name]) for name in _needed(kind)}


def _is_structure(kind: Any) -> bool:
    return dataclasses.is_dataclass(kind) or (
        isinstance(kind, type) and issubclass(kind, msgspec.Struct)
    )


def _fields(kind: Any) -> list[str]:
    if dataclasses.is_dataclass(kind):
        return [field.name for field in dataclasses.fields(kind)]
    return [field.name for field in msgspec.structs.fields(kind)]


def _needed(kind: Any) -> Iterator[str]:
    if not dataclasses.is_dataclass(kind):
        yield from (field.name for field in msgspec.structs.fields(kind) if field.required)
        return
    for field in dataclasses.fields(kind):
        if field.default is field.default_factory is dataclasses.MISSING:
            yield field.name


def _value(kind: Any) -> Any:
    origin = typing.get_origin(kind)
    if origin is types.UnionType:
        return None if type(None) in typing.get_args(kind) else _value(typing.get_args(kind)[0])
    if origin is tuple:
        return []
    if origin is not None and issubclass(origin, Mapping):
        return {}
    if _is_structure(kind):
        return least(kind)
    return words[0] if (words := _words(kind)) else PLAIN[kind]


def _words(kind: Any) -> list[Any]:
    is_words = isinstance(kind, type) and issubclass(kind, enum.Enum)
    return [member.value for member in kind] if is_words else []


def _merged(before: dict[str, Any], now: dict[str, Any]) -> dict[str, Any]:
    merged = dict(before)
    for part, said in now.items():
        known = before.get(part, [])
        merged[part] = known + [one for one in said if one not in known]
    return merged


def main() -> None:
    """Add what this version would write; keep what older ones wrote."""
    known = written()
    for called, kind in structures().items():
        known[called] = _merged(known.get(called, {}), today(kind))
    WRITTEN.write_text(json.dumps(dict(sorted(known.items())), indent=1) + "\n")


if __name__ == "__main__":
    main()
