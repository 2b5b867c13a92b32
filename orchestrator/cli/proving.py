"""What `check` does beyond reading: run the rules' tests, look for doubts; it prints nothing."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from orchestrator.cli.rules_test import complaint_of, verdicts_of
from orchestrator.cli.samples import sampled
from orchestrator.configuration.configuration import Configuration
from orchestrator.errors import Flaw, Mistake
from orchestrator.rehearsal.doubts import doubts, unknown_tools
from orchestrator.rehearsal.retiring import retiring_doubts
from orchestrator.rehearsal.testing import Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """A whole check; `unchecked` says in words what wasn't looked at."""

    mistakes: tuple[Mistake, ...]
    warnings: tuple[Mistake, ...]
    verdicts: tuple[Verdict, ...]
    unchecked: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """What servers said: their tools by name, and why one said nothing."""

    tools: Mapping[str, frozenset[str]]
    silent: Mapping[str, str]


def proved(
    configuration: Configuration, directory: Path, now: datetime, offer: Offer | None
) -> Proof:
    """Everything wrong with a configuration, and everything doubtful; without an offer no server was asked."""
    sources = {**configuration.shut, **configuration.sources}
    found = doubts(configuration, sampled(sources.values(), now))
    verdicts = verdicts_of(configuration, directory, now)
    mistakes = [*configuration.mistakes, *found.mistakes, *_failures(verdicts)]
    warnings = [*configuration.warnings, *found.warnings]
    warnings += retiring_doubts(configuration, now.date())
    if offer is not None:
        mistakes += unknown_tools(configuration, offer.tools)
        warnings += _silent(configuration, offer.silent)
    return Proof(
        mistakes=tuple(sorted(set(mistakes))),
        warnings=tuple(sorted(set(warnings))),
        verdicts=tuple(verdicts),
        unchecked=() if offer is not None else _unasked(configuration),
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
