"""CEL in a rule's `when` that no event can change, as it names nothing of one; what else it says isn't judged here."""

import re
from collections.abc import Iterator
from typing import Final

from orchestrator.configuration.rules import NAMES
from orchestrator.errors import Flaw
from orchestrator.expressions import Expression, Values
from orchestrator.rehearsal.conditions import Place
from orchestrator.rules.rule import All, Any_, Cel, Condition, Leaf, Not, Rule

TEXT: Final = re.compile(r"""("{3}|'{3}).*?\1|"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'""", re.DOTALL)
WORD: Final = re.compile(r"[A-Za-z_]\w*")


def constant_flaws(rule: Rule) -> Iterator[Flaw]:
    """What holds for every event, or for none."""
    for place, cel in _cels(rule.when, ("when",)):
        words = set(WORD.findall(TEXT.sub("", cel.expression)))
        if words.isdisjoint(NAMES):
            held, _ = Expression.compile(cel.expression).holds(Values.of({}))
            said = "this holds for every event" if held else "this holds for no event"
            names = ", ".join(sorted(NAMES))
            yield Flaw((rule.name, *place), f"{said}: it asks for nothing of one ({names})")


def _cels(condition: Condition, at: Place) -> Iterator[tuple[Place, Cel]]:
    match condition:
        case Cel():
            yield (*at, "cel"), condition
        case All(conditions=inner, listed=listed):
            for index, each in enumerate(inner):
                yield from _cels(each, (*at, "all", index) if listed else at)
        case Any_(conditions=inner):
            for index, each in enumerate(inner):
                yield from _cels(each, (*at, "any", index))
        case Not(inner):
            yield from _cels(inner, (*at, "not"))
        case Leaf():
            pass
