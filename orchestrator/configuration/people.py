"""people.yaml: who may be asked, and how a source names them; it knows names and roles, and proves nobody.

    alice: {github: 583231, operator: alice, roles: [maintainer]}

Under a source's name stands the id by which that source names the person; under `operator` the login with which
they use the command line.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Final

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from orchestrator.configuration.document import Document
from orchestrator.configuration.keys import listed
from orchestrator.configuration.shaping import NAME, Found, entries
from orchestrator.errors import Flaw
from orchestrator.events import Event
from orchestrator.rules.load import closest
from orchestrator.sources.source import OPERATOR

ROLE: Final = "role:"
ANYBODY: Final = "anybody"
"""Everybody in people.yaml, and whoever holds the command line."""

ROLES: Final = "roles"
RESERVED: Final = frozenset({OPERATOR, ANYBODY})


class PersonShape(BaseModel):
    """One entry of people.yaml, for editors: an account under each source's name, and roles."""

    model_config = ConfigDict(
        extra="allow",
        frozen=True,
        json_schema_extra={"additionalProperties": {"type": ["integer", "string"]}},
    )

    roles: Annotated[list[str], BeforeValidator(listed)] = Field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Somebody we know: `accounts` maps a source to the id by which it names them."""

    name: str
    accounts: Mapping[str, str]
    roles: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Speaker:
    """Whoever said a word: `said` is what they are called, `names` by which they may be allowed something."""

    said: str
    names: frozenset[str]


def speaker(event: Event, people: Mapping[str, Person]) -> Speaker | None:
    """Who is behind an event and wrote what it says, as far as its source proves it; None for strangers and bots."""
    actor, author = event.actor, event.author
    if actor is None or actor.bot or (author is not None and author.id not in {None, actor.id}):
        return None
    by_hand = event.source == OPERATOR
    if by_hand and "person" in event.data:
        return _by_token(event.data, people)
    mine = actor.login if by_hand else actor.id
    found = next((one for one in people.values() if one.accounts.get(event.source) == mine), None)
    if found is not None and mine is not None:
        return Speaker(said=found.name, names=_names(found, by_hand=by_hand))
    if by_hand:
        return Speaker(said=f"{OPERATOR} {actor.login}", names=frozenset({OPERATOR, ANYBODY}))
    return None


def _by_token(said: Mapping[str, Any], people: Mapping[str, Person]) -> Speaker | None:
    """The person a token of the REST API proved; only one that may operate speaks for the command line too."""
    found = people.get(str(said["person"]))
    if found is None:
        return None
    return Speaker(said=found.name, names=_names(found, by_hand=said.get("operates") is True))


def _names(person: Person, *, by_hand: bool) -> frozenset[str]:
    names = {person.name, ANYBODY, *(f"{ROLE}{role}" for role in person.roles)}
    return frozenset(names | ({OPERATOR} if by_hand else set()))


def people_of(document: Document, sources: Collection[str]) -> Found[Person]:
    """The people of the file; `sources` are those whose events may carry a person's answer."""
    found, known = Found[Person](), [*sources, OPERATOR]
    if document.value is None and not document.mistakes:
        return found
    for name, value in entries(document, "person", found.flaws):
        found.names.add(name)
        flaws = list(_flaws(name, value, known))
        found.flaws += flaws
        if not flaws:
            found.things[name] = _person(name, value)
    found.flaws += _twice(found.things)
    return found


def unmatched(by: Collection[str], people: Mapping[str, Person]) -> Iterator[str]:
    """What is wrong with a `by:` list, in words."""
    roles = {role for person in people.values() for role in person.roles}
    for one in by:
        if one.startswith(ROLE):
            role = one.removeprefix(ROLE)
            if role not in roles:
                yield f"nobody in people.yaml has the role {role!r}{closest(role, roles)}"
        elif one not in RESERVED and one not in people:
            hint = closest(one, [*people, *RESERVED])
            yield f"expected role:NAME, a person of people.yaml, operator or anybody, got {one!r}{hint}"


def _flaws(name: str, value: Any, sources: list[str]) -> Iterator[Flaw]:
    if name in RESERVED:
        yield Flaw(
            (name,), f"{name!r} means something else: give this person another name", key=True
        )
    if not isinstance(value, Mapping):
        yield Flaw((name,), "expected a mapping, such as {github: 583231, roles: [maintainer]}")
        return
    for key, given in value.items():
        said = _role_flaw(given) if key == ROLES else _account_flaw(str(key), given, sources)
        if said is not None:
            yield Flaw((name, key), said, key=key not in {*sources, ROLES})
    if not value.keys() - {ROLES}:
        yield Flaw(
            (name,), "expected at least one account: nobody else could prove to be this person"
        )


def _account_flaw(key: str, given: Any, sources: list[str]) -> str | None:
    if key not in sources:
        known = f"a source that can carry an answer ({', '.join(sources)}), or {ROLES}"
        return f"expected {known}, got {key!r}{closest(key, [*sources, ROLES])}"
    if key == OPERATOR:
        sound = isinstance(given, str) and bool(given.strip())
        return None if sound else f"expected the login on this machine, got {given!r}"
    if _is_id(given):
        return None
    return f"expected the number by which {key} names them, never a login, got {given!r}"


def _role_flaw(given: Any) -> str | None:
    roles = listed(given)
    sound = isinstance(roles, list) and all(
        isinstance(role, str) and NAME.fullmatch(role) for role in roles
    )
    return None if sound else f"expected names of roles, such as [maintainer], got {given!r}"


def _is_id(given: Any) -> bool:
    # A login may be given away and taken by somebody else; a number is for ever.
    number = isinstance(given, int) and not isinstance(given, bool) and given > 0
    return number or (isinstance(given, str) and given.isascii() and given.isdigit())


def _person(name: str, value: Mapping[str, Any]) -> Person:
    accounts = {key: str(given) for key, given in value.items() if key != ROLES}
    return Person(name=name, accounts=accounts, roles=frozenset(listed(value.get(ROLES, []))))


def _twice(people: Mapping[str, Person]) -> Iterator[Flaw]:
    taken: dict[tuple[str, str], str] = {}
    for person in people.values():
        for account in person.accounts.items():
            first = taken.setdefault(account, person.name)
            if first != person.name:
                said = f"this is {first!r} already: one account is one person"
                yield Flaw((person.name, account[0]), said)
