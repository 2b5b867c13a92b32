"""What a leaf may ask of the values at its path; it knows JSON values, and no event, path or rule.

Values are compared by type first: "7" is not 7, and true is not 1. A question is asked of every value that a
path gives; `ne` and `none` want no value to be so, all the others want one.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any

import re2

from orchestrator.errors import OperatorError
from orchestrator.expressions import scrub
from orchestrator.rules.rule import Operator


class OperatorValueError(OperatorError):
    """An operator was given a value it can't work with."""


def asks(operator: Operator, expected: Any, values: Sequence[Any]) -> bool:
    """Whether the values at a path (none: it is missing) answer the question with yes."""
    match operator:
        case Operator.EXISTS:
            return bool(values) is bool(expected)
        case Operator.NE:
            return not any(same(value, expected) for value in values)
        case Operator.NONE:
            return not any(one_of(value, expected) for value in values)
        case _:
            return any(_ASKS[operator](value, expected) for value in values)


def same(value: Any, expected: Any) -> bool:
    """Equality of JSON values that never mixes text, numbers and booleans."""
    match value, expected:
        case bool(), bool():
            return value is expected
        case (bool(), _) | (_, bool()):
            return False
        case list(), list() | tuple():
            return len(value) == len(expected) and all(map(same, value, expected))
        case Mapping(), Mapping():
            return value.keys() == expected.keys() and all(
                same(value[key], expected[key]) for key in value
            )
        case _:
            return bool(value == expected)


def one_of(value: Any, expected: Any) -> bool:
    """Whether a value, or an element of a list that is the value, is among the expected ones."""
    choices = expected if isinstance(expected, list | tuple) else [expected]
    found = value if isinstance(value, list) else [value]
    return any(same(each, choice) for each in found for choice in choices)


def is_glob(value: Any) -> bool:
    """Whether a plain text in a rule is a glob rather than itself."""
    return isinstance(value, str) and ("*" in value or "?" in value)


def like(value: Any, expected: Any) -> bool:
    """Whether a text fits a glob, or one of several; `*` crosses `/` and `.`, and case counts."""
    if not isinstance(value, str):
        return False
    choices = expected if isinstance(expected, list | tuple) else [expected]
    return any(_glob(choice).fullmatch(scrub(value)) is not None for choice in choices)


def refuse_unfit(operator: Operator, expected: Any) -> None:
    """Raise `OperatorValueError` where the operator could never work with this value."""
    fits, wanted = _FITS[operator]
    if not fits(expected):
        raise OperatorValueError(f"{operator.value} expects {wanted}, got {expected!r}")
    if operator is Operator.REGEX:
        _regex(expected)


@lru_cache(maxsize=4096)
def _glob(pattern: str) -> Any:
    quoted = re2.escape(scrub(pattern)).replace(r"\*", ".*").replace(r"\?", ".")
    return re2.compile(f"(?s){quoted}", _OPTIONS)


@lru_cache(maxsize=4096)
def _regex(pattern: str) -> Any:
    try:
        return re2.compile(scrub(pattern), _OPTIONS)
    except re2.error as error:
        said = error.args[0] if error.args else ""
        words = said.decode(errors="replace") if isinstance(said, bytes) else str(said)
        raise OperatorValueError(
            f"expected a regular expression (RE2 syntax), got {pattern!r}: {words}"
        ) from None


def _quiet() -> Any:
    options = re2.Options()
    options.log_errors = False
    return options


_OPTIONS = _quiet()


def _comparable(value: Any, expected: Any) -> bool:
    return (
        _is_number(value) == _is_number(expected) and _is_ordered(value) and _is_ordered(expected)
    )


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_ordered(value: Any) -> bool:
    return _is_number(value) or isinstance(value, str)


def _is_scalar(value: Any) -> bool:
    return value is None or isinstance(value, str | int | float)


def _is_texts(value: Any) -> bool:
    return isinstance(value, str) or _is_list(value, str)


def _is_list(value: Any, of: type = object) -> bool:
    return (
        isinstance(value, list | tuple)
        and bool(value)
        and all(isinstance(each, of) for each in value)
    )


_ASKS: Mapping[Operator, Callable[[Any, Any], bool]] = {
    Operator.EQ: same,
    Operator.IN: lambda value, expected: any(same(value, each) for each in expected),
    Operator.HAS: one_of,
    Operator.GT: lambda value, expected: _comparable(value, expected) and value > expected,
    Operator.GE: lambda value, expected: _comparable(value, expected) and value >= expected,
    Operator.LT: lambda value, expected: _comparable(value, expected) and value < expected,
    Operator.LE: lambda value, expected: _comparable(value, expected) and value <= expected,
    Operator.GLOB: like,
    Operator.REGEX: lambda value, expected: (
        isinstance(value, str) and _regex(expected).search(scrub(value)) is not None
    ),
}
_ORDERED = (_is_ordered, "a number or a text")
_SCALAR = (_is_scalar, "one plain value")
_FITS: Mapping[Operator, tuple[Callable[[Any], bool], str]] = {
    Operator.EQ: _SCALAR,
    Operator.NE: _SCALAR,
    Operator.IN: (_is_list, "a list with something in it"),
    Operator.NONE: (
        lambda value: _is_list(value) or _is_scalar(value),
        "a list or one plain value",
    ),
    Operator.HAS: (lambda value: _is_list(value) or _is_scalar(value), "a list or one plain value"),
    Operator.GT: _ORDERED,
    Operator.GE: _ORDERED,
    Operator.LT: _ORDERED,
    Operator.LE: _ORDERED,
    Operator.EXISTS: (lambda value: isinstance(value, bool), "true or false"),
    Operator.GLOB: (_is_texts, "a text, or a list of texts"),
    Operator.REGEX: (lambda value: isinstance(value, str), "a text"),
}
