"""Words for people: times, values cut to size, tables, the answer to `why` as a tree. It prints nothing itself.

Much of what is shown is a stranger's text: it is never read as markup, and no control character of it reaches
the terminal.
"""

import json
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import Any

from rich.table import Table
from rich.text import Text
from rich.tree import Tree

from orchestrator.dispatch.decide import OURSELVES

WIDEST = 60


def when(iso: str) -> str:
    """A time as people read it, in their own zone."""
    return datetime.fromisoformat(iso).astimezone().strftime("%d %b %H:%M:%S")


def shape(names: Sequence[str], most: int = 6) -> str:
    """A list of names, cut after a few."""
    more = f" +{len(names) - most}" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def plain(text: str) -> str:
    """A text fit for a terminal: whatever isn't printable is written as an escape."""
    return "".join(
        c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text
    )


def value(given: Any, widest: int = WIDEST) -> str:
    """A JSON value in one line, cut to size."""
    text = plain(given if isinstance(given, str) else json.dumps(given, ensure_ascii=False))
    return text if len(text) <= widest else f"{text[: widest - 1]}…"


def table(
    columns: Sequence[str], rows: Iterable[Sequence[str | Text]], whole: Collection[str] = ()
) -> Table:
    """A table; the columns named in `whole` are never wrapped, so that an id can be copied."""
    made = Table(box=None, header_style="bold", pad_edge=False)
    for column in columns:
        made.add_column(column, no_wrap=column in whole, overflow="fold")
    for row in rows:
        made.add_row(*(Text(plain(cell)) if isinstance(cell, str) else cell for cell in row))
    return made


def nearest(decisions: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """What to show of an event in one line: what was done, or else what came nearest to being done."""
    acted = [decision for decision in decisions if decision["action"] != "ignore"]
    if acted or not decisions:
        return acted
    ours = [decision for decision in decisions if decision["rule"] == OURSELVES]
    return ours or [max(decisions, key=lambda decision: _held(decision["trace"]))]


def tree(shown: dict[str, Any]) -> Tree:
    """The whole answer, drawn."""
    what = f"{shown['source']}/{shown['type']}  {shown['subject'] or ''}  {shown['id']}"
    root = Tree(Text(plain(what), style="bold"))
    if not shown["decisions"]:
        root.add(Text(_undecided(shown)))
    for decision in shown["decisions"]:
        acted = decision["action"] != "ignore"
        head = f"{decision['rule']}: {decision['action']}: {decision['reason']}"
        branch = root.add(Text(plain(head), style="green" if acted else "yellow"))
        if decision["run_id"]:
            branch.add(Text(f"run {decision['run_id']} ({decision['state']})"))
        for line in decision["trace"]:
            branch.add(_line(line))
    return root


def _undecided(shown: dict[str, Any]) -> str:
    if shown["state"] == "quarantined":
        of = shown["duplicate_of"]
        return (
            f"quarantined: it came under the delivery id of {of} with other bytes; no rule sees it"
        )
    if shown["state"] == "decided":
        return "decided: there was no rule to ask"
    return f"{shown['state']}: nothing has been decided yet"


def _held(trace: Sequence[dict[str, Any]]) -> int:
    return sum(line["held"] for line in trace)


def _line(line: dict[str, Any]) -> Text:
    mark, style = ("✓", "green") if line["held"] else ("✗", "red")
    said = f"{plain(line['path'])} {line['operator']} {value(line['expected'])}"
    return Text.assemble((f"{mark} ", style), said, (f"   came: {value(line['actual'])}", "dim"))
