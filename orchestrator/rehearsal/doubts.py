"""What `check` finds beyond the shapes: what can never happen is a mistake, what may not be meant a warning; pure."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import islice
from pathlib import PurePosixPath
from typing import Any, Final

from orchestrator.configuration.configuration import Configuration
from orchestrator.errors import Flaw, Mistake
from orchestrator.rehearsal.callbacks import callback_doubts
from orchestrator.rehearsal.conditions import Placed, clash, demanded, overlap
from orchestrator.rehearsal.constant import constant_flaws
from orchestrator.rehearsal.documented import unknown
from orchestrator.rehearsal.fields import Sample, field_flaws
from orchestrator.rehearsal.trusting import names_nobody, shut_out
from orchestrator.rehearsal.vouching import contradictions, strangers_shut_out
from orchestrator.rehearsal.writing import unlimited, written_with
from orchestrator.rules.load import closest
from orchestrator.rules.operators import is_glob, like, same
from orchestrator.rules.paths import is_wide
from orchestrator.rules.rule import Leaf, Operator, Rule
from orchestrator.rules.trust import WANTS
from orchestrator.sources.github import GithubDialect
from orchestrator.sources.source import Source
from workflows.playbook import Playbook, Stage

DEAR: Final = Decimal(50)
CHEAP: Final = Decimal("0.001")
"""US dollars for one run: more, or less, is more likely a slip of the pen."""

LONG: Final = 1_000
"""Turns of one run, in the same way."""

RIVALS: Final = 3
"""Rules a rule is told of that may write the same: a thousand on one event would be half a million pairs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Doubts:
    """What was found, each sorted by its place."""

    mistakes: tuple[Mistake, ...]
    warnings: tuple[Mistake, ...]


def doubts(configuration: Configuration, samples: Sequence[Sample]) -> Doubts:
    """Everything doubtful about a configuration, of the rules and playbooks that are sound by themselves."""
    sources = {**configuration.shut, **configuration.sources}
    mistakes: list[Mistake] = []
    warnings: list[Mistake] = []
    for rule in configuration.rules:
        own = [source for name, source in sources.items() if _rings(rule, name)]
        playbook = configuration.playbooks.get(rule.playbook or "")
        mistakes += _placed(configuration, rule, [*_never(rule, own), *_untrusted(rule, own)])
        doubted = [*_unknown_events(rule, own), *field_flaws(rule, playbook, samples)]
        doubted += constant_flaws(rule)
        capped = [*_capped(rule, playbook), *_of_nobody(rule, own)]
        warnings += _placed(configuration, rule, [*doubted, *capped])
        mistakes += _placed(configuration, rule, strangers_shut_out(rule, own))
        warnings += _placed(configuration, rule, contradictions(rule, own))
    for playbook in configuration.playbooks.values():
        file = f"playbooks/{playbook.name}.md"
        doubtful = [*_budget(playbook), *callback_doubts(playbook, sources)]
        doubtful += unlimited(configuration, playbook)
        warnings += [configuration.documents[file].mistake(one) for one in doubtful]
    writers = list(_writers(configuration))
    for place, writer in enumerate(writers):
        warnings += _placed(configuration, writer.rule, _rivals(writers[:place], writer))
    return Doubts(mistakes=tuple(sorted(set(mistakes))), warnings=tuple(sorted(set(warnings))))


def unknown_tools(
    configuration: Configuration, offered: Mapping[str, Collection[str]]
) -> list[Mistake]:
    """The tools that playbooks list, or rules call, and their servers, as far as they were asked, don't have."""
    return [*_unlisted(configuration, offered), *_uncallable(configuration, offered)]


def _unlisted(
    configuration: Configuration, offered: Mapping[str, Collection[str]]
) -> list[Mistake]:
    return [
        configuration.documents[f"playbooks/{playbook.name}.md"].mistake(
            Flaw(("tools", server, index), f"{server!r} has no tool {tool!r}{closest(tool, has)}")
        )
        for playbook in configuration.playbooks.values()
        for server, tools in playbook.tools.items()
        if (has := offered.get(server)) is not None
        for index, tool in enumerate(tools)
        if tool not in has
    ]


def _uncallable(
    configuration: Configuration, offered: Mapping[str, Collection[str]]
) -> Iterator[Mistake]:
    for rule in configuration.rules:
        for index, step in enumerate(rule.call):
            has = offered.get(step.server)
            if has is not None and step.name not in has:
                said = f"{step.server!r} has no tool {step.name!r}{closest(step.name, has)}"
                flaw = Flaw((rule.name, "call", index, "tool"), said)
                yield from _placed(configuration, rule, [flaw])


def _placed(configuration: Configuration, rule: Rule, flaws: Iterable[Flaw]) -> Iterator[Mistake]:
    document = configuration.documents[f"rules/{PurePosixPath(rule.file).name}"]
    return (document.mistake(flaw) for flaw in flaws)


def _rings(rule: Rule, source: str) -> bool:
    return any(like(source, pattern.partition("/")[0]) for pattern in rule.on)


def _never(rule: Rule, sources: Sequence[Source]) -> Iterator[Flaw]:
    found = clash(rule.when, beside=_action(rule, sources))
    if found is not None:
        yield Flaw((rule.name, *found.place), f"this rule can never match: {found.message}")


def _action(rule: Rule, sources: Sequence[Source]) -> list[Placed]:
    """What `on` says already about the action in GitHub's payloads: its type ends in it."""
    actions = [pattern.partition("/")[2].partition(".")[2] for pattern in rule.on]
    of_github = all(isinstance(source.dialect, GithubDialect) for source in sources)
    if not sources or not of_github or not all(actions) or any(map(is_glob, rule.on)):
        return []
    return [Placed(("on",), Leaf("action", Operator.IN, tuple(actions)))]


def _untrusted(rule: Rule, sources: Sequence[Source]) -> Iterator[Flaw]:
    found = shut_out(rule, sources)
    if found is not None:
        finding = found.finding
        listed = finding.operator != WANTS
        wanted = f"{finding.operator} {finding.expected}" if listed else finding.expected
        yield Flaw(
            (rule.name, *found.place),
            f"this rule can never match: it asks for {found.who}, whom {finding.path} shuts out"
            f" (it wants: {wanted})",
        )


def _unknown_events(rule: Rule, sources: Sequence[Source]) -> Iterator[Flaw]:
    for index, pattern in enumerate(rule.on):
        yield from (Flaw((rule.name, "on", index), said) for said in unknown(pattern, sources))


def _budget(playbook: Playbook) -> Iterator[Flaw]:
    budget, count = playbook.budget, sum(map(len, playbook.tools.values()))
    checks = (
        (budget.usd == 0, "usd", "no run can pay for its first turn with 0 dollars"),
        (0 < budget.usd < CHEAP, "usd", f"hardly a turn costs as little as {budget.usd} dollars"),
        (budget.usd > DEAR, "usd", f"one run may spend {budget.usd} dollars: is that meant?"),
        (budget.turns > LONG, "turns", f"one run may take {budget.turns} turns: is that meant?"),
        (
            budget.tokens < playbook.max_tokens,
            "tokens",
            f"one reply may have {playbook.max_tokens} tokens (max_tokens), the whole run {budget.tokens}",
        ),
        (
            count > 0 and budget.tool_calls == 0,
            "tool_calls",
            f"{count} tools are listed, and no call of one is allowed",
        ),
    )
    yield from (Flaw(("budget", key), said) for wrong, key, said in checks if wrong)
    for tool, limit in playbook.writes.items():
        if limit.max > budget.tool_calls > 0:
            said = f"{limit.max} calls are more than all tool calls together ({budget.tool_calls})"
            yield Flaw(("writes", tool, "max"), said)


def _capped(rule: Rule, playbook: Playbook | None) -> Iterator[Flaw]:
    """Caps of a day under which not even one run fits."""
    for cap, of_what in ((rule.caps.day, "day"), (rule.caps.actor_day, "actor_day")):
        if playbook is None:
            return
        budget = playbook.budget
        for unit, may, most in (
            ("usd", budget.usd, cap.usd),
            ("tokens", budget.tokens, cap.tokens),
        ):
            if most is not None and may > most:
                said = f"one run of {playbook.name!r} may spend {may} {unit} by its budget, this cap is {most}"
                yield Flaw((rule.name, "limits", f"{unit}_per_{of_what}"), said)


def _of_nobody(rule: Rule, sources: Sequence[Source]) -> Iterator[Flaw]:
    """Limits of an actor for events that never name one: all of them count as one's."""
    day = rule.caps.actor_day
    limits = {
        "per_actor": rule.limits.per_actor,
        "usd_per_actor_day": day.usd,
        "tokens_per_actor_day": day.tokens,
    }
    for source in sources:
        if names_nobody(source.dialect):
            said = f"events of {source.name!r} name no actor, so all of them together count as one actor's"
            for key in (name for name, asked in limits.items() if asked is not None):
                yield Flaw((rule.name, "limits", key), said)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Writer:
    """A live rule, the tools it may write with, and what must hold for it to do so."""

    rule: Rule
    tools: frozenset[str]
    leaves: tuple[Placed, ...]
    equal: Mapping[str, Any]


def _writers(configuration: Configuration) -> Iterator[_Writer]:
    for rule in configuration.rules:
        tools = frozenset(written_with(configuration, rule))
        if tools and rule.stage is Stage.LIVE:
            leaves = tuple(one for one in demanded(rule.when) if isinstance(one, Placed))
            equal = {
                one.leaf.path: one.leaf.expected
                for one in leaves
                if one.leaf.operator is Operator.EQ and not is_wide(one.leaf.path)
            }
            yield _Writer(rule=rule, tools=tools, leaves=leaves, equal=equal)


def _rivals(before: Sequence[_Writer], writer: _Writer) -> Iterator[Flaw]:
    """The live rules before this one that may write with the same tool on the same event."""
    found = (one for one in before if one.tools & writer.tools and _meet(one, writer))
    for number, one in enumerate(islice(found, RIVALS + 1)):
        tools, rule = ", ".join(sorted(one.tools & writer.tools)), one.rule
        other = f"{rule.name!r} ({rule.file}:{rule.line}) are live, and both"
        who = other if number < RIVALS else f"more than {RIVALS} others are live, and all"
        said = f"this rule and {who} may write with {tools} on the same event"
        yield Flaw((writer.rule.name, "on"), said, key=True)


def _meet(one: _Writer, other: _Writer) -> bool:
    """Whether some event may match both."""
    # Rules that differ in one plain value are the common case, and there are many pairs.
    if any(
        path in other.equal and not same(other.equal[path], value)
        for path, value in one.equal.items()
    ):
        return False
    if not any(overlap(mine, yours) for mine in one.rule.on for yours in other.rule.on):
        return False
    return clash(other.rule.when, beside=one.leaves) is None
