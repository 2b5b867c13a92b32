"""`path=value`: one value of a payload replaced; pure. A path is a JSON pointer (`/issue/number`) or dotted.

put({"issue": {"labels": []}}, *assigned("issue.labels[0].name=bug")) is {"issue": {"labels": [{"name": "bug"}]}}
"""

import json
from typing import Any

from orchestrator.errors import OperatorError
from orchestrator.rules.paths import PathError, steps_of
from orchestrator.sources.paths import pointer

Steps = tuple[str | int, ...]


def assigned(text: str) -> tuple[Steps, Any]:
    """The steps and the value of `path=value`; a value that is no JSON is a text. Raises `OperatorError`."""
    path, equals, value = text.partition("=")
    if not equals or not path:
        raise OperatorError(f"expected path=value, such as issue.number=7, got {text!r}")
    return _steps(path), _value(value)


def put(payload: Any, steps: Steps, value: Any) -> Any:
    """The payload with the value at that place; what is missing on the way is made. Raises `OperatorError`."""
    if not steps:
        return value
    step, rest = steps[0], steps[1:]
    match payload:
        case dict():
            return {**payload, str(step): put(payload.get(str(step)), rest, value)}
        case list():
            return _put_item(payload, step, rest, value)
        case None:
            return put([] if isinstance(step, int) else {}, steps, value)
        case _:
            raise OperatorError(f"{step!r} can't be set inside {json.dumps(payload)[:60]}")


def _put_item(items: list[Any], step: str | int, rest: Steps, value: Any) -> list[Any]:
    index = int(step) if str(step).isdigit() else -1
    if not 0 <= index <= len(items):
        raise OperatorError(f"expected an index from 0 to {len(items)} in a list, got {step!r}")
    item = items[index] if index < len(items) else None
    return [*items[:index], put(item, rest, value), *items[index + 1 :]]


def _steps(path: str) -> Steps:
    if path.startswith("/"):
        return pointer(path).steps
    try:
        steps = steps_of(path)
    except PathError as error:
        raise OperatorError(f"{error}, or a JSON pointer such as /issue/number") from None
    found = tuple(step for step in steps if step is not None)
    if len(found) < len(steps):
        raise OperatorError(f"expected one place, {path!r} means several: write [0]")
    return found


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text
