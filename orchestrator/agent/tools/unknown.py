"""Arguments that a tool doesn't have, and those that look like one of its own; pure, it judges no value.

A server that reads names by other rules than ours (in another case, by how they look, out of an envelope) could take
for a bound or limited argument what the model chose.
"""

from collections.abc import Collection, Iterator, Mapping
from typing import Any, Final

from orchestrator.agent.text.looks import bare

_OPENING: Final = ("additionalProperties", "patternProperties", "unevaluatedProperties")


def strange(
    schema: Mapping[str, Any],
    fixed: Collection[str],
    arguments: Mapping[str, Any],
    limited: Collection[str] = (),
) -> list[str]:
    """The names of arguments that may not be given.

    Where a schema is open to any, those that look like one of the tool's, or have in them what looks like a fixed or a
    limited one.
    """
    names = schema["properties"]
    others = [name for name in arguments if name not in names and name not in fixed]
    if (names or fixed) and not any(word in schema for word in _OPENING):
        return others
    looks, guarded = {*map(bare, names)}, {*map(bare, (*fixed, *limited))}
    return [
        name
        for name in others
        if bare(name) in looks or guarded & {*_names({name: arguments[name]})}
    ]


def _names(value: Any) -> Iterator[str]:
    """Every name in a value, as it looks."""
    match value:
        case Mapping():
            for name, one in value.items():
                yield bare(str(name))
                yield from _names(one)
        case list():
            for one in value:
                yield from _names(one)
        case _:
            return
