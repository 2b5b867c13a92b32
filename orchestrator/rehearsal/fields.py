"""Templates and paths of rules held against sample payloads: what no sample has, and what comes out unfit; pure."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from functools import partial
from typing import Any, Final

from orchestrator.dispatch.limits import tallies_of
from orchestrator.errors import Flaw
from orchestrator.events import Event
from orchestrator.playbooks import MEANING, fits
from orchestrator.rehearsal.conditions import asked
from orchestrator.rules.match import key_of, on_matches
from orchestrator.rules.paths import steps_of, values_at
from orchestrator.rules.reading import Reading
from orchestrator.rules.rule import Operator, Rule
from orchestrator.templates import TemplateError, render_tree, templates_of
from workflows.playbook import Playbook

EVENT: Final = "event."
MAY_MISS: Final = ("default", "| d(", "|d(", "is defined", "is undefined", "{%")
"""A template with one of these says itself what happens where something is missing."""

WITHOUT: Final = frozenset({Operator.NE, Operator.NONE, Operator.EXISTS})
"""Operators that mean something where the path leads nowhere."""

NEAR: Final = 0.75


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """An event of a sender, and the name under which it comes with Doorbell."""

    name: str
    event: Event


def field_flaws(rule: Rule, playbook: Playbook | None, samples: Sequence[Sample]) -> Iterator[Flaw]:
    """What is doubtful about a rule's templates and paths, given all samples."""
    fitting = [sample for sample in samples if on_matches(rule, sample.event)]
    if not fitting:
        return
    yield from _misspelt(rule, fitting)
    if rule.key is not None:
        yield from _of_a_key(rule.key, (rule.name, "key"), partial(key_of, rule), fitting)
    if rule.dedupe is not None:
        at = (rule.name, "dedupe", "key")
        yield from _of_a_key(rule.dedupe.key, at, partial(_second_key, rule), fitting)
    for name, value in rule.with_.items():
        place = (rule.name, "with", name)
        lacking = list(_lacking(value, place, fitting))
        yield from lacking or _unfit(name, value, place, playbook, fitting)
    yield from _of_calls(rule, fitting)


def _of_calls(rule: Rule, samples: Sequence[Sample]) -> Iterator[Flaw]:
    for index, step in enumerate(rule.call):
        for name, value in step.args.items():
            place = (rule.name, "call", index, "args", name)
            lacking = list(_lacking(value, place, samples))
            yield from lacking or _unmade(value, place, samples)


def _unmade(value: Any, at: tuple[str | int, ...], samples: Sequence[Sample]) -> Iterator[Flaw]:
    came = [_rendered(value, sample.event) for sample in samples]
    if all(isinstance(one, TemplateError) for one in came):
        yield Flaw(at, f"no sample gives a value: {came[0]} ({_of(samples)})")


def _lacking(value: Any, at: tuple[str | int, ...], samples: Sequence[Sample]) -> Iterator[Flaw]:
    for template in templates_of(value):
        if any(word in template.text for word in MAY_MISS):
            continue
        for path in sorted(template.paths):
            steps = path.removeprefix(EVENT).split(".")
            if path.startswith(EVENT) and not any(_has(one.event.data, steps) for one in samples):
                yield Flaw(at, f"no sample has {path}{_near(steps, samples)} ({_of(samples)})")


def _misspelt(rule: Rule, samples: Sequence[Sample]) -> Iterator[Flaw]:
    """Paths under `when` that no sample has and that look like one they have: samples are no schema."""
    for one in asked(rule.when):
        if one.leaf.operator in WITHOUT:
            continue
        if any(values_at(sample.event.data, one.leaf.path) for sample in samples):
            continue
        names = [str(step) for step in steps_of(one.leaf.path) if isinstance(step, str)]
        near = _near(names, samples)
        if near:
            said = f"no sample has {one.leaf.path}{near} ({_of(samples)})"
            yield Flaw((rule.name, *one.place), said)


def _of_a_key(
    text: str, at: tuple[str, ...], make: Callable[[Event], object], samples: Sequence[Sample]
) -> Iterator[Flaw]:
    lacking = list(_lacking(text, at, samples))
    yield from lacking
    said = [_error(make, sample.event) for sample in samples]
    if not lacking and all(said):
        yield Flaw(at, f"no sample gives a key: {said[0]} ({_of(samples)})")


def _second_key(rule: Rule, event: Event) -> object:
    return tallies_of(rule, event, None, Reading(event))


def _error(make: Callable[[Event], object], event: Event) -> str | None:
    try:
        make(event)
    except TemplateError as error:
        return str(error)
    return None


def _unfit(
    name: str,
    value: Any,
    at: tuple[str | int, ...],
    playbook: Playbook | None,
    samples: Sequence[Sample],
) -> Iterator[Flaw]:
    kind = None if playbook is None else playbook.inputs.get(name)
    if kind is None or all(template.literal for template in templates_of(value)):
        return
    came = [_rendered(value, sample.event) for sample in samples]
    if not any(isinstance(one, TemplateError) or fits(kind, one) for one in came):
        said = f"expected {MEANING[kind]}, every sample gives other values, such as {came[0]!r:.80}"
        yield Flaw(at, f"{said} ({_of(samples)})")


def _rendered(value: Any, event: Event) -> Any:
    try:
        return render_tree(value, event.scope())
    except TemplateError as error:
        return error


def _has(data: Any, steps: Sequence[str]) -> bool:
    """Whether a payload may have the place: behind a null or a list nobody knows."""
    for step in steps:
        if not isinstance(data, Mapping):
            return data is None or isinstance(data, list)
        if step not in data:
            return False
        data = data[step]
    return True


def _near(steps: Sequence[str], samples: Sequence[Sample]) -> str:
    """The end of a sentence that offers the nearest name where the path leaves what samples have."""
    for sample in samples:
        level: Any = sample.event.data
        for step in steps:
            level = level[0] if isinstance(level, list) and level else level
            if not isinstance(level, Mapping):
                break
            if step not in level:
                near = get_close_matches(step, map(str, level), n=1, cutoff=NEAR)
                if near:
                    return f"; did you mean {near[0]!r}?"
                break
            level = level[step]
    return ""


def _of(samples: Sequence[Sample]) -> str:
    names = [sample.name for sample in samples]
    return names[0] if len(names) == 1 else f"{names[0]} and {len(names) - 1} more"
