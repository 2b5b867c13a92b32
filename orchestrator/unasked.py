"""The rules that an event didn't ask, which share one row, one by one; it knows their pages and no rule."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from msgspec.structs import replace

from orchestrator.rules.match import about_on
from orchestrator.rules.rule import Finding
from orchestrator.rules.rulebook import Page
from orchestrator.sources.source import DOORBELL, SCHEDULE

NAMED: Final[Mapping[str, str]] = {
    SCHEDULE: "the clock rings only the rule that names it",
    DOORBELL: "our own notices ring only rules that name them",
}
"""Why a rule isn't asked whose globs are wide enough for what we ring ourselves, by source."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unasked:
    """A rule that wasn't asked, why, and the line of a trace that says so."""

    rule: str
    reason: str
    line: Finding


def unasked(
    pages: Sequence[Page], asked: Collection[str], source: str, type_: str
) -> Iterator[Unasked]:
    """Those of the pages that an event of this kind didn't ask; `asked` has the names of those that it did."""
    for page in pages:
        line = about_on(page.on, f"{source}/{type_}")
        said = f"no match: {line.path}"
        if not line.held:
            yield Unasked(rule=page.name, reason=said, line=line)
        elif page.name not in asked and source in NAMED:
            line = replace(line, held=False)
            yield Unasked(rule=page.name, reason=f"{said} ({NAMED[source]})", line=line)
