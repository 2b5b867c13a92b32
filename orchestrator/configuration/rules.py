"""rules/*.yaml as rules; it knows which sources and playbooks there are, and matches nothing."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from orchestrator.configuration.calls import call_flaws, mode_of, steps_of
from orchestrator.configuration.document import Document, Place
from orchestrator.configuration.examples import example_flaws, examples_of
from orchestrator.configuration.flow import coalesce_of, flow_flaws
from orchestrator.configuration.forwards import Secrets, destination_of, misfits, unset_warnings
from orchestrator.configuration.limits import caps_of
from orchestrator.configuration.rates import (
    EVERYTHING,
    dedupe_of,
    limits_of,
    on_of,
    rate_flaws,
    runs_only,
)
from orchestrator.configuration.scheduled import rung_by, schedule_flaws, schedule_of
from orchestrator.configuration.shapes import ForwardShape, RuleShape, StepShape
from orchestrator.configuration.shaping import NAME, Found, entries, shaped
from orchestrator.configuration.sources import kind_of
from orchestrator.configuration.trust import trust_of, unjudged
from orchestrator.errors import Flaw
from orchestrator.playbooks import MEANING, fits
from orchestrator.rules.load import closest, condition_of
from orchestrator.rules.operators import like
from orchestrator.rules.rule import Condition, Rule
from orchestrator.rules.rulebook import Page
from orchestrator.sources.notices import TYPES
from orchestrator.sources.source import DOORBELL, OPERATOR, SCHEDULE
from orchestrator.templates import Template, TemplateError, templates_of
from workflows.playbook import InputType, Playbook

ACTIONS = "`run:`, `forward:` or `call:`"

NAMES = frozenset({"event", "id", "source", "type", "subject", "actor", "headers"})
"""The one vocabulary, as templates of a rule may use it."""

ONLY_RUN = ("with", "flow", "stage")
"""Keys that say how a playbook is run, and nothing about a `forward:`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What rules are held against. `playbooks` are the sound ones, `playbook_names` all that stand there.

    `vouching` is which sources say who wrote a text and how they stand to its repository; `servers` are the sound
    ones, `server_names` all that stand there.
    """

    sources: frozenset[str]
    publishes: Mapping[str, tuple[str, ...]]
    playbooks: Mapping[str, Playbook]
    playbook_names: frozenset[str]
    secrets: Secrets
    vouching: Mapping[str, bool] = field(default_factory=dict)
    servers: frozenset[str] = frozenset()
    server_names: frozenset[str] = frozenset()


@dataclass(slots=True)
class FoundRules(Found[Rule]):
    """`unsound` are those that stand there and can't be used, by name, with what they would be `on`.

    That is everything where nobody can say; where nobody can tell which rules a file has, it stands for them.
    """

    unsound: list[Page] = field(default_factory=list)


def rules_of(document: Document, around: Surroundings) -> FoundRules:
    """Every rule of the file; one with a mistake, or whose playbook has one, is not among the things."""
    found = FoundRules()
    for name, value in entries(document, "rule", found.flaws):
        found.names.add(name)
        at: Place = (name,)
        shape, flaws = shaped(RuleShape, value, at)
        when = value.get("when", {}) if isinstance(value, Mapping) else {}
        condition, more = condition_of({} if when is None else when, (*at, "when"))
        flaws += more
        if shape is not None:
            flaws += _misfits(shape, around, at)
            found.warnings += _warnings(shape, around, at)
        found.flaws += flaws
        if shape is not None and not flaws and _usable(shape, around):
            found.things[name] = _rule(name, shape, condition, document, around)
        else:
            on = _stands_on(value) if shape is None else rung_by(on_of(shape), shape.id or name)
            unclear = _unclear(on, flaws, around, at)
            found.unsound.append(Page(name=name, on=EVERYTHING if unclear else on))
    found.unsound += [Page(name=name, on=EVERYTHING) for name in _unread(document) - found.names]
    return found


def _stands_on(value: Any) -> tuple[str, ...]:
    """What a rule is `on` of which other keys are beyond reading; nothing where that is too."""
    stands = value.get("on") if isinstance(value, Mapping) else None
    patterns = stands if isinstance(stands, list) else [stands]
    return tuple(one for one in patterns if isinstance(one, str))


def _unclear(on: Sequence[str], flaws: Sequence[Flaw], around: Surroundings, at: Place) -> bool:
    # Wrong or not, what names us wants nothing that anybody else sends.
    others = [one for one in on if one.partition("/")[0] not in {OPERATOR, DOORBELL}]
    wrong = len(others) == len(on) and any(flaw.at[:2] == (*at, "on") for flaw in flaws)
    return not on or wrong or any(any(_on(pattern, around, at)) for pattern in others)


def _unread(document: Document) -> set[str]:
    """The names that stand in a file, or the file where nobody can read them."""
    if isinstance(document.value, Mapping):
        return set(document.value)
    return set() if document.value is None and not document.broken else {document.file}


def _usable(shape: RuleShape, around: Surroundings) -> bool:
    if shape.call is not None:
        return all(step.server in around.servers for step in steps_of(shape))
    return shape.forward is not None or shape.run in around.playbooks


def _rule(
    name: str, shape: RuleShape, condition: Condition, document: Document, around: Surroundings
) -> Rule:
    forward = shape.forward
    return Rule(
        id=shape.id or name,
        name=name,
        on=rung_by(on_of(shape), shape.id or name),
        when=condition,
        playbook=shape.run,
        forward=None if forward is None else destination_of(forward, around.secrets),
        call=steps_of(shape),
        with_=dict(shape.with_),
        key=None if shape.key is None else shape.key.text,
        mode=mode_of(shape),
        coalesce=coalesce_of(shape.flow),
        trust=trust_of(shape.trust),
        stage=shape.stage,
        schedule=schedule_of(shape.schedule),
        caps=caps_of(shape.limits),
        limits=limits_of(shape.limits),
        dedupe=dedupe_of(shape),
        backstop=shape.backstop,
        tests=examples_of(shape.tests, (name, "tests"), document),
        file=document.file,
        line=document.keys[(name,)][0],
    )


def _misfits(shape: RuleShape, around: Surroundings, at: Place) -> Iterator[Flaw]:
    for index, pattern in enumerate(shape.on):
        yield from _on(pattern, around, (*at, "on", index))
    yield from schedule_flaws(shape.on, shape.schedule, at)
    if shape.id is not None and NAME.fullmatch(shape.id) is None:
        yield Flaw((*at, "id"), f"expected a name as a rule may have it, got {shape.id!r}")
    yield from _key(shape.key, (*at, "key"))
    yield from rate_flaws(shape, at)
    yield from flow_flaws(shape, at)
    if shape.dedupe is not None:
        yield from _vocabulary(shape.dedupe.key.text, (*at, "dedupe", "key"))
    yield from example_flaws(shape.tests, (*at, "tests"))
    match shape.run, shape.forward, shape.call:
        case str() as playbook, None, None:
            yield from _run(playbook, shape, around, at)
        case None, ForwardShape() as forward, None:
            yield from _only_run(shape, at)
            yield from runs_only(shape, at)
            yield from misfits(forward, around.secrets, (*at, "forward"))
        case None, None, list() as steps:
            yield from call_flaws(shape, around.server_names, at)
            yield from _args(steps, (*at, "call"))
        case None, None, None:
            yield Flaw(at, f"expected one action, {ACTIONS}, got none", key=True)
        case _:
            yield Flaw(
                at,
                f"expected one action, {ACTIONS}, got several: make a rule of each",
                key=True,
            )


def _run(playbook: str, shape: RuleShape, around: Surroundings, at: Place) -> Iterator[Flaw]:
    if playbook not in around.playbook_names:
        hint = closest(playbook, around.playbook_names)
        yield Flaw((*at, "run"), f"unknown playbook {playbook!r}{hint}")
    for name, value in shape.with_.items():
        yield from _vocabulary(value, (*at, "with", name))
    if playbook in around.playbooks:
        yield from _inputs(shape, around.playbooks[playbook].inputs, at)


def _args(steps: Sequence[StepShape], at: Place) -> Iterator[Flaw]:
    for index, step in enumerate(steps):
        for name, value in step.args.items():
            yield from _vocabulary(value, (*at, index, "args", name))


def _only_run(shape: RuleShape, at: Place) -> Iterator[Flaw]:
    for key in ONLY_RUN:
        if ("with_" if key == "with" else key) in shape.model_fields_set:
            said = (
                f"{key!r} says how a playbook is run and means nothing beside `forward:`: remove it"
            )
            yield Flaw((*at, key), said, key=True)


def _on(pattern: str, around: Surroundings, at: Place) -> Iterator[Flaw]:
    source, slash, type_ = pattern.partition("/")
    known = around.sources | {DOORBELL}
    if source == SCHEDULE:
        return
    if source == OPERATOR:
        yield Flaw(at, f"what a person says is about runs and starts no rule, got {pattern!r}")
        return
    if source == DOORBELL and not any(like(one, type_) for one in TYPES):
        said = f"expected {' or '.join(f'{DOORBELL}/{one}' for one in TYPES)}"
        yield Flaw(at, f"{said}, got {pattern!r}{closest(type_, TYPES)}")
        return
    if not slash or not source or not type_:
        every = "; every delivery is '*/*'" if pattern == "*" else ""
        yield Flaw(
            at, f"expected source/type, such as github/issues.opened, got {pattern!r}{every}"
        )
    elif not any(like(name, source) for name in known):
        yield Flaw(at, f"unknown source {source!r}{closest(source, around.sources)}")


def _key(key: Template | None, at: Place) -> Iterator[Flaw]:
    if key is None:
        return
    if key.literal and not all(key.text.partition(":")):
        yield Flaw(
            at, f'expected a key such as "issue:{{{{ event.issue.number }}}}", got {key.text!r}'
        )
    yield from _vocabulary(key.text, at)


def _vocabulary(value: Any, at: Place) -> Iterator[Flaw]:
    try:
        templates = templates_of(value)
    except TemplateError as error:
        yield Flaw(at, str(error))
        return
    for name in sorted({name for template in templates for name in template.names} - NAMES):
        yield Flaw(at, f"unknown name {name!r}{closest(name, NAMES)}")


def _inputs(shape: RuleShape, declared: Mapping[str, InputType], at: Place) -> Iterator[Flaw]:
    for name in shape.with_:
        if name not in declared:
            hint = closest(name, declared)
            said = f"the playbook {shape.run!r} declares no input {name!r}{hint}"
            yield Flaw((*at, "with", name), said, key=True)
    for name, kind in declared.items():
        if name not in shape.with_:
            said = (
                f"the playbook {shape.run!r} needs the input {name!r} ({kind.value}) under `with:`"
            )
            yield Flaw((*at, "with"), said)
        elif _constant(shape.with_[name]) and not fits(kind, shape.with_[name]):
            got = shape.with_[name]
            yield Flaw((*at, "with", name), f"expected {MEANING[kind]}, got {got!r}")


def _constant(value: Any) -> bool:
    try:
        return all(template.literal for template in templates_of(value))
    except TemplateError:
        return False


def _warnings(shape: RuleShape, around: Surroundings, at: Place) -> Iterator[Flaw]:
    yield from unjudged(shape.trust, shape.on, around.vouching, (*at, "trust"))
    if shape.call is not None:
        return
    if shape.forward is None:
        # A run may wait on its key; a forward's key only orders.
        yield from _kind_warnings(shape, around, at)
    else:
        yield from unset_warnings(shape.forward, around.secrets, (*at, "forward"))


def _kind_warnings(shape: RuleShape, around: Surroundings, at: Place) -> Iterator[Flaw]:
    kind = None if shape.key is None else kind_of(shape.key)
    if kind is None:
        return
    for source in sorted(around.publishes):
        if any(like(source, pattern.partition("/")[0]) for pattern in shape.on):
            published = around.publishes[source]
            if kind not in published:
                said = ", ".join(published) or "none at all"
                yield Flaw(
                    (*at, "key"),
                    f"{source!r} publishes no keys of kind {kind!r} (it publishes {said}): "
                    "its events wake no run that waits on this key",
                )
