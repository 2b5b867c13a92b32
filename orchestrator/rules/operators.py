"""What a leaf may ask of the values at its path; it knows JSON values, and no event, path or rule.

Values are compared by type first: "7" is not 7, and true is not 1. A question is asked of every value that a
path gives; `ne` and `none` want no value to be so, all the others want one.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache, partial
from operator import ge, gt, le, lt
from typing import Any

import re2

from orchestrator.errors import OperatorError
from orchestrator.expressions import scrub
from orchestrator.rules.rule import Operator

Question = Callable[[Sequence[Any]], bool]


class OperatorValueError(OperatorError):
    """An operator was given a value it can't work with; `column` says where in its text."""

    def __init__(self, message: str, column: int | None = None) -> None:
        super().__init__(message)
        self.column = column


def asks(operator: Operator, expected: Any, values: Sequence[Any]) -> bool:
    """Whether the values at a path (none: it is missing) answer the question with yes."""
    return asking(operator, expected)(values)


def asking(operator: Operator, expected: Any) -> Question:
    """The question that a leaf asks of the values at its path, made ready to be asked often."""
    one, wants = asking_each(operator, expected)
    return lambda values: any(map(one, values)) is wants


def asking_each(operator: Operator, expected: Any) -> tuple[Callable[[Any], bool], bool]:
    """What each value at the path is asked, and whether the leaf wants one of them to say yes, or none."""
    match operator:
        case Operator.EXISTS:
            return (lambda _: True), bool(expected)
        case Operator.NE:
            return _ONE[Operator.EQ](expected), False
        case Operator.NONE:
            return _ONE[Operator.HAS](expected), False
        case _:
            return _ONE[operator](expected), True


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


def is_glob(value: Any) -> bool:
    """Whether a plain text in a rule is a glob rather than itself."""
    return isinstance(value, str) and ("*" in value or "?" in value)


def like(value: Any, expected: Any) -> bool:
    """Whether a text fits a glob, or one of several; `*` crosses `/` and `.`, and case counts."""
    return _like(expected)(value)


def refuse_unfit(operator: Operator, expected: Any) -> None:
    """Raise `OperatorValueError` where the operator could never work with this value."""
    fits, wanted = _FITS[operator]
    if not fits(expected):
        got = list(expected) if isinstance(expected, tuple) else expected
        raise OperatorValueError(f"{operator.value} expects {wanted}, got {got!r}")
    if operator is Operator.REGEX:
        _regex(expected)


@lru_cache(maxsize=4096)
def glob(pattern: str) -> Callable[[str], bool]:
    """Whether a text fits the glob, in time that grows with the text's length and no faster."""
    clean = scrub(pattern)
    if "?" in clean:
        quoted = re2.escape(clean).replace(r"\*", ".*").replace(r"\?", ".")
        compiled = re2.compile(f"(?s){quoted}", _OPTIONS)
        return lambda text: compiled.fullmatch(scrub(text)) is not None
    first, *rest = clean.split("*")
    if not rest:
        return lambda text: scrub(text) == first
    if rest == [""]:
        return lambda text: scrub(text).startswith(first)
    return partial(_in_order, first, rest[:-1], rest[-1])


def _in_order(first: str, between: Sequence[str], last: str, text: str) -> bool:
    """Whether the text begins, goes on and ends with these, none of them over another."""
    clean = scrub(text)
    if not clean.startswith(first):
        return False
    at = len(first)
    for part in between:
        found = clean.find(part, at)
        if found < 0:
            return False
        at = found + len(part)
    return clean.endswith(last, at)


def _like(expected: Any) -> Callable[[Any], bool]:
    choices = expected if isinstance(expected, list | tuple) else [expected]
    fits = [glob(choice) for choice in choices]
    if len(fits) == 1:
        only = fits[0]
        return lambda value: isinstance(value, str) and only(value)
    return lambda value: isinstance(value, str) and any(each(value) for each in fits)


@lru_cache(maxsize=4096)
def _regex(pattern: str) -> Any:
    try:
        return re2.compile(scrub(pattern), _OPTIONS)
    except re2.error as error:
        said = error.args[0] if error.args else ""
        words = said.decode(errors="replace") if isinstance(said, bytes) else str(said)
        wrong = words.rpartition(": ")[2]
        column = pattern.find(wrong) + 1 if wrong else len(pattern)
        words += MOST_OFTEN if words.startswith("invalid repetition size") else ""
        raise OperatorValueError(
            f"expected a regular expression (RE2 syntax), got {pattern!r}: {words}", column or 1
        ) from None


@lru_cache(maxsize=64)
def _encoded(text: str) -> bytes:
    return scrub(text).encode()


def _quiet() -> Any:
    options = re2.Options()
    options.log_errors = False
    return options


_OPTIONS = _quiet()
MOST_OFTEN = " (RE2 repeats 1000 times at most)"
_NUMBERS = (int, float)


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


def _equal(expected: Any) -> Callable[[Any], bool]:
    if isinstance(expected, str):
        return lambda value: value.__class__ is str and value == expected
    return lambda value: same(value, expected)


def _among(expected: Any) -> Callable[[Any], bool]:
    if all(isinstance(each, str) for each in expected):
        texts = frozenset(expected)
        return lambda value: value.__class__ is str and value in texts
    return lambda value: any(same(value, each) for each in expected)


def _has(expected: Any) -> Callable[[Any], bool]:
    among = _among(expected if isinstance(expected, list | tuple) else (expected,))
    return lambda value: any(map(among, value)) if isinstance(value, list) else among(value)


def _compared(order: Callable[[Any, Any], bool]) -> Callable[[Any], Callable[[Any], bool]]:
    def one(expected: Any) -> Callable[[Any], bool]:
        kinds = _NUMBERS if _is_number(expected) else (str,) if isinstance(expected, str) else ()
        return lambda value: (
            isinstance(value, kinds) and value.__class__ is not bool and order(value, expected)
        )

    return one


def _searched(expected: str) -> Callable[[Any], bool]:
    search = _regex(expected).search
    # In bytes, so that the vendor doesn't count the characters of each text again for each pattern.
    return lambda value: isinstance(value, str) and search(_encoded(value)) is not None


_ONE: Mapping[Operator, Callable[[Any], Callable[[Any], bool]]] = {
    Operator.EQ: _equal,
    Operator.IN: _among,
    Operator.HAS: _has,
    Operator.GT: _compared(gt),
    Operator.GE: _compared(ge),
    Operator.LT: _compared(lt),
    Operator.LE: _compared(le),
    Operator.GLOB: _like,
    Operator.REGEX: _searched,
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
