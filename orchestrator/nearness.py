"""Which of several rules that ignored an event came nearest to acting, by what is shown of them; it asks no rule."""

from collections.abc import Sequence
from typing import Any

from orchestrator.rules.operators import like
from orchestrator.rules.rule import Finding, deciding

Shown = dict[str, Any]


def nearest(decisions: Sequence[Shown]) -> Shown | None:
    """The rule that came nearest to acting, of several that ignored an event; the first of equals.

    One whose `on` fits is nearer than one whose doesn't; then the one with fewer lines against it, then with more for
    it. Of those whose `on` doesn't fit, one that wants the event's source is nearer.
    """
    candidates = [decision for decision in decisions if decision["trace"]]
    return max(candidates, key=_nearness, default=None)


def failed(decision: Shown) -> Shown | None:
    """The line of a trace that decided against the event."""
    lines = [Finding(**line) for line in decision["trace"]]
    decided = next((line for line in deciding(lines) if not line.held), None)
    return None if decided is None else decision["trace"][lines.index(decided)]


def _nearness(decision: Shown) -> tuple[bool, bool, int, int]:
    lines = list(deciding(Finding(**line) for line in decision["trace"]))
    on = [line for line in lines if line.path == "on"]
    against = sum(not line.held for line in lines)
    return (
        all(line.held for line in on),
        any(_wants_source(line) for line in on),
        -against,
        len(lines) - against,
    )


def _wants_source(line: Finding) -> bool:
    source = str(line.actual).partition("/")[0]
    globs = line.expected if isinstance(line.expected, list) else []
    return any(like(source, glob.partition("/")[0]) for glob in globs)
