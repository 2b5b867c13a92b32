"""`args:` of a write tool: what each argument of a call may be; it knows no tool and no schema.

args: {labels: [bug, question], title: {pattern: "[A-Z].{3,80}"}, amount: {at_most: 100}}
"""

import math
from collections.abc import Mapping
from typing import Annotated, Any, Final, Self

from pydantic import BeforeValidator, Field, model_validator

from orchestrator.configuration.keys import Shape
from orchestrator.rules.operators import OperatorValueError, asking
from orchestrator.rules.rule import Operator
from workflows.playbook import Allowed

MOST_VALUES: Final = 200

Scalar = str | bool | int | float


def _short(value: Any) -> Any:
    match value:
        case Mapping():
            return value
        case list():
            return {"values": value}
        case _:
            return {"values": [value]}


def _plain(value: Any) -> Any:
    values = value if isinstance(value, list) else [value]
    for one in values:
        match one:
            case str() if "{{" in one:
                said = "expected a plain value, a template stands under `bind:`"
                raise ValueError(f"{said}; got {one!r}")
            case str() | bool() | int() | float() | None:
                pass
            case _:
                raise ValueError(f"expected texts, numbers, true or false, got {one!r}")
    if values in ([], [None]):
        raise ValueError("expected at least one value that is allowed, got none")
    return values


def _pattern(value: Any) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError(f"expected a regular expression (RE2 syntax), got {value!r}")
    try:
        asking(Operator.REGEX, value)
    except OperatorValueError as error:
        raise ValueError(str(error)) from None
    return value


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError(f"expected a number, got {value!r}")
    return value


class AllowedShape(Shape):
    """What one argument may be; where it says several things, all of them hold."""

    values: (
        Annotated[
            list[str | bool | int | float | None],
            BeforeValidator(_plain),
            Field(strict=True, max_length=MOST_VALUES),
        ]
        | None
    ) = None
    pattern: Annotated[str | None, BeforeValidator(_pattern, str)] = None
    at_most: Annotated[float | None, BeforeValidator(_number, float)] = None

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if not self.model_fields_set:
            raise ValueError("expected `values`, `pattern` or `at_most`, got nothing")
        return self


Allowing = Annotated[
    AllowedShape, BeforeValidator(_short, Scalar | list[Scalar | None] | AllowedShape)
]


def allowed_of(shapes: Mapping[str, AllowedShape]) -> dict[str, Allowed]:
    """The policy, by argument."""
    return {
        name: Allowed(
            values=None if shape.values is None else tuple(shape.values),
            pattern=shape.pattern,
            at_most=shape.at_most,
        )
        for name, shape in shapes.items()
    }
