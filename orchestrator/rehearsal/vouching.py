"""Trust that says the contrary of its own rule, or of itself: strangers, forks, a name on both lists; pure."""

from collections.abc import Iterator, Sequence
from typing import Final

from orchestrator.errors import Flaw
from orchestrator.rehearsal.conditions import Placed, demanded, values_of
from orchestrator.rules.rule import Rule
from orchestrator.rules.trust import plain
from orchestrator.sources.authors import NEWS
from orchestrator.sources.github import GithubDialect
from orchestrator.sources.github_shapes import SHAPES
from orchestrator.sources.source import Source

FORKS: Final = ("pull_request.head.repo.fork", "workflow_run.head_repository.fork")
"""Where GitHub says that what is proposed comes from a fork."""


def strangers_shut_out(rule: Rule, sources: Sequence[Source]) -> Iterator[Flaw]:
    """Those that the rule asks for by how they stand to the repository, where its trust lets in others alone."""
    trust, leaves = rule.trust, _leaves(rule)
    if not trust.associations or trust.allow or trust.bots or not _of_github(sources):
        return
    paths = {_association(pattern) for pattern in rule.on}
    for one in leaves:
        values = values_of(one.leaf.path, leaves) if {one.leaf.path} == paths else None
        if values and trust.associations.isdisjoint(map(str, values)):
            who, expected = ", ".join(map(str, values)), sorted(trust.associations)
            said = f"it asks for {who}, whom trust.associations shuts out (it wants: in {expected})"
            yield Flaw((rule.name, *one.place), f"this rule can never match: {said}")
            return


def contradictions(rule: Rule, sources: Sequence[Source]) -> Iterator[Flaw]:
    """What of the rule's trust is hardly meant."""
    yield from _on_both_lists(rule)
    if not rule.trust.forks and _of_github(sources):
        yield from _forks(rule)


def _on_both_lists(rule: Rule) -> Iterator[Flaw]:
    trust, denied = rule.trust, {plain(name) for name in rule.trust.deny}
    for key, names in (("allow", trust.allow), ("bots", trust.bots)):
        for name in sorted(names):
            if plain(name) in denied:
                said = f"{name!r} stands under `deny` too, and that wins: remove one of the two"
                yield Flaw((rule.name, "trust", key), said)


def _forks(rule: Rule) -> Iterator[Flaw]:
    # No mistake: between two branches of a repository that is a fork itself it holds, and nothing is foreign.
    leaves = _leaves(rule)
    for one in leaves:
        if one.leaf.path in FORKS and values_of(one.leaf.path, leaves) == [True]:
            said = "this asks for what comes from forks, which trust shuts out: say `forks: true`, or ask for others"
            yield Flaw((rule.name, *one.place), said)


def _association(pattern: str) -> str | None:
    """Where events of this kind say how the author of what they are about stands to its repository."""
    shape = SHAPES.get(pattern.partition("/")[2].partition(".")[0])
    thing = None if shape is None else next((one for one in NEWS if one in shape.always), None)
    return None if thing is None else f"{thing}.author_association"


def _leaves(rule: Rule) -> list[Placed]:
    return [one for one in demanded(rule.when) if isinstance(one, Placed)]


def _of_github(sources: Sequence[Source]) -> bool:
    return bool(sources) and all(isinstance(one.dialect, GithubDialect) for one in sources)
