"""Stored events asked of today's rules and of a candidate's: what would be decided otherwise; pure.

Only rules are asked: runs that wait, limits, and what earlier events led to are left out of both sides alike.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from typing import Any

from orchestrator.dispatch.decide import Known, decide
from orchestrator.events import Event
from orchestrator.rehearsal.testing import Answer, answered
from orchestrator.rules.rule import Rule
from orchestrator.rules.rulebook import Rulebook
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
    """What changes for one rule and one event; `before` and `after` say it in words."""

    rule: str
    change: Change
    event: Event
    before: str
    after: str


@dataclass(frozen=True, kw_only=True)
class Backtest:
    """The rules to compare, and everything else that both sides are asked with."""

    pairs: Sequence[Pair]
    sources: Mapping[str, Source]

    @cached_property
    def today(self) -> Rulebook:
        """The rules in force, indexed once."""
        return Rulebook(pair.today for pair in self.pairs if pair.today is not None)

    @cached_property
    def candidate(self) -> Rulebook:
        """The candidates, indexed once."""
        return Rulebook(pair.candidate for pair in self.pairs if pair.candidate is not None)

    def shifts(self, event: Event) -> Iterator[Shift]:
        """What changes with this event, for every rule that would act on it on either side."""
        before = self._answers(event, self.today)
        after = self._answers(event, self.candidate)
        for pair in self.pairs:
            left = None if pair.today is None else before.get(pair.today.id)
            right = None if pair.candidate is None else after.get(pair.candidate.id)
            change = _change(left, right)
            if change is not None:
                yield Shift(
                    rule=pair.name,
                    change=change,
                    event=event,
                    before=_said(left),
                    after=_said(right),
                )

    def _answers(self, event: Event, rules: Rulebook) -> dict[str, Answer]:
        source = self.sources[event.source]
        known = Known(
            rules=rules,
            waits=[],
            own_actors=source.own_actors,
            runs={},
            configuration="",
            catch_up=source.catch_up,
        )
        return {one.cause: answered(one) for one in decide(event, 1, known)}


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


def _change(before: Answer | None, after: Answer | None) -> Change | None:
    acted, acts = _acts(before), _acts(after)
    if acted is None and acts is None:
        return None
    if acted is None:
        return Change.STARTS
    if acts is None:
        return Change.STOPS
    if acted.key != acts.key:
        return Change.KEY
    return Change.SAME if _does(acted) == _does(acts) else Change.OTHERWISE


def _acts(answer: Answer | None) -> Answer | None:
    return answer if answer is not None and answer.action is not None else None


def _does(answer: Answer) -> tuple[str | None, str | None, Mapping[str, Any]]:
    return answer.action, answer.playbook, answer.with_


def _said(answer: Answer | None) -> str:
    if answer is None:
        return "no rule asked"
    if answer.action is None:
        return answer.reason
    what = " ".join(word for word in (answer.action, answer.playbook) if word)
    given = f" with {dict(answer.with_)}" if answer.with_ else ""
    return f"{what}{given}, key {answer.key or '-'}"
