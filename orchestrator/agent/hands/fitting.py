"""Whether a value fits a schema that a stranger wrote; it fetches nothing, and whatever the schema says, it answers.

Patterns are matched by RE2, in time that grows with the text and no faster. What RE2 can't read is left to the server.
"""

import re
from collections.abc import Iterator, Mapping
from itertools import count
from typing import Any, Final

from jsonschema import Draft202012Validator, ValidationError
from jsonschema.validators import extend
from referencing import Registry
from referencing.exceptions import Unresolvable

from orchestrator.rules.operators import OperatorValueError, asks
from orchestrator.rules.rule import Operator

MOST_FOLLOWED: Final = 20_000
"""References followed for one value: a few hundred bytes of schema can lead through one millions of times."""

_STOCK: Final = Draft202012Validator.VALIDATORS
_CLASS: Final = re.compile(r"\\[wWdDsSbB]")
# Without a way to retrieve: else a reference would make the validator ask whom a stranger named.
_NOWHERE: Final[Registry[Any]] = Registry()


def faults(schema: Mapping[str, Any], value: Any) -> list[ValidationError]:
    """What is wrong with a value, by the place in it; that a schema can't be followed is a fault too."""
    kind = _LENIENT if _names_by_pattern(schema) else _STRICT
    try:
        found = list(_counting(kind)(schema, registry=_NOWHERE).iter_errors(value))
    except _TooMuch:
        return [ValidationError("the schema leads through it too often to be checked")]
    except Unresolvable:
        return [ValidationError("the schema refers to what it doesn't have")]
    except RecursionError:
        return [ValidationError("it's nested too deeply, or the schema refers to itself")]
    except (OverflowError, ValueError):
        return [ValidationError("a number in it is beyond what can be reckoned with")]
    return sorted(found, key=lambda error: error.json_path)


class _TooMuch(Exception):
    """More references were followed than any honest schema needs."""


def _counting(kind: Any) -> Any:
    """The same validator, which follows so many references and no more."""
    followed = count(1)

    def follow(validator: Any, reference: Any, value: Any, schema: Any) -> Iterator[Any]:
        if next(followed) > MOST_FOLLOWED:
            raise _TooMuch
        yield from _STOCK["$ref"](validator, reference, value, schema)

    return extend(kind, {"$ref": follow})  # type: ignore[no-untyped-call]  # the stubs leave it so


def _matches(pattern: str, text: str) -> bool | None:
    """Whether the pattern is found in the text; None where only the server can tell."""
    try:
        found = asks(Operator.REGEX, pattern, [text])
    except OperatorValueError:
        return None
    # RE2's classes are of ASCII; most servers' are of Unicode.
    return None if not found and not text.isascii() and _CLASS.search(pattern) else found


def _pattern(_: Any, pattern: Any, value: Any, __: Any) -> Iterator[ValidationError]:
    if isinstance(value, str) and _matches(pattern, value) is False:
        yield ValidationError(f"{value!r} does not match {pattern!r}")


def _by_pattern(validator: Any, patterns: Any, value: Any, _: Any) -> Iterator[ValidationError]:
    for name, one in value.items() if isinstance(value, Mapping) else ():
        for pattern, schema in patterns.items():
            if _matches(pattern, name):
                yield from validator.descend(one, schema, path=name, schema_path=pattern)


def _additional(validator: Any, allowed: Any, value: Any, schema: Any) -> Iterator[ValidationError]:
    if not isinstance(value, Mapping):
        return
    known, patterns = schema.get("properties", {}), schema.get("patternProperties", {})
    others = {
        name: one
        for name, one in value.items()
        if name not in known and all(_matches(each, name) is False for each in patterns)
    }
    yield from _STOCK["additionalProperties"](validator, allowed, others, {})


def _left(*_: Any) -> Iterator[ValidationError]:
    yield from ()


def _names_by_pattern(node: Any) -> bool:
    match node:
        case Mapping():
            return "patternProperties" in node or any(map(_names_by_pattern, node.values()))
        case list():
            return any(map(_names_by_pattern, node))
        case _:
            return False


_STRICT: Final = extend(  # type: ignore[no-untyped-call]  # the stubs leave it so
    Draft202012Validator,
    {
        "pattern": _pattern,
        "patternProperties": _by_pattern,
        "additionalProperties": _additional,
        # Where it leads is known only while it's followed, by way of names that no repair checks.
        "$dynamicRef": _left,
    },
)
# The vendor looks for what is unevaluated with a backtracking matcher of its own.
_LENIENT: Final = extend(_STRICT, {"unevaluatedProperties": _left})  # type: ignore[no-untyped-call]  # the same
