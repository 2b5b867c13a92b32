"""`approve:` of a write tool and of a playbook: who must consent, to which calls; it asks nobody.

approve: always
approve: {by: [role:maintainer], when: write-once, ttl: 72h, on_timeout: deny}
"""

from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Annotated, Any, Final

from pydantic import AfterValidator, BeforeValidator, Field

from orchestrator.configuration.document import Place
from orchestrator.configuration.keys import Shape, Words, listed
from orchestrator.configuration.people import Person, unmatched
from orchestrator.configuration.quantities import Cooling
from orchestrator.errors import Flaw
from orchestrator.expressions import Expression, ExpressionError
from orchestrator.rules.limits import Cooldown
from orchestrator.sources.source import OPERATOR
from workflows.playbook import Approve, Effect, OnTimeout

WHEN: Final[Mapping[str, str]] = {
    "always": "",
    "never": "false",
    "write": f"effect != '{Effect.READ}'",
    "write-once": f"effect == '{Effect.WRITE_ONCE}'",
}
"""The words for a condition, as CEL; any other text is CEL itself."""

LONGEST: Final = timedelta(days=30)
STANDARD: Final = Cooldown(window=timedelta(hours=72), said="72h")


def _when(value: str) -> str:
    if value in WHEN:
        return value
    try:
        Expression.of_calls(value)
    except ExpressionError as error:
        said = f"expected always, never, write, write-once or CEL over `args`, `tool` and `effect`; {error}"
        raise ValueError(said) from None
    return value


def _at_most(value: Cooldown) -> Cooldown:
    if value.window > LONGEST:
        raise ValueError(f"expected at most 30d, got {value.said}")
    return value


def _short(value: Any) -> Any:
    return {"when": value} if isinstance(value, str) else value


class ApproveShape(Shape):
    """Who must consent to a call before it is made."""

    by: Annotated[list[Words], BeforeValidator(listed), Field(min_length=1)] = Field(
        default_factory=lambda: [OPERATOR]
    )
    ttl: Annotated[Cooling, AfterValidator(_at_most)] = STANDARD
    on_timeout: OnTimeout = OnTimeout.DENY
    when: Annotated[Words, AfterValidator(_when)] = "always"


Approving = Annotated[ApproveShape, BeforeValidator(_short, str | ApproveShape)]


def approve_of(shape: ApproveShape | None) -> Approve | None:
    """The policy, if there is one."""
    if shape is None:
        return None
    return Approve(
        by=tuple(shape.by),
        ttl=shape.ttl.window.total_seconds(),
        on_timeout=shape.on_timeout,
        when=WHEN.get(shape.when, shape.when),
    )


def strangers(
    shape: ApproveShape | None, people: Mapping[str, Person], at: Place
) -> Iterator[Flaw]:
    """Whom `by` names and nobody is."""
    if shape is not None:
        for said in unmatched(shape.by, people):
            yield Flaw((*at, "by"), said)
