"""All rules of a configuration and which of them an event concerns; it asks nothing beyond `source/type`.

A rule whose `on` doesn't fit an event costs that event nothing: what fits is looked up, and remembered. The pages
say of every rule what it is `on`, so that afterwards it can still be said of each why it was not asked.
"""

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final, NamedTuple

from orchestrator.expressions import scrub
from orchestrator.rules.match import Ask, Shared, about_on, asked_of
from orchestrator.rules.operators import glob, is_glob, like
from orchestrator.rules.rule import Finding, Rule, Trust
from orchestrator.sources.source import DOORBELL, SCHEDULE

PAGES: Final = "application/vnd.doorbell.rules+json"
"""The media type of the pages."""

REMEMBERED: Final = 256
"""Kinds of events whose rules are remembered; a sender that invents kinds must not fill the memory."""


class Concerned(NamedTuple):
    """A rule whose `on` fits: the finding that says so, what it asks of the event, and which rules trust as it does."""

    rule: Rule
    on: Finding
    ask: Ask
    trusts: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """What a rule is `on`, by its name."""

    name: str
    on: tuple[str, ...]


class Rulebook(tuple[Rule, ...]):  # noqa: SLOT001 - it remembers what it has found
    """Rules in the order of their files."""

    @classmethod
    def of(cls, rules: Sequence[Rule]) -> "Rulebook":
        """The rulebook of these rules."""
        return rules if isinstance(rules, cls) else cls(rules)

    def concerned(self, source: str, type_: str) -> Sequence[Concerned]:
        """The rules whose `on` fits events of this kind, in order."""
        rang = f"{source}/{type_}"
        found = self._seen.get(rang)
        if found is None:
            if len(self._seen) >= REMEMBERED:
                self._seen.clear()
            found = self._seen[rang] = tuple(self._concerned(source, rang))
        return found

    @cached_property
    def pages(self) -> bytes:
        """The pages as JSON, to be kept under their digest."""
        return json.dumps([[rule.name, *rule.on] for rule in self], ensure_ascii=False).encode(
            errors="surrogatepass"
        )

    @cached_property
    def digest(self) -> str:
        """The name of these pages."""
        return hashlib.sha256(self.pages).hexdigest()

    def _concerned(self, source: str, rang: str) -> Iterator[Concerned]:
        for number in self._index.fitting(source, rang):
            rule = self[number]
            on = about_on(rule.on, rang)
            yield Concerned(rule, on, self._asks[number], self._trusts[number])

    @cached_property
    def _seen(self) -> dict[str, tuple[Concerned, ...]]:
        return {}

    @cached_property
    def _asks(self) -> list[Ask]:
        shared: Shared = {}
        return [asked_of(rule, shared) for rule in self]

    @cached_property
    def _trusts(self) -> list[int]:
        """Of each rule, the number of the first that trusts the very same."""
        first: dict[Trust, int] = {}
        return [first.setdefault(rule.trust, number) for number, rule in enumerate(self)]

    @cached_property
    def _index(self) -> "_Index":
        return _Index(self)


class _Index:
    """The globs by what of them is plain text: the whole, the source, or nothing."""

    def __init__(self, rules: Sequence[Rule]) -> None:
        self._whole: dict[str, list[int]] = {}
        self._of_source: dict[str, list[tuple[str, int]]] = {}
        self._others: list[tuple[str, int]] = []
        for number, rule in enumerate(rules):
            for pattern in rule.on:
                self._note(scrub(pattern), number)

    def fitting(self, source: str, rang: str) -> list[int]:
        """The numbers of the rules that have a fitting glob, in order."""
        text = scrub(rang)
        tried = [] if source == SCHEDULE else [*self._of_source.get(scrub(source), ())]
        # The clock rings for one rule alone, and our own notices are for rules that name them, however wide others are.
        tried += [] if source in {SCHEDULE, DOORBELL} else self._others
        fits = {number for pattern, number in tried if glob(pattern)(text)}
        return sorted(fits.union(self._whole.get(text, ())))

    def _note(self, pattern: str, number: int) -> None:
        source, slash, _ = pattern.partition("/")
        if not is_glob(pattern):
            self._whole.setdefault(pattern, []).append(number)
        elif slash and not is_glob(source):
            self._of_source.setdefault(source, []).append((pattern, number))
        else:
            self._others.append((pattern, number))


def might_want(page: Page, source: str, type_: str) -> bool:
    """Whether a rule with this page would be asked about such an event."""
    ours = source in {SCHEDULE, DOORBELL}
    named = [one for one in page.on if not (ours and is_glob(one.partition("/")[0]))]
    return like(f"{source}/{type_}", named)


def pages_of(kept: bytes) -> list[Page]:
    """The pages that were kept."""
    read = json.loads(kept.decode(errors="surrogatepass"))
    return [Page(name=name, on=tuple(patterns)) for name, *patterns in read]
