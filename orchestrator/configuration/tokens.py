"""tokens.yaml: who may use the REST API and for what; it knows a token's digest, and never the token.

    laptop: {sha256: 9f86d081..., scopes: [read, approve], person: alice, rules: [triage-*], expires: 2027-03-31}

`doorbell token new` writes such a line and prints the token, once.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from typing import Annotated, Any, Final

from pydantic import BeforeValidator, Field

from orchestrator.configuration.document import Document
from orchestrator.configuration.keys import Shape, Words, listed
from orchestrator.configuration.people import Person
from orchestrator.configuration.shaping import Found, entries, shaped
from orchestrator.errors import Flaw
from orchestrator.rules.load import closest

DIGEST: Final = re.compile("[0-9a-f]{64}")


class Scope(StrEnum):
    """What a token is for. Each of the others may also read."""

    READ = "read"
    OPERATE = "operate"
    APPROVE = "approve"


class ApiTokenShape(Shape):
    """One entry of tokens.yaml: the token's SHA-256 in hexadecimal digits, and what it is for."""

    sha256: Annotated[Words, Field(pattern=f"^{DIGEST.pattern}$")]
    scopes: Annotated[list[Scope], Field(min_length=1), BeforeValidator(listed)]
    person: Words | None = None
    rules: Annotated[list[Words] | None, Field(min_length=1), BeforeValidator(listed)] = None
    expires: Words | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """What somebody may do who shows the token with this digest; after the day `expires` it proves nothing.

    `person` is a name of people.yaml. One that may `operate` speaks for whoever holds the command line as well.
    `rules` are globs; where there are any, it reaches only runs, approvals and rules of these.
    """

    name: str
    digest: str = field(repr=False)
    scopes: frozenset[Scope]
    person: str | None = None
    rules: tuple[str, ...] = ()
    expires: date | None = None

    def may(self, scope: Scope) -> bool:
        """Whether it is for that."""
        return scope is Scope.READ or scope in self.scopes


def tokens_of(document: Document, people: Mapping[str, Person]) -> Found[Token]:
    """The tokens of the file."""
    found = Found[Token]()
    if document.value is None and not document.mistakes:
        return found
    taken: dict[str, str] = {}
    for name, value in entries(document, "token", found.flaws):
        found.names.add(name)
        shape, flaws = shaped(ApiTokenShape, value, (name,))
        flaws += [] if shape is None else list(_flaws(name, shape, people, taken))
        found.flaws += flaws
        if shape is not None and not flaws:
            taken[shape.sha256] = name
            found.things[name] = _token(name, shape)
    return found


def _flaws(
    name: str, shape: ApiTokenShape, people: Mapping[str, Person], taken: Mapping[str, str]
) -> Iterator[Flaw]:
    if shape.sha256 in taken:
        said = (
            f"this is the token {taken[shape.sha256]!r} already: `doorbell token new` makes another"
        )
        yield Flaw((name, "sha256"), said)
    if shape.person is not None and shape.person not in people:
        said = (
            f"expected a person of people.yaml, got {shape.person!r}{closest(shape.person, people)}"
        )
        yield Flaw((name, "person"), said)
    if set(shape.scopes) & {Scope.APPROVE, Scope.OPERATE} == {Scope.APPROVE} and not shape.person:
        said = "expected `person: NAME` as well: a consent is somebody's, unless the token may `operate`"
        yield Flaw((name, "scopes"), said)
    if shape.expires is not None and _day(shape.expires) is None:
        yield Flaw((name, "expires"), f"expected a day such as 2027-03-31, got {shape.expires!r}")


def _token(name: str, shape: ApiTokenShape) -> Token:
    return Token(
        name=name,
        digest=shape.sha256,
        scopes=frozenset(shape.scopes),
        person=shape.person,
        rules=tuple(shape.rules or ()),
        expires=None if shape.expires is None else _day(shape.expires),
    )


def _day(text: Any) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None
