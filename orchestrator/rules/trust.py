"""Whether the one who rang may start anything under a rule, guard by guard; pure, and nothing is looked up.

A guard that the event can't be judged by refuses, and says so.
"""

from collections.abc import Iterable, Iterator

from orchestrator.events import Actor, Author, Event
from orchestrator.rules.rule import Finding, Operator, Rule, Trust
from orchestrator.sources.source import DOORBELL, SCHEDULE

INSIDERS = frozenset({"OWNER", "MEMBER", "COLLABORATOR"})
"""Whose text isn't a stranger's where a rule says nothing about associations."""

APP = "[bot]"
BY_ID = "id:"
NOT_SAID = "(the source doesn't say)"
WANTS = "wants"
"""What a guard asks that is in no list."""


def trusted(rule: Rule, event: Event, own_actors: frozenset[str]) -> Finding | None:
    """Why the one who acted may start nothing here, or None where they may."""
    return next((one for one in guards(rule, event, own_actors) if not one.held), None)


def guards(rule: Rule, event: Event, own_actors: frozenset[str]) -> tuple[Finding, ...]:
    """A finding for every guard that the rule states or that refuses; `deny` stands first, for it wins."""
    if event.source in {SCHEDULE, DOORBELL}:
        # Nobody rang: the clock says what the rule's own file says, and a notice what a run of ours does.
        return ()
    return tuple(_guards(rule.trust, event, own_actors))


def uninvited(trust: Trust, event: Event) -> Finding | None:
    """Why the one who acted may not even answer a run that waits: denied by name, or a bot with words of its own.

    A stranger may, and what nobody is said to have done counts: whom a run asks is often neither. That a bot ended a
    build or a deployment is no word of anybody's, and what most runs wait for.
    """
    if event.source in {SCHEDULE, DOORBELL}:
        return None
    actor, author = event.actor, event.author
    found = [_denied(trust, event)] if trust.deny and (actor or author) else []
    if actor is not None and author is not None and author.login is not None:
        found += _bots(trust, actor, author)
    return next((one for one in found if not one.held), None)


def too_far(trust: Trust, hops: int) -> Finding | None:
    """Why a chain of so many runs goes no further; None where it may."""
    if hops <= trust.max_hops:
        return None
    return Finding(
        path="trust.max_hops", operator="le", expected=trust.max_hops, actual=hops, held=False
    )


def ourselves(why: str) -> Finding:
    """That it was our own doing, and how that is known."""
    return _finding("ignore_self", WANTS, "somebody else's doing", why)


def is_known(trust: Trust, event: Event) -> bool:
    """Whether the newest text is by somebody whom the rule knows: nobody it names, no insider, is a stranger."""
    author = event.author
    if event.source == SCHEDULE:
        return True
    if author is None:
        return event.actor is not None and named(trust.allow, event.actor)
    if named(trust.deny, author):
        return False
    if named(trust.allow, author):
        return True
    actor = event.actor
    if actor is not None and actor.bot and actor.id == author.id and named(trust.bots, actor):
        return True
    return author.association in (trust.associations or INSIDERS)


def named(names: Iterable[str], who: Actor | Author) -> bool:
    """Whether one of the names, logins or `id:583231`, is exactly theirs; only A to Z may differ in case."""
    return any(_is(name, who) for name in names)


def ours(own_actors: frozenset[str], who: Actor) -> bool:
    """Whether one of our own ids or logins is theirs; here they stand without `id:`."""
    if not own_actors:
        return False
    mine = {plain(name) for name in own_actors}
    return plain(who.id or "") in mine or plain(who.login or "") in mine


def own_write(who: Actor) -> str:
    """How it is said that one of our own actors did something."""
    return f"our own write: {who.login or who.id} is one of our actors"


def plain(name: str) -> str:
    """A name without its case, as far as that is A to Z: some other signs turn into these when folded."""
    return name.lower() if name.isascii() else name


def _guards(trust: Trust, event: Event, own_actors: frozenset[str]) -> Iterator[Finding]:
    actor = event.actor
    if trust.deny:
        yield _denied(trust, event)
    if actor is not None and trust.ignore_self and ours(own_actors, actor):
        yield ourselves(own_write(actor))
    if actor is not None:
        yield from _bots(trust, actor, event.author)
    if event.author is not None and event.author.fork and not trust.forks:
        yield _finding(
            "forks", WANTS, "nothing from a fork, unless `forks: true`", "it is from a fork"
        )
    if trust.associations:
        yield _associated(trust, event)
    elif trust.allow:
        held = _vouched(trust, event)
        yield _finding("allow", Operator.IN, sorted(trust.allow), _said(actor), held=held)


def _denied(trust: Trust, event: Event) -> Finding:
    people = [who for who in (event.actor, event.author) if who is not None and _said(who)]
    found = next((who for who in people if named(trust.deny, who)), None)
    actual = _said(found or (people[0] if people else None))
    held = bool(people) and found is None
    return _finding("deny", Operator.NONE, sorted(trust.deny), actual, held=held)


def _bots(trust: Trust, actor: Actor, author: Author | None) -> Iterator[Finding]:
    app = None if author is None or author.app is None else f"{author.app}{APP}"
    if not (actor.bot or app):
        return
    welcome = named(trust.bots, actor) or (
        app is not None and not actor.bot and named(trust.bots, Actor(login=app))
    )
    if welcome:
        return
    # What has to be named is the app, where a person acts through one.
    who = _said(actor) if actor.bot or app is None else f"{_said(actor)}, through {app}"
    if trust.bots:
        yield _finding("bots", Operator.IN, sorted(trust.bots), who)
    else:
        yield _finding("bots", WANTS, "no bot, as the rule names none", who)


def _associated(trust: Trust, event: Event) -> Finding:
    association = None if event.author is None else event.author.association
    return _finding(
        "associations",
        Operator.IN,
        sorted(trust.associations | trust.allow),
        association or NOT_SAID,
        held=association in trust.associations or _vouched(trust, event),
    )


def _vouched(trust: Trust, event: Event) -> bool:
    actor = event.actor
    if actor is None:
        return False
    return named(trust.allow, actor) or (actor.bot and named(trust.bots, actor))


def _is(name: str, who: Actor | Author) -> bool:
    if name.startswith(BY_ID):
        return who.id == name.removeprefix(BY_ID)
    return who.login is not None and plain(who.login) == plain(name)


def _said(who: Actor | Author | None) -> str:
    return NOT_SAID if who is None else who.login or who.id or NOT_SAID


def _finding(
    guard: str, operator: str, expected: object, actual: object, *, held: bool = False
) -> Finding:
    return Finding(
        path=f"trust.{guard}", operator=operator, expected=expected, actual=actual, held=held
    )
