"""A plain value against a shape: the value, or everything wrong with it in our words; it knows no file."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from orchestrator.configuration.document import Document, Place
from orchestrator.configuration.keys import Shape
from orchestrator.errors import Flaw
from orchestrator.rules.load import closest

SECRET_KEYS = frozenset({"auth", "secrets", "headers", "env"})
"""Under these a wrong value is never repeated: it may be the secret itself."""

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
"""A rule's name stands in workflow ids and beside causes of our own, which have a colon (`doorbell:ourselves`)."""

S = TypeVar("S", bound=Shape)
T = TypeVar("T")


@dataclass(slots=True)
class Found(Generic[T]):
    """What one kind of file gave: the sound things by name, all names that stand there, and what is wrong."""

    things: dict[str, T] = field(default_factory=dict)
    names: set[str] = field(default_factory=set)
    flaws: list[Flaw] = field(default_factory=list)
    warnings: list[Flaw] = field(default_factory=list)


def entries(document: Document, what: str, flaws: list[Flaw]) -> Iterator[tuple[str, Any]]:
    """The named entries of a file, those with a broken text or name left out."""
    if not document.sound(()) and document.value is None:
        return
    if document.value is None or not isinstance(document.value, Mapping):
        flaws.append(Flaw((), f"expected {what}s by name, got {_kind(document.value)}"))
        return
    for name, value in document.value.items():
        if NAME.fullmatch(name) is None:
            said = "letters, digits, `-` and `_`, at most 64"
            flaws.append(
                Flaw((name,), f"expected a {what}'s name of {said}, got {name!r}", key=True)
            )
        elif document.sound((name,)):
            yield name, value


def shaped(shape: type[S], value: Any, at: Place) -> tuple[S | None, list[Flaw]]:
    """The value as this shape, or None and why not."""
    if not isinstance(value, Mapping):
        return None, [Flaw(at, f"expected a mapping, got {_kind(value)}")]
    try:
        return shape.model_validate(value), []
    except ValidationError as error:
        return None, [_flaw(shape, found, at) for found in error.errors(include_url=False)]


def _flaw(shape: type[Shape], found: ErrorDetails, at: Place) -> Flaw:
    loc = tuple(part for part in found["loc"] if part != "[key]")
    last = loc[-1] if loc else ""
    match found["type"]:
        case "extra_forbidden":
            hint = closest(str(last), _keys_at(shape, loc[:-1]))
            return Flaw((*at, *loc), f"unknown key {last!r}{hint}", key=True)
        case "missing":
            return Flaw((*at, *loc[:-1]), f"the key {last!r} is missing", key=True)
        case "value_error":
            return Flaw((*at, *loc), found["msg"].removeprefix("Value error, "))
        case "too_short":
            came = found["ctx"]["actual_length"]
            return Flaw((*at, *loc), f"expected at least 1 item, got {came}")
        case _:
            came = "" if SECRET_KEYS & set(loc) else f", got {_kind(found['input'])}"
            return Flaw((*at, *loc), f"{_expected(shape, found, loc)}{came}")


def _expected(shape: type[Shape], found: ErrorDetails, loc: Place) -> str:
    match found["type"]:
        case "model_type":
            return f"expected a mapping with {', '.join(_keys_at(shape, loc))}"
        case "list_type":
            return "expected a list"
        case _:
            said = found["msg"].replace("Input should be", "expected")
            return said.replace("Input should", "should")


def _keys_at(shape: type[BaseModel], loc: Place) -> list[str]:
    """The keys that the mapping at a place inside this shape may have."""
    current: Any = shape
    for part in loc:
        model = _model(current)
        fields = {} if model is None else _fields(model)
        current = fields.get(str(part), current)
    model = _model(current)
    return [] if model is None else list(_fields(model))


def _fields(model: type[BaseModel]) -> dict[str, Any]:
    return {known.alias or name: known.annotation for name, known in model.model_fields.items()}


def _model(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((model for inner in get_args(annotation) if (model := _model(inner))), None)


def _kind(value: Any) -> str:
    match value:
        case None:
            return "nothing"
        case Mapping():
            return "a mapping"
        case list():
            return "a list"
        case _:
            return repr(value)[:100]
