"""Stored events asked of today's rules and of a candidate's: what would be decided otherwise; pure.

Only rules are asked: runs that wait, limits, and what earlier events led to are left out of both sides alike.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import PurePath

from orchestrator.dispatch.decide import Known, decide
from orchestrator.events import Event
from orchestrator.inbox.inbox import Action, Decision
from orchestrator.rehearsal.testing import Answer, answered
from orchestrator.rules.rule import Rule
from orchestrator.rules.rulebook import Rulebook
from orchestrator.secrets import Secret
from orchestrator.sources.source import Source


class Change(StrEnum):
    """How what a rule does with one event would change."""

    STARTS = "would newly act"
    STOPS = "would no longer act"
    KEY = "key would change"
    OTHERWISE = "would act otherwise"
    SAME = "same"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """A rule of today and what the candidate makes of it; None where there is none."""

    name: str
    today: Rule | None
    candidate: Rule | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Shift:
    """What changes for one rule and one event."""

    rule: str
    change: Change
    before: Answer | None
    after: Answer | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Backtest:
    """The rules to compare, the whole rulebooks that they stand in, and what both sides are asked with."""

    pairs: Sequence[Pair]
    today: Rulebook
    candidate: Rulebook
    sources: Mapping[str, Source]

    def shifts(self, event: Event) -> Iterator[Shift]:
        """What becomes of this event, for every rule that would act on it on either side."""
        before = self._decided(event, self.today)
        after = self._decided(event, self.candidate)
        for pair in self.pairs:
            left = None if pair.today is None else before.get(pair.today.id)
            right = None if pair.candidate is None else after.get(pair.candidate.id)
            if _acts(left) or _acts(right):
                yield _shift(pair, left, right)

    def _decided(self, event: Event, rules: Rulebook) -> dict[str, Decision]:
        source = self.sources[event.source]
        known = Known(
            rules=rules,
            waits=[],
            own_actors=source.own_actors,
            runs={},
            configuration="",
            catch_up=source.catch_up,
        )
        return {one.cause: one for one in decide(event, 1, known)}


def backtest_of(
    today: Sequence[Rule], candidate: Sequence[Rule], file: str, sources: Mapping[str, Source]
) -> Backtest:
    """Today's rules, and the same with the candidate's in the place of those of its file and of its names.

    Compared are these, and a backstop that stays: it acts where no other rule does.
    """
    names = {word for rule in candidate for word in (rule.name, rule.id)}
    goes = {
        rule.id
        for rule in today
        if PurePath(rule.file).name == file or not names.isdisjoint((rule.name, rule.id))
    }
    stays = [rule for rule in today if rule.id not in goes]
    last = [rule for rule in stays if rule.backstop]
    replaced = [rule for rule in today if rule.id in goes]
    return Backtest(
        pairs=pairs_of([*replaced, *last], [*candidate, *last]),
        today=Rulebook(today),
        candidate=Rulebook([*stays, *candidate]),
        sources=sources,
    )


def pairs_of(today: Sequence[Rule], candidate: Sequence[Rule]) -> list[Pair]:
    """Today's rules beside the candidate's, by id and else by name, in the candidate's order; then what it drops."""
    left = list(today)
    pairs: list[Pair] = []
    for rule in candidate:
        known = next((one for one in left if one.id == rule.id), None) or next(
            (one for one in left if one.name == rule.name), None
        )
        if known is not None:
            left.remove(known)
        pairs.append(Pair(name=rule.name, today=known, candidate=rule))
    return [*pairs, *(Pair(name=rule.name, today=rule, candidate=None) for rule in left)]


def said(answer: Answer | None) -> str:
    """What a rule does with an event, or why nothing."""
    if answer is None:
        return "no rule asked"
    if answer.action is None:
        return answer.reason
    what = " ".join(word for word in (answer.action, answer.playbook) if word)
    given = f" with {dict(answer.with_)}" if answer.with_ else ""
    more = "".join(f", {word}" for word in (answer.stage, *_flow(answer), *_where(answer)) if word)
    return f"{what}{given}, key {answer.key or '-'}{more}"


def _flow(answer: Answer) -> Iterator[str]:
    if answer.flow is not None:
        yield f"mode {answer.flow.mode}"
        if together := answer.flow.coalesce:
            yield f"coalesce {together.quiet:g}s within {together.within:g}s"


def _where(answer: Answer) -> Iterator[str]:
    """Where it goes, as far as that may be shown: a path may be a secret."""
    if to := answer.forward:
        yield f"to {to.label}{' (private)' if to.private else ''}"
        texts = (*to.secrets, *to.headers.values())
        yield " ".join(one.reference for one in texts if isinstance(one, Secret))
        yield f"timeout {to.timeout.total_seconds():g}s"


def _acts(decision: Decision | None) -> bool:
    return decision is not None and decision.action is not Action.IGNORE


def _shift(pair: Pair, left: Decision | None, right: Decision | None) -> Shift:
    before, after = _answer(left, pair.today), _answer(right, pair.candidate)
    return Shift(rule=pair.name, change=_change(before, after), before=before, after=after)


def _answer(decision: Decision | None, rule: Rule | None) -> Answer | None:
    return None if decision is None or rule is None else answered(decision, rule)


def _change(before: Answer | None, after: Answer | None) -> Change:
    """How they differ, where at least one of them acts."""
    if before is None or before.action is None:
        return Change.STARTS
    if after is None or after.action is None:
        return Change.STOPS
    if before.key != after.key:
        return Change.KEY
    return Change.SAME if _does(before) == _does(after) else Change.OTHERWISE


def _does(answer: Answer) -> Answer:
    """All that it does, without why."""
    return replace(answer, reason="", trace=())
