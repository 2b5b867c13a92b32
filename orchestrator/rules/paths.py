"""Paths into a payload (`issue.labels[*].name`); it knows JSON and no rule.

A step is a name, `[3]`, `[*]` (any element of a list) or `["odd.name"]`. A missing step gives no value at all,
which is not the same as null.
"""

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from orchestrator.errors import OperatorError

NAME = r"[^.\[\]\s][^.\[\]\n]*"
BRACKET = r"""\[(?:\d{1,9}|\*|'[^'\n]+'|"[^"\n]+")\]"""
PATH = re.compile(rf"(?:{NAME}|{BRACKET})(?:\.{NAME}|{BRACKET})*")
STEP = re.compile(rf"(?P<bracket>{BRACKET})|(?P<name>{NAME})")


class PathError(OperatorError):
    """A path can't be read."""


@lru_cache(maxsize=4096)
def steps_of(path: str) -> tuple[str | int | None, ...]:
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
    values = [payload]
    for step in steps_of(path):
        values = [found for value in values for found in _descend(value, step)]
    return values


def _descend(value: Any, step: str | int | None) -> list[Any]:
    match value, step:
        case list(), None:
            return list(value)
        case list(), int(position):
            return value[position : position + 1]
        case Mapping(), str(name) if name in value:
            return [value[name]]
        case _:
            return []
