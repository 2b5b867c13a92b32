"""Arguments that a tool doesn't have, and those that look like a bound one; pure, it judges no value.

A server that reads names by other rules than ours (in another case, by how they look, out of an envelope) could take
for a bound argument what the model chose.
"""

import re
import unicodedata
from collections.abc import Collection, Iterator, Mapping
from typing import Any, Final

_OPENING: Final = ("additionalProperties", "patternProperties", "unevaluatedProperties")
_BETWEEN: Final = re.compile(r"[\W_]+")


def strange(
    schema: Mapping[str, Any], fixed: Collection[str], arguments: Mapping[str, Any]
) -> list[str]:
    """The names of arguments that may not be given; where a schema is open to any, those that look like a fixed one."""
    names = schema["properties"]
    others = [name for name in arguments if name not in names and name not in fixed]
    if names and not any(word in schema for word in _OPENING):
        return others
    looks = {_folded(name) for name in fixed}
    return [name for name in others if looks & {*_names({name: arguments[name]})}]


def _names(value: Any) -> Iterator[str]:
    """Every name in a value, as it looks."""
    match value:
        case Mapping():
            for name, one in value.items():
                yield _folded(str(name))
                yield from _names(one)
        case list():
            for one in value:
                yield from _names(one)
        case _:
            return


def _folded(name: str) -> str:
    return _BETWEEN.sub("", unicodedata.normalize("NFKC", name)).casefold()
