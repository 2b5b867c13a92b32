"""`trust:` of a rule and `own_actor:` of a server: the keys, and what they mean; it judges no event."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from orchestrator.configuration.document import Place
from orchestrator.configuration.keys import Shape, Words, listed
from orchestrator.configuration.quantities import Count, Positive
from orchestrator.errors import Flaw
from orchestrator.rules.operators import like
from orchestrator.rules.rule import Trust


def _who(value: Any) -> str:
    said = "expected a login or id:583231"
    if not isinstance(value, str) or not value.strip():
        raise ValueError(f"{said}, got {value!r}")
    if not value.isprintable() or any(sign.isspace() for sign in value):
        raise ValueError(f"{said}, got one with blank or invisible signs: {value!a}")
    if value == "id:":
        raise ValueError(f"{said}, got no id")
    return value


Who = Annotated[str, BeforeValidator(_who, str)]
People = Annotated[list[Who], BeforeValidator(listed)]
Association = Literal[
    "OWNER",
    "MEMBER",
    "COLLABORATOR",
    "CONTRIBUTOR",
    "FIRST_TIME_CONTRIBUTOR",
    "FIRST_TIMER",
    "MANNEQUIN",
    "NONE",
]


class TrustShape(Shape):
    """Whose events may start anything; `deny` wins over all."""

    associations: Annotated[list[Association], BeforeValidator(listed)] = Field(
        default_factory=list
    )
    allow: People = Field(default_factory=list)
    deny: People = Field(default_factory=list)
    bots: People = Field(default_factory=list)
    forks: Annotated[bool, Field(strict=True)] = False
    ignore_self: Annotated[bool, Field(strict=True)] = True
    max_hops: Count = 3
    max_writes_per_subject: Positive = 20


class OwnActorShape(Shape):
    """The tool that tells as whom a server writes, where id and login stand in its answer, and who names us so."""

    tool: Words
    id: Words | None = "id"
    login: Words | None = "login"
    sources: Annotated[list[Words], BeforeValidator(listed)] | None = None


def trust_of(shape: TrustShape) -> Trust:
    """Whom the rule trusts."""
    return Trust(
        associations=frozenset(shape.associations),
        allow=frozenset(shape.allow),
        deny=frozenset(shape.deny),
        bots=frozenset(shape.bots),
        forks=shape.forks,
        ignore_self=shape.ignore_self,
        max_hops=shape.max_hops,
        max_writes_per_subject=shape.max_writes_per_subject,
    )


def unjudged(
    shape: TrustShape, on: Sequence[str], vouching: Mapping[str, bool], at: Place
) -> Iterator[Flaw]:
    """A warning for each source of the rule that says nothing by which the guard could judge."""
    if not shape.associations:
        return
    for source, vouches in sorted(vouching.items()):
        if not vouches and any(like(source, pattern.partition("/")[0]) for pattern in on):
            yield Flaw(
                (*at, "associations"),
                f"{source!r} doesn't say how somebody stands to a repository: this refuses all of its events but "
                "those of whom `allow` names",
            )
