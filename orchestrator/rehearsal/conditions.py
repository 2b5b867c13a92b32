"""What a condition can never be: leaves of one path that exclude each other; pure, and it knows no event.

Only what is certain is said: a path with `[*]` may hold for different elements, so it contradicts nothing.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import reduce
from itertools import groupby
from typing import Any, Final

from orchestrator.rules.operators import asks
from orchestrator.rules.paths import is_wide
from orchestrator.rules.rule import All, Any_, Cel, Condition, Leaf, Not, Operator

Place = tuple[str | int, ...]

FINITE: Final = frozenset({Operator.EQ, Operator.IN})
LOWER: Final = frozenset({Operator.GT, Operator.GE})
UPPER: Final = frozenset({Operator.LT, Operator.LE})
STRICT: Final = frozenset({Operator.GT, Operator.LT})


@dataclass(frozen=True, slots=True)
class Placed:
    """A leaf and where it stands below its rule."""

    place: Place
    leaf: Leaf


@dataclass(frozen=True, slots=True)
class Choice:
    """An `any`, each of its branches with its place."""

    place: Place
    branches: tuple[tuple[Place, Condition], ...]


@dataclass(frozen=True, slots=True)
class Clash:
    """Why a condition never holds, and where that shows."""

    place: Place
    message: str


def demanded(condition: Condition, at: Place = ("when",)) -> Iterator[Placed | Choice]:
    """Every leaf and every `any` that must hold for the condition to hold."""
    match condition:
        case Leaf():
            yield Placed((*at, condition.path, condition.operator.value), condition)
        case All(conditions=inner, listed=listed):
            for index, each in enumerate(inner):
                yield from demanded(each, (*at, "all", index) if listed else at)
        case Any_(conditions=inner):
            places = [(*at, "any", index) for index in range(len(inner))]
            yield Choice((*at, "any"), tuple(zip(places, inner, strict=True)))
        case Cel() | Not():
            pass


def asked(condition: Condition, at: Place = ("when",)) -> Iterator[Placed]:
    """Every leaf that may have to hold, those of the branches of an `any` too; not what a `not` turns round."""
    for one in demanded(condition, at):
        match one:
            case Placed():
                yield one
            case Choice():
                for place, branch in one.branches:
                    yield from asked(branch, place)


def clash(
    condition: Condition, at: Place = ("when",), beside: Sequence[Placed] = ()
) -> Clash | None:
    """Why the condition never holds beside other leaves, None where it may."""
    parts = list(demanded(condition, at))
    leaves = [*beside, *(one for one in parts if isinstance(one, Placed)), *_denied(condition, at)]
    found = _among(leaves)
    if found is not None:
        return found
    for choice in parts:
        if isinstance(choice, Choice):
            each = [clash(branch, place, leaves) for place, branch in choice.branches]
            if each and all(each):
                said = "; ".join(one.message for one in each if one is not None)
                return Clash(choice.place, f"no branch can ever hold: {said}")
    return None


def values_of(path: str, leaves: Sequence[Placed]) -> list[Any] | None:
    """The only values that these leaves leave for a path, None where there may be any."""
    here = [one.leaf for one in leaves if one.leaf.path == path]
    finite = [leaf for leaf in here if leaf.operator in FINITE]
    if not finite:
        return None
    return [value for value in _values(finite[0]) if all(_holds(leaf, [value]) for leaf in here)]


def _denied(condition: Condition, at: Place) -> Iterator[Placed]:
    """What every `not` demands, turned round."""
    match condition:
        case All(conditions=inner, listed=listed):
            for index, each in enumerate(inner):
                yield from _denied(each, (*at, "all", index) if listed else at)
        case Not(inner):
            yield from _turned(inner, (*at, "not"))
        case Leaf() | Cel() | Any_():
            pass


def _turned(condition: Condition, at: Place) -> Iterator[Placed]:
    """What must hold for the condition not to, where that can be said of single leaves."""
    match condition:
        case Leaf(path, operator) if operator in FINITE:
            place = (*at, path, operator.value)
            for value in _values(condition):
                yield Placed(place, Leaf(path, Operator.NE, value))
        case All(conditions=(only,), listed=listed):
            yield from _turned(only, (*at, "all", 0) if listed else at)
        case Any_(conditions=inner):
            for index, each in enumerate(inner):
                yield from _turned(each, (*at, index))
        case Leaf() | Cel() | All() | Not():
            pass


def _among(leaves: Sequence[Placed]) -> Clash | None:
    narrow = [one for one in leaves if not is_wide(one.leaf.path)]
    by_path = sorted(narrow, key=lambda one: one.leaf.path)
    for _, group in groupby(by_path, key=lambda one: one.leaf.path):
        same = list(group)
        found = _excluded(same) or _empty_range(same) or _absent(same)
        if found is not None:
            return found
    return None


def _excluded(leaves: Sequence[Placed]) -> Clash | None:
    """No value is left after the ones that `eq` and `in` allow."""
    first = next((one for one in leaves if one.leaf.operator in FINITE), None)
    if first is None:
        return None
    left = _values(first.leaf)
    for one in leaves:
        left = [value for value in left if _holds(one.leaf, [value])]
        if not left and one is not first:
            return _never(one, first)
    return None


def _empty_range(leaves: Sequence[Placed]) -> Clash | None:
    lows = [one for one in leaves if one.leaf.operator in LOWER and _number(one)]
    highs = [one for one in leaves if one.leaf.operator in UPPER and _number(one)]
    if not lows or not highs:
        return None
    low = max(lows, key=_expected)
    high = min(highs, key=_expected)
    strict = {low.leaf.operator, high.leaf.operator} & STRICT
    empty = _expected(low) > _expected(high) or (strict and _expected(low) == _expected(high))
    return _never(high, low) if empty else None


def _absent(leaves: Sequence[Placed]) -> Clash | None:
    missing = next((one for one in leaves if _says_missing(one.leaf)), None)
    if missing is None:
        return None
    needs = next((one for one in leaves if not _holds(one.leaf, [])), None)
    return None if needs is None else _never(needs, missing)


def _says_missing(leaf: Leaf) -> bool:
    return leaf.operator is Operator.EXISTS and not leaf.expected


def _values(leaf: Leaf) -> list[Any]:
    return list(leaf.expected) if leaf.operator is Operator.IN else [leaf.expected]


def _holds(leaf: Leaf, values: Sequence[Any]) -> bool:
    return asks(leaf.operator, leaf.expected, values)


def _number(one: Placed) -> bool:
    return isinstance(one.leaf.expected, int | float)


def _expected(one: Placed) -> float:
    return float(one.leaf.expected)


def _never(one: Placed, other: Placed) -> Clash:
    here, there = (f"{each.leaf.operator} {each.leaf.expected!r}" for each in (one, other))
    return Clash(one.place, f"{one.leaf.path} can't be {here} and {there}")


def overlap(one: str, other: str) -> bool:
    """Whether some text fits both globs."""
    start = frozenset({0})
    states = reduce(lambda found, char: _step(found, char, other), one, _closed(start, other))
    return len(other) in states


def _step(states: frozenset[int], char: str, glob: str) -> frozenset[int]:
    """The places in a glob where it may stand after the other glob's next character."""
    if char == "*":
        return _closed(frozenset(range(min(states, default=len(glob) + 1), len(glob) + 1)), glob)
    moved = {at for at in states if at < len(glob) and glob[at] == "*"}
    moved |= {
        at + 1
        for at in states
        if at < len(glob) and glob[at] != "*" and (char == "?" or glob[at] in {"?", char})
    }
    return _closed(frozenset(moved), glob)


def _closed(states: frozenset[int], glob: str) -> frozenset[int]:
    """A `*` may stand for nothing."""
    found = set(states)
    for at in sorted(states):
        place = at
        while place < len(glob) and glob[place] == "*":
            place += 1
            found.add(place)
    return frozenset(found)
