"""`waits:` of a playbook: the events that answer a tool's call later; it knows no tool and asks no source."""

from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field

from orchestrator.configuration.document import Place
from orchestrator.configuration.keys import Shape, Words, listed
from orchestrator.configuration.quantities import Duration
from orchestrator.errors import Flaw
from orchestrator.expressions import Expression, ExpressionError
from orchestrator.rules.load import closest
from orchestrator.templates import Template, TemplateError
from workflows.playbook import Callback

WEEK = timedelta(days=7)


def _lasting(value: timedelta) -> timedelta:
    if not value:
        raise ValueError("expected a time such as 30m, 12h or 7d, got none at all")
    return value


def _pattern(value: str) -> str:
    source, slash, type_ = value.partition("/")
    if not (source and slash and type_):
        raise ValueError(f"expected source/type, such as github/deployment_status.*, got {value!r}")
    return value


def _expression(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError(f"expected a CEL expression in quotes, got {value!r}")  # noqa: TRY004 - pydantic's word
    try:
        Expression.compile(value)
    except ExpressionError as error:
        raise ValueError(f"CEL: {error}") from None
    return value


def _key(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError(f"expected a template in quotes, got {value!r}")  # noqa: TRY004 - pydantic's word
    try:
        Template.parse(value)
    except TemplateError as error:
        raise ValueError(str(error)) from None
    return value


Lasting = Annotated[Duration, AfterValidator(_lasting)]
Pattern = Annotated[Words, AfterValidator(_pattern)]


class CallbackShape(Shape):
    """The event that answers a tool's call later: `for` which, with which key, `until` what holds of it, how long."""

    for_: Annotated[list[Pattern], BeforeValidator(listed), Field(min_length=1, max_length=8)] = (
        Field(alias="for")
    )
    key: Annotated[str, BeforeValidator(_key, str)]
    until: Annotated[str, BeforeValidator(_expression, str)] = ""
    timeout: Lasting = WEEK


def callbacks_of(shapes: Mapping[str, CallbackShape]) -> dict[str, Callback]:
    """What each of these calls waits for."""
    return {
        tool: Callback(
            events=tuple(shape.for_),
            key=shape.key,
            until=shape.until,
            timeout=shape.timeout.total_seconds(),
        )
        for tool, shape in shapes.items()
    }


def callback_flaws(shape: CallbackShape, inputs: Mapping[str, Any], at: Place) -> Iterator[Flaw]:
    """What a key names that nobody will know: it may use the call's `result`, and the rule's inputs."""
    for path in sorted(Template.parse(shape.key).paths):
        root, _, rest = path.partition(".")
        if root == "result":
            continue
        if root != "with" or not rest:
            said = f"a key knows the call's {{{{ result }}}} and the rule's inputs, {{{{ with.name }}}}; got {path!r}"
            yield Flaw((*at, "key"), said)
        elif (name := rest.partition(".")[0]) not in inputs:
            yield Flaw((*at, "key"), f"with.{name} is not among the inputs{closest(name, inputs)}")
