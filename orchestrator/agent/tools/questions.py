"""Questions to people: which form an answer may be asked in, and whether an answer has it; pure, it asks nobody.

The form is a small part of JSON Schema, so that a person can read it and no schema takes for ever.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

from jsonschema import Draft202012Validator, SchemaError

from orchestrator.agent.tools.toolset import complaints

KEYS: Final = frozenset(
    {
        "type",
        "enum",
        "const",
        "title",
        "description",
        "properties",
        "required",
        "additionalProperties",
        "items",
        "minItems",
        "maxItems",
        "minLength",
        "maxLength",
        "minimum",
        "maximum",
    }
)
DEEPEST: Final = 5
TEXT: Final[Mapping[str, Any]] = {"type": "string", "minLength": 1}
"""What an answer is where the question doesn't say."""


def form_of(arguments: Mapping[str, Any]) -> Mapping[str, Any]:
    """The schema that the answer to a question must fit."""
    given = arguments.get("answer")
    return given if isinstance(given, Mapping) and given else TEXT


def unsound(arguments: Mapping[str, Any]) -> str | None:
    """What is wrong with the form of a question, in words for the model; None when nothing is."""
    form = form_of(arguments)
    strange = next(_strange(form, 0), None)
    if strange is not None:
        return f"`answer` is a small JSON Schema: {strange}."
    try:
        Draft202012Validator.check_schema(form)
    except SchemaError as error:
        return f"`answer` is no JSON Schema: {error.message[:200]}"
    return None


def fitted(arguments: Mapping[str, Any], given: Any) -> tuple[Any, str | None]:
    """The answer in the question's form, and what is wrong with it; a text may be JSON, or stand for itself."""
    form, complaint = form_of(arguments), None
    for value in _readings(form, given):
        wrong = complaints("the answer", form, value)
        if wrong is None:
            return value, None
        complaint = complaint or wrong
    return None, f"the answer doesn't fit: {_told(complaint)}"


def _readings(form: Mapping[str, Any], given: Any) -> Iterator[Any]:
    plain = [given, *_as_json(given)]
    yield from plain
    fields = form.get("properties")
    if isinstance(fields, Mapping) and len(fields) == 1:
        # Of a form with one field nobody should have to write the braces.
        yield from ({name: value} for name in fields for value in plain)


def _as_json(given: Any) -> Iterator[Any]:
    if isinstance(given, str):
        try:
            yield json.loads(given)
        except ValueError:
            return


def _told(complaint: str | None) -> str:
    lines = (complaint or "").splitlines()[1:]
    return "; ".join(line.removeprefix("- ") for line in lines)


def _strange(form: Any, depth: int) -> Iterator[str]:
    """What isn't among what may be asked for."""
    if not isinstance(form, Mapping):
        yield f"expected an object, got {type(form).__name__}"
    elif depth > DEEPEST:
        yield f"expected at most {DEEPEST} levels"
    else:
        strange = sorted(str(key)[:50] for key in form if key not in KEYS)
        if strange:
            yield f"{strange[0]!r} isn't known here; known are {', '.join(sorted(KEYS))}"
        if isinstance(form.get("additionalProperties"), Mapping):
            yield "expected true or false for 'additionalProperties'"
        for inner in _inside(form):
            yield from _strange(inner, depth + 1)


def _inside(form: Mapping[str, Any]) -> Iterator[Any]:
    properties = form.get("properties")
    if isinstance(properties, Mapping):
        yield from properties.values()
    if "items" in form:
        yield form["items"]
