"""Two runs held against each other: their tool calls in order, their writes, how they ended; pure, it judges nothing.

compared = compare(earlier, rehearsed)
compared.same          # the same outcome and the same writes
"""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from enum import StrEnum
from typing import Any, Final

from orchestrator.rehearsal.runs import Account, Made, until_it_waits
from workflows.messages import RunState


class Change(StrEnum):
    """What became of one call."""

    SAME = "same"
    OTHERWISE = "other arguments"
    ADDED = "added"
    MISSING = "missing"


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One argument that isn't the same; one that a side doesn't have stands there as None, and is told by `lacks`."""

    name: str
    before: Any
    after: Any
    lacks: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One call of the earlier run, of the later one, or of both."""

    change: Change
    before: Made | None
    after: Made | None

    @property
    def tool(self) -> str:
        """Whose call it is, `server.tool`."""
        made = self.after or self.before
        return "" if made is None else made.tool

    @property
    def fields(self) -> tuple[Field, ...]:
        """The arguments in which both differ, by name."""
        if self.before is None or self.after is None:
            return ()
        return tuple(_fields(self.before, self.after))


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """An earlier run and a later one; of a later one that waits, only what is before the earlier one's first wait."""

    before: Account
    after: Account
    calls: tuple[Step, ...]
    writes: tuple[Step, ...]

    @property
    def same_outcome(self) -> bool:
        """Whether both ended alike, or wait alike."""
        return self.before.came == self.after.came

    @property
    def same_writes(self) -> bool:
        """Whether both meant to write the same, field by field."""
        return all(step.change is Change.SAME for step in self.writes)

    @property
    def same(self) -> bool:
        """Whether nothing differs that anybody outside would see."""
        return self.same_outcome and self.same_writes


Name = Callable[[Made], str]


def compare(before: Account, after: Account) -> Compared:
    """The earlier run against the later one."""
    cut = until_it_waits(before) if after.state is RunState.WAITING else before
    return Compared(
        before=cut,
        after=after,
        calls=tuple(steps(cut.calls, after.calls)),
        writes=tuple(steps(cut.writes, after.writes)),
    )


def steps(before: Sequence[Made], after: Sequence[Made]) -> Iterator[Step]:
    """Both sides in one order: equal calls side by side, then calls of the same tool between them."""
    for same, left, right in _blocks(before, after, _whole):
        if same:
            yield from map(_both, left, right)
        else:
            yield from _by_tool(left, right)


def _by_tool(before: Sequence[Made], after: Sequence[Made]) -> Iterator[Step]:
    for same, left, right in _blocks(before, after, _tool):
        if same:
            yield from map(_both, left, right)
        else:
            yield from (Step(change=Change.MISSING, before=one, after=None) for one in left)
            yield from (Step(change=Change.ADDED, before=None, after=one) for one in right)


def _blocks(
    before: Sequence[Made], after: Sequence[Made], name: Name
) -> Iterator[tuple[bool, Sequence[Made], Sequence[Made]]]:
    matcher = SequenceMatcher(None, [*map(name, before)], [*map(name, after)], autojunk=False)
    for how, i, j, k, n in matcher.get_opcodes():
        yield how == "equal", before[i:j], after[k:n]


def _both(before: Made, after: Made) -> Step:
    change = Change.SAME if _whole(before) == _whole(after) else Change.OTHERWISE
    return Step(change=change, before=before, after=after)


def _whole(made: Made) -> str:
    return f"{made.tool} {json.dumps(made.arguments, sort_keys=True)}"


def _tool(made: Made) -> str:
    return made.tool


BEFORE: Final = "before"
AFTER: Final = "after"


def _fields(before: Made, after: Made) -> Iterator[Field]:
    for name in sorted({*before.arguments, *after.arguments}):
        values = before.arguments.get(name), after.arguments.get(name)
        lacks = BEFORE if name not in before.arguments else ""
        lacks = AFTER if name not in after.arguments else lacks
        if lacks or json.dumps(values[0], sort_keys=True) != json.dumps(values[1], sort_keys=True):
            yield Field(name=name, before=values[0], after=values[1], lacks=lacks)
