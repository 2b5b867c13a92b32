"""Words for people: times, values cut to size, and the answer to `why` drawn as a tree. It prints nothing itself."""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from rich.text import Text
from rich.tree import Tree

WIDEST = 60


def when(iso: str) -> str:
    """A time as people read it, in their own zone."""
    return datetime.fromisoformat(iso).astimezone().strftime("%d %b %H:%M:%S")


def shape(names: Sequence[str], most: int = 6) -> str:
    """A list of names, cut after a few."""
    more = f" +{len(names) - most}" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def value(given: Any) -> str:
    """A JSON value in one line, cut to size."""
    text = given if isinstance(given, str) else json.dumps(given, ensure_ascii=False)
    return text if len(text) <= WIDEST else f"{text[: WIDEST - 1]}…"


def tree(shown: dict[str, Any]) -> Tree:
    """The whole answer, drawn."""
    root = Tree(
        Text(
            f"{shown['source']}/{shown['type']}  {shown['subject'] or ''}  {shown['id']}",
            style="bold",
        )
    )
    if not shown["decisions"]:
        root.add(f"{shown['state']}: nothing has been decided yet")
    for decision in shown["decisions"]:
        acted = decision["action"] != "ignore"
        head = f"{decision['rule']}: {decision['action']}: {decision['reason']}"
        branch = root.add(Text(head, style="green" if acted else "yellow"))
        if decision["run_id"]:
            branch.add(f"run {decision['run_id']} ({decision['state']})")
        for line in decision["trace"]:
            branch.add(_line(line))
    return root


def _line(line: dict[str, Any]) -> Text:
    mark, style = ("✓", "green") if line["held"] else ("✗", "red")
    said = f"{line['path']} {line['operator']} {value(line['expected'])}"
    return Text.assemble((f"{mark} ", style), said, (f"   came: {value(line['actual'])}", "dim"))
