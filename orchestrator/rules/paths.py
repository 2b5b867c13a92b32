"""Paths into a payload (`issue.labels[*].name`); it knows JSON and no rule.

A step is a name, `[3]`, `[*]` (any element of a list) or `["odd.name"]`. A missing step gives no value at all,
which is not the same as null.
"""

import re
from functools import lru_cache
from typing import Any

from orchestrator.errors import OperatorError

NAME = r"[^.\[\]\s][^.\[\]\n]*"
BRACKET = r"""\[(?:\d{1,9}|\*|'[^'\n]+'|"[^"\n]+")\]"""
PATH = re.compile(rf"(?:{NAME}|{BRACKET})(?:\.{NAME}|{BRACKET})*")
STEP = re.compile(rf"(?P<bracket>{BRACKET})|(?P<name>{NAME})")


Steps = tuple[str | int | None, ...]


class PathError(OperatorError):
    """A path can't be read."""


@lru_cache(maxsize=4096)
def steps_of(path: str) -> Steps:
    """The steps of a path: names, positions, and None for `[*]`. Raises `PathError`."""
    if PATH.fullmatch(path) is None:
        raise PathError(f"expected a path such as issue.labels[*].name, got {path!r}")
    return tuple(_step(found) for found in STEP.finditer(path))


def _step(found: re.Match[str]) -> str | int | None:
    if found["bracket"] is None:
        return found["name"]
    inside = found["bracket"][1:-1]
    if inside == "*":
        return None
    return int(inside) if inside.isdecimal() else inside[1:-1]


def values_at(payload: Any, path: str) -> list[Any]:
    """Every value at the path: none where it is missing, several where it has `[*]`."""
    return _found(payload, steps_of(path))


def is_wide(path: str) -> bool:
    """Whether the path has `[*]`, and so may lead to several values."""
    return None in steps_of(path)


def _found(payload: Any, steps: Steps) -> list[Any]:
    value = payload
    for number, step in enumerate(steps):
        if step is None:
            return _elements(value, steps[number + 1 :])
        if isinstance(step, str):
            if not isinstance(value, dict) or step not in value:
                return []
        elif not isinstance(value, list) or step >= len(value):
            return []
        value = value[step]
    return [value]


def _elements(value: Any, steps: Steps) -> list[Any]:
    if not isinstance(value, list):
        return []
    return [found for element in value for found in _found(element, steps)]
