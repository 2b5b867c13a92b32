"""rules/*.yaml as rules; it knows which sources and playbooks there are, and matches nothing."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from orchestrator.configuration.document import Document, Place
from orchestrator.configuration.shapes import RuleShape
from orchestrator.configuration.shaping import NAME, Found, entries, shaped
from orchestrator.configuration.sources import kind_of
from orchestrator.errors import Flaw
from orchestrator.playbooks import MEANING, fits
from orchestrator.rules.load import closest, condition_of
from orchestrator.rules.operators import like
from orchestrator.rules.rule import Condition, Rule, Trust
from orchestrator.sources.source import OPERATOR
from orchestrator.templates import Template, TemplateError, templates_of
from workflows.playbook import InputType, Playbook

NAMES = frozenset({"event", "id", "source", "type", "subject", "actor", "headers"})
"""The one vocabulary, as templates of a rule may use it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What rules are held against. `playbooks` are the sound ones, `playbook_names` all that stand there."""

    sources: frozenset[str]
    publishes: Mapping[str, tuple[str, ...]]
    playbooks: Mapping[str, Playbook]
    playbook_names: frozenset[str]


def rules_of(document: Document, around: Surroundings) -> Found[Rule]:
    """Every rule of the file; one with a mistake, or whose playbook has one, is not among the things."""
    found: Found[Rule] = Found()
    for name, value in entries(document, "rule", found.flaws):
        found.names.add(name)
        at: Place = (name,)
        shape, flaws = shaped(RuleShape, value, at)
        when = value.get("when", {}) if isinstance(value, Mapping) else {}
        condition, more = condition_of({} if when is None else when, (*at, "when"))
        flaws += more
        if shape is not None:
            flaws += _misfits(shape, around, at)
            found.warnings += _kind_warnings(shape, around, at)
        found.flaws += flaws
        if shape is not None and not flaws and shape.run in around.playbooks:
            found.things[name] = _rule(name, shape, condition, document)
    return found


def _rule(name: str, shape: RuleShape, condition: Condition, document: Document) -> Rule:
    return Rule(
        id=shape.id or name,
        name=name,
        on=tuple(shape.on),
        when=condition,
        playbook=shape.run,
        with_=dict(shape.with_),
        key=None if shape.key is None else shape.key.text,
        mode=shape.flow.mode,
        trust=Trust(bots=frozenset(shape.trust.bots), ignore_self=shape.trust.ignore_self),
        stage=shape.stage,
        file=document.file,
        line=document.keys[(name,)][0],
    )


def _misfits(shape: RuleShape, around: Surroundings, at: Place) -> Iterator[Flaw]:
    for index, pattern in enumerate(shape.on):
        yield from _on(pattern, around, (*at, "on", index))
    if shape.id is not None and NAME.fullmatch(shape.id) is None:
        yield Flaw((*at, "id"), f"expected a name as a rule may have it, got {shape.id!r}")
    if shape.run not in around.playbook_names:
        hint = closest(shape.run, around.playbook_names)
        yield Flaw((*at, "run"), f"unknown playbook {shape.run!r}{hint}")
    yield from _key(shape.key, (*at, "key"))
    for name, value in shape.with_.items():
        yield from _vocabulary(value, (*at, "with", name))
    if shape.run in around.playbooks:
        yield from _inputs(shape, around.playbooks[shape.run].inputs, at)


def _on(pattern: str, around: Surroundings, at: Place) -> Iterator[Flaw]:
    source, slash, type_ = pattern.partition("/")
    known = around.sources | {OPERATOR}
    if not slash or not source or not type_:
        yield Flaw(at, f"expected source/type, such as github/issues.opened, got {pattern!r}")
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
