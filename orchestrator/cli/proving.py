"""What `check` does beyond reading: run the rules' tests, look for doubts; it prints nothing."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import Final

from orchestrator.agent import prices
from orchestrator.cli.rules_test import complaint_of, verdicts_of
from orchestrator.cli.samples import sampled
from orchestrator.configuration.configuration import Configuration
from orchestrator.errors import Flaw, Mistake
from orchestrator.rehearsal.doubts import doubts, unknown_tools
from orchestrator.rehearsal.retiring import retiring_doubts
from orchestrator.rehearsal.testing import Verdict
from orchestrator.rehearsal.unpriced import unpriced_doubts

UNJUDGED: Final = "limits, dedupe, loops, and what was learned of our own actors: tests only match"
"""What the tests of rules leave out, because it depends on what came before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """A whole check; `unchecked` says in words what wasn't looked at.

    `tokens` are the prices of the playbooks' tools, by playbook, as far as the tools are known.
    """

    mistakes: tuple[Mistake, ...]
    warnings: tuple[Mistake, ...]
    verdicts: tuple[Verdict, ...]
    unchecked: tuple[str, ...]
    tokens: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """What servers said: their tools by name, and why one said nothing.

    `drifted` says by server which of its tools aren't what was locked.
    """

    tools: Mapping[str, frozenset[str]]
    silent: Mapping[str, str]
    drifted: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Priced:
    """What the tools of a playbook cost together, and what keeps a run from being opened with them."""

    tokens: int
    problems: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What is known of the tools: `offer` is None where no server was asked.

    `priced` are the playbooks of whose tools the definitions are known; `misfits`, by rule, arguments of calls.
    """

    offer: Offer | None = None
    priced: Mapping[str, Priced] = field(default_factory=dict)
    misfits: Mapping[str, tuple[Flaw, ...]] = field(default_factory=dict)


def proved(configuration: Configuration, directory: Path, now: datetime, known: Known) -> Proof:
    """Everything wrong with a configuration, and everything doubtful."""
    offer, priced = known.offer, known.priced
    sources = {**configuration.shut, **configuration.sources}
    found = doubts(configuration, sampled(sources.values(), now))
    verdicts = verdicts_of(configuration, directory, now)
    mistakes = [*configuration.mistakes, *found.mistakes, *_failures(verdicts)]
    mistakes += _refused(configuration, priced)
    mistakes += _misfits(configuration, known.misfits)
    warnings = [*configuration.warnings, *found.warnings]
    warnings += retiring_doubts(configuration, now.date())
    warnings += unpriced_doubts(configuration, prices.is_known)
    if offer is not None:
        mistakes += unknown_tools(configuration, offer.tools)
        mistakes += _drifted(configuration, offer.drifted)
        warnings += _silent(configuration, offer.silent)
    return Proof(
        mistakes=tuple(sorted(set(mistakes))),
        warnings=tuple(sorted(set(warnings))),
        verdicts=tuple(verdicts),
        unchecked=(
            *(() if offer is not None else _unasked(configuration)),
            *((UNJUDGED,) if configuration.rules else ()),
        ),
        tokens={name: one.tokens for name, one in priced.items()},
    )


def _failures(verdicts: Iterable[Verdict]) -> list[Mistake]:
    return [
        Mistake(
            file=verdict.file,
            line=verdict.example.line,
            column=verdict.example.column,
            message=f"a test of {verdict.rule!r} fails: {complaint_of(verdict)}",
        )
        for verdict in verdicts
        if not verdict.passed
    ]


def _refused(configuration: Configuration, priced: Mapping[str, Priced]) -> list[Mistake]:
    return [
        configuration.documents[f"playbooks/{name}.md"].mistake(Flaw(("tools",), said, key=True))
        for name, one in priced.items()
        for said in one.problems
    ]


def _misfits(
    configuration: Configuration, misfits: Mapping[str, tuple[Flaw, ...]]
) -> Iterator[Mistake]:
    for rule in configuration.rules:
        document = configuration.documents[f"rules/{PurePosixPath(rule.file).name}"]
        yield from (document.mistake(flaw) for flaw in misfits.get(rule.name, ()))


def _drifted(configuration: Configuration, drifted: Mapping[str, tuple[str, ...]]) -> list[Mistake]:
    document = configuration.documents["servers.yaml"]
    return [
        document.mistake(Flaw((server,), words, key=True))
        for server, said in drifted.items()
        for words in said
    ]


def _silent(configuration: Configuration, silent: Mapping[str, str]) -> list[Mistake]:
    document = configuration.documents["servers.yaml"]
    return [
        document.mistake(Flaw((name,), f"its tools can't be checked: {said}", key=True))
        for name, said in silent.items()
    ]


def _unasked(configuration: Configuration) -> tuple[str, ...]:
    servers = used(configuration)
    if not servers:
        return ()
    return (f"the tools of {', '.join(servers)}: their servers weren't asked (--online asks them)",)


def used(configuration: Configuration) -> list[str]:
    """The servers that playbooks and calls use."""
    of_playbooks = {name for one in configuration.playbooks.values() for name in one.tools}
    return sorted(
        of_playbooks | {step.server for rule in configuration.rules for step in rule.call}
    )
