"""What an event counts under by a rule's limits, as values that are judged while its decisions are written; pure.

Redelivered by a person, an event counts under nothing and is held against nothing: somebody wants it to act.
"""

from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Final

from orchestrator.events import Actor, Event
from orchestrator.inbox.tallies import Tallied, Tally, bucket
from orchestrator.rules.reading import Reading
from orchestrator.rules.rule import Finding, Rule
from orchestrator.templates import Template, TemplateError

SOUND: Final = "sound"
"""The operator of the finding that an unsound rule might have wanted the event."""

UNSURE: Final = "not acted: "
"""How the reason begins where a backstop leaves an event alone for that."""

NAMED: Final = 5

NOBODY: Final = "nobody"
"""Whose events count together where the sender doesn't say who acted: apart they would be under no limit at all."""


def tallies_of(rule: Rule, event: Event, key: str | None, reading: Reading) -> tuple[Tally, ...]:
    """Everything this event counts under, in the order in which it is judged.

    Raises `TemplateError` where the rule's second key can't be made.
    """
    return (*_deduped(rule, event, reading), *_of_key(rule, event, key), *_of_actor(rule, event))


def nobody_else(matched: Sequence[str], unsound: Sequence[str], *, woke: bool) -> Finding:
    """Whether a backstop may act: none of these rules matched, and the event woke no run that waits for it.

    Nor may it where one is unsound that might have: nobody knows what that one would have left to it.
    """
    taken = [*matched, *(["a run that waits"] if woke else [])]
    if unsound and not taken:
        expected = "every rule that might match is sound"
        return _backstop(SOUND, expected, list(unsound), held=False)
    expected = "of the other rules matches, and no run waits for it"
    return _backstop("none", expected, taken, held=not taken)


def _backstop(operator: str, expected: str, actual: list[str], *, held: bool) -> Finding:
    return Finding(path="backstop", operator=operator, expected=expected, actual=actual, held=held)


def unsure(finding: Finding) -> str:
    """Why a backstop left the event alone, where an unsound rule might have wanted it."""
    names = [str(name) for name in finding.actual]
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return (
        f"{UNSURE}what is broken in the files might have wanted it: {', '.join(names[:NAMED])}{more}; mend that"
        " (`doorbell check`) and redeliver the event"
    )


def actor_named(actor: Actor | None) -> tuple[str, str]:
    """By which name somebody's events count together, and how people call them; an id outlives a rename."""
    if actor is None or not (actor.id or actor.login):
        return NOBODY, NOBODY
    known = f"id:{actor.id}" if actor.id else f"login:{(actor.login or '').casefold()}"
    return known, actor.login or actor.id or NOBODY


def _deduped(rule: Rule, event: Event, reading: Reading) -> Iterator[Tally]:
    if rule.dedupe is None:
        return
    key = Template.parse(rule.dedupe.key).render(reading.plain)
    if isinstance(key, list | dict) or not str(key).strip():
        raise TemplateError(f"{rule.dedupe.key}: expected a text to compare by, got {key!r}")
    who, window = f"dedupe key {key}", rule.dedupe.window
    yield _tally(Tallied.DEDUPE, rule, event, str(key), who, rule.dedupe.said, 1, window)


def _of_key(rule: Rule, event: Event, key: str | None) -> Iterator[Tally]:
    if key is None:
        return
    cooldown, rate = rule.limits.cooldown, rule.limits.per_key
    if cooldown is not None:
        yield _tally(Tallied.COOLDOWN, rule, event, key, key, cooldown.said, 1, cooldown.window)
    if rate is not None:
        who = f"key {key}"
        yield _tally(Tallied.KEY, rule, event, key, who, rate.said, rate.most, rate.window)


def _of_actor(rule: Rule, event: Event) -> Iterator[Tally]:
    rate = rule.limits.per_actor
    if rate is None:
        return
    known, shown = actor_named(event.actor)
    who = "events that name no actor" if known == NOBODY else f"actor {shown}"
    name = f"{event.source}\x1f{known}"
    yield _tally(Tallied.ACTOR, rule, event, name, who, rate.said, rate.most, rate.window)


def _tally(
    what: Tallied,
    rule: Rule,
    event: Event,
    name: str,
    who: str,
    said: str,
    most: int,
    window: timedelta,
) -> Tally:
    return Tally(
        what=what,
        bucket=bucket(what, rule.id, name),
        who=who,
        said=said,
        at=event.received_at,
        most=most,
        window=window,
    )
