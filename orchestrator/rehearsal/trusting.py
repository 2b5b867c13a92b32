"""Whom a rule can mean: trust that shuts out everybody it asks for, and senders that name nobody at all.

Pure, and only what is certain is said.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from orchestrator.events import Actor, Event
from orchestrator.rehearsal.conditions import Placed, demanded, values_of
from orchestrator.rules.rule import Finding, Rule
from orchestrator.rules.trust import BY_ID, named, trusted
from orchestrator.sources.cloudevents import CloudEventsDialect
from orchestrator.sources.declared import DeclaredDialect
from orchestrator.sources.github import GithubDialect
from orchestrator.sources.mcp_events import McpEventsDialect
from orchestrator.sources.paths import Pick, Pointer
from orchestrator.sources.source import Dialect, Source
from orchestrator.sources.standard_webhooks import StandardWebhooksDialect
from orchestrator.sources.tabled import TableDialect, Who

APP: Final = "[bot]"
"""How the login of a GitHub App ends."""

BY_ALL: Final = frozenset({"trust.deny", "trust.ignore_self"})
BY_NAME: Final = frozenset({"trust.bots", "trust.allow"})
"""Guards that say no to somebody of whom nothing but the login is known; these only where they name no ids."""

LONG_AGO: Final = datetime(2000, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Acting:
    """Where a payload says who acted: the path of the login, and paths with the value that means a program."""

    login: str | None
    bots: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ShutOut:
    """A leaf that asks for somebody, and the finding that lets none of them in."""

    place: tuple[str | int, ...]
    who: str
    finding: Finding


def shut_out(rule: Rule, sources: Sequence[Source]) -> ShutOut | None:
    """Whom the rule asks for and trusts on none of its sources; None where somebody may get in."""
    found = [_shut_out(rule, source) for source in sources]
    return found[0] if found and all(found) else None


def acting(dialect: Dialect) -> Acting:
    """Where payloads of this dialect say who acted."""
    match dialect:
        case GithubDialect():
            return Acting(login="sender.login", bots=(("sender.type", "Bot"),))
        case TableDialect(actor=who):
            bots = tuple((".".join(place.steps), text) for place, text in who.bots)
            return Acting(login=_path(who.login), bots=bots)
        case _:
            return Acting(login=None)


def names_nobody(dialect: Dialect) -> bool:
    """Whether no event of this dialect says who acted."""
    match dialect:
        case TableDialect(actor=who):
            return who == Who()
        case DeclaredDialect(actor=actor) | McpEventsDialect(actor=actor):
            return actor is None
        case _:
            return isinstance(dialect, CloudEventsDialect | StandardWebhooksDialect)


def _shut_out(rule: Rule, source: Source) -> ShutOut | None:
    leaves = [one for one in demanded(rule.when) if isinstance(one, Placed)]
    where = acting(source.dialect)
    asked = next((one for one in leaves if _asks_who(one, where)), None)
    actors = list(_actors(rule, leaves, where, apps=isinstance(source.dialect, GithubDialect)))
    findings = [_guard(rule, source, actor) for actor in actors]
    first = next(iter(findings), None)
    if asked is None or first is None or None in findings:
        return None
    who = ", ".join(actor.login or "a bot" for actor in actors)
    return ShutOut(place=asked.place, who=who, finding=first)


def _asks_who(one: Placed, where: Acting) -> bool:
    return one.leaf.path in {where.login, *(path for path, _ in where.bots)}


def _actors(rule: Rule, leaves: Sequence[Placed], where: Acting, *, apps: bool) -> Iterator[Actor]:
    """Everybody that the leaves leave, as far as they can be named."""
    bot = any(values_of(path, leaves) == [text] for path, text in where.bots)
    logins: list[Any] = values_of(where.login or "", leaves) or []
    for login in logins:
        name = str(login)
        yield Actor(login=name, bot=bot or (apps and name.endswith(APP)))
    if bot and not logins and not rule.trust.bots:
        yield Actor(bot=True)


def _guard(rule: Rule, source: Source, actor: Actor) -> Finding | None:
    """What certainly lets the actor not in, whatever else an event of theirs says."""
    event = Event(
        id="evt_0",
        source=source.name,
        delivery_id=None,
        type="*",
        subject=None,
        actor=actor,
        keys=(),
        received_at=LONG_AGO,
        headers={},
        data={},
    )
    finding = trusted(rule, event, source.own_actors)
    if finding is not None and finding.path == "trust.allow" and named(rule.trust.bots, actor):
        # It may be the bot of that name: not every source says so in its login.
        return None
    names = rule.trust.allow | rule.trust.bots
    sure = BY_ALL if any(name.startswith(BY_ID) for name in names) else BY_ALL | BY_NAME
    return finding if finding is not None and finding.path in sure else None


def _path(pick: Pick) -> str | None:
    parts = [text.parts for text in pick.texts]
    match parts:
        case [(Pointer(steps=steps),), *_] if len(parts) == 1:
            return ".".join(steps)
        case _:
            return None
