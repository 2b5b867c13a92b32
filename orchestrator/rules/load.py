"""What stands under `when:` as conditions; it knows plain values and no file: a flaw names keys, not lines."""

from collections.abc import Callable, Iterable, Mapping
from difflib import get_close_matches
from typing import Any

from orchestrator.errors import Flaw
from orchestrator.expressions import Expression, ExpressionError, Problem
from orchestrator.rules.operators import OperatorValueError, is_glob, refuse_unfit
from orchestrator.rules.paths import PathError, steps_of
from orchestrator.rules.rule import All, Any_, Cel, Condition, Leaf, Not, Operator

Place = tuple[str | int, ...]
Read = tuple[Condition, list[Flaw]]

MAX_NESTING = 20
"""Levels of any, all and not within each other."""


def condition_of(value: Any, at: Place) -> Read:
    """The condition a mapping of leaves and groups means, and everything wrong with it."""
    if not isinstance(value, Mapping):
        return _flawed(at, f"expected a mapping of paths to what they should be, got {value!r}")
    if len(at) > MAX_NESTING * 2:
        return _flawed(at, f"expected at most {MAX_NESTING} levels of any, all and not")
    read = [_line(key, item, (*at, key)) for key, item in value.items()]
    return All(tuple(condition for condition, _ in read)), [
        flaw for _, found in read for flaw in found
    ]


def closest(word: str, known: Iterable[str]) -> str:
    """The end of a sentence that offers the known word nearest to an unknown one, or lists them."""
    choices = sorted(known)
    near = get_close_matches(word, choices, n=1, cutoff=0.6)
    if near:
        return f"; did you mean {near[0]!r}?"
    return f"; known: {', '.join(choices)}" if choices else "; there are none"


def _line(key: str, item: Any, at: Place) -> Read:
    group = _GROUPS.get(key)
    return group(item, at) if group is not None else _leaf(key, item, at)


def _several(item: Any, at: Place) -> tuple[tuple[Condition, ...], list[Flaw]]:
    if not isinstance(item, list) or not item:
        return (), [Flaw(at, f"expected a list of conditions, got {item!r}")]
    read = [condition_of(each, (*at, index)) for index, each in enumerate(item)]
    return tuple(condition for condition, _ in read), [flaw for _, found in read for flaw in found]


def _any(item: Any, at: Place) -> Read:
    conditions, flaws = _several(item, at)
    return Any_(conditions), flaws


def _all(item: Any, at: Place) -> Read:
    conditions, flaws = _several(item, at)
    return All(conditions, listed=True), flaws


def _not(item: Any, at: Place) -> Read:
    condition, flaws = _any(item, at) if isinstance(item, list) else condition_of(item, at)
    return Not(condition), flaws


def _cel(item: Any, at: Place) -> Read:
    if not isinstance(item, str):
        return _flawed(at, f"expected a CEL expression in quotes, got {item!r}")
    try:
        Expression.compile(item)
    except ExpressionError as error:
        flaws = [_misread(at, problem, drawn) for problem, drawn in error.drawn()]
        return All(()), flaws
    return Cel(item), []


def _misread(at: Place, problem: Problem, drawn: str) -> Flaw:
    return Flaw(at, f"CEL: {problem.message}\n{drawn}", within=(problem.line, problem.column))


_GROUPS: Mapping[str, Callable[[Any, Place], Read]] = {
    "any": _any,
    "all": _all,
    "not": _not,
    "cel": _cel,
}


def _leaf(path: str, item: Any, at: Place) -> Read:
    try:
        steps_of(path)
    except PathError as error:
        return _flawed(at, str(error), key=True)
    match item:
        case Mapping():
            return _operators(path, item, at)
        case list() if any(map(is_glob, item)):
            return _question(Leaf(path, Operator.GLOB, tuple(item)), at)
        case list():
            return _question(Leaf(path, Operator.IN, tuple(item)), at)
        case _ if is_glob(item):
            return _question(Leaf(path, Operator.GLOB, item), at)
        case _:
            return _question(Leaf(path, Operator.EQ, item), at)


def _operators(path: str, item: Mapping[str, Any], at: Place) -> Read:
    if not item:
        return _flawed(at, "expected a value or operators, got an empty mapping")
    read = [_operator(path, word, expected, (*at, word)) for word, expected in item.items()]
    leaves = tuple(condition for condition, _ in read)
    flaws = [flaw for _, found in read for flaw in found]
    return (leaves[0] if len(leaves) == 1 else All(leaves)), flaws


def _operator(path: str, word: str, expected: Any, at: Place) -> Read:
    if word not in set(Operator):
        hint = closest(word, [operator.value for operator in Operator])
        return _flawed(
            at, f"unknown operator {word!r}{hint} (a deeper field is {path}.{word})", key=True
        )
    value = tuple(expected) if isinstance(expected, list) else expected
    return _question(Leaf(path, Operator(word), value), at)


def _question(leaf: Leaf, at: Place) -> Read:
    try:
        refuse_unfit(leaf.operator, leaf.expected)
    except OperatorValueError as error:
        return leaf, [
            Flaw(at, str(error), within=None if error.column is None else (1, error.column))
        ]
    return leaf, []


def _flawed(at: Place, message: str, *, key: bool = False) -> Read:
    return All(()), [Flaw(at, message, key)]
