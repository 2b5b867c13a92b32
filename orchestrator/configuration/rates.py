"""`limits:` (what of it isn't money), `dedupe:` and `backstop:` of a rule as values, and what is wrong with them."""

from collections.abc import Iterator, Sequence
from typing import Final

from orchestrator.configuration.document import Place
from orchestrator.configuration.shapes import LimitsShape, RuleShape
from orchestrator.errors import Flaw
from orchestrator.rules.limits import Dedupe, Limits
from orchestrator.rules.rule import Rule

EVERYTHING: Final = ("*/*",)
"""What a backstop is `on` where its file doesn't say."""

BY_KEY: Final = ("per_key", "cooldown")
OF_EVENTS: Final = frozenset({"per_actor", "per_key", "cooldown"})
"""Keys of `limits:` that count events, whatever a rule does with them; the others are about runs."""


def limits_of(shape: LimitsShape) -> Limits:
    """What of `limits:` counts runs and events."""
    return Limits(
        concurrent=shape.concurrent,
        per_actor=shape.per_actor,
        per_key=shape.per_key,
        cooldown=shape.cooldown,
    )


def dedupe_of(shape: RuleShape) -> Dedupe | None:
    """The rule's second key."""
    found = shape.dedupe
    if found is None:
        return None
    return Dedupe(key=found.key.text, window=found.window.window, said=found.window.said)


def on_of(shape: RuleShape) -> tuple[str, ...]:
    """Which events a rule is asked about."""
    return tuple(shape.on) or EVERYTHING


def rate_flaws(shape: RuleShape, at: Place) -> Iterator[Flaw]:
    """What doesn't fit together."""
    if not shape.on and not shape.backstop:
        yield Flaw(at, "the key 'on' is missing", key=True)
    for key in BY_KEY:
        if shape.key is None and key in shape.limits.model_fields_set:
            yield Flaw((*at, "limits", key), f"{key!r} counts by key: give the rule a `key:`")
    if shape.dedupe is not None and shape.dedupe.key.literal:
        said = "the same for every event: expected a template"
        yield Flaw((*at, "dedupe", "key"), f"{shape.dedupe.key.text!r} is {said}")


def runs_only(shape: RuleShape, at: Place) -> Iterator[Flaw]:
    """The keys of `limits:` that mean nothing beside `forward:`."""
    for key in sorted(shape.limits.model_fields_set - OF_EVENTS):
        said = f"{key!r} says how a playbook is run and means nothing beside `forward:`: remove it"
        yield Flaw((*at, "limits", key), said, key=True)


def second_backstops(rules: Sequence[Rule]) -> list[tuple[Rule, Flaw]]:
    """Every backstop but the first, with what is wrong about it."""
    backstops = [rule for rule in rules if rule.backstop]
    return [
        (
            rule,
            Flaw(
                (rule.name, "backstop"),
                f"the backstop is {backstops[0].name!r} already, at {backstops[0].file}:"
                f"{backstops[0].line}: there can be only one",
                key=True,
            ),
        )
        for rule in backstops[1:]
    ]
