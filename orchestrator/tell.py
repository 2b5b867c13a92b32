"""Words for people: times, values cut to size, tables, the answer to `why` as a tree. It prints nothing itself.

Much of what is shown is a stranger's text: it is never read as markup, and no control character of it reaches
the terminal.
"""

import json
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import Any, Final

from rich.table import Table
from rich.text import Text
from rich.tree import Tree

from orchestrator import nearness
from orchestrator.dispatch.decide import OURSELVES
from orchestrator.inbox.sought import HELD
from workflows.messages import Claim

WIDEST = 60
CLAIMED: Final = {
    Claim.LATE: "late: nothing was open any more that it was for",
    Claim.COALESCED: "coalesced: folded into a newer event of its key",
    Claim.IGNORED: "ignored: a run of its key was open (mode single)",
    Claim.SUPERSEDED: "superseded: a newer event of its key took its place",
}
"""What its run said to a delivery that it didn't act on."""

OF_NO_RULE: Final = (
    "no rule in force has this name; if it was renamed, pause its new name too, or it acts"
)
"""How a pause goes on that names a rule which isn't there."""


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
    return ours or [nearness.nearest(decisions) or decisions[-1]]


def tree(shown: dict[str, Any]) -> Tree:
    """The whole answer, drawn."""
    what = f"{shown['source']}/{shown['type']}  {shown['subject'] or ''}  {shown['id']}"
    root = Tree(Text(plain(what), style="bold"))
    if not shown["decisions"]:
        root.add(Text(_undecided(shown)))
    near = shown.get("nearest")
    for decision in sorted(shown["decisions"], key=lambda decision: decision["rule"] != near):
        _branch(root, decision, nearest_one=near is not None and decision["rule"] == near)
    return root


def _branch(root: Tree, decision: dict[str, Any], *, nearest_one: bool) -> None:
    acted = decision["action"] != "ignore"
    said = "nearest, " if nearest_one else ""
    again = " (sent again by a person)" if decision.get("redelivery") else ""
    head = f"{decision['rule']}: {said}{_action(decision)}: {decision['reason']}{again}"
    branch = root.add(Text(plain(head), style="green" if acted else "yellow"))
    if decision["run_id"]:
        branch.add(Text(plain(_run(decision))))
    if decision.get("claimed") in CLAIMED:
        branch.add(Text(plain(CLAIMED[decision["claimed"]]), style="yellow"))
    if decision.get("became"):
        branch.add(Text(plain(f"what came of it: {decision['became']}")))
    if words := standing(decision):
        branch.add(Text(plain(words), style="yellow"))
    # The line that decided first: of a long rule it is the one that is looked for.
    failed = nearness.failed(decision)
    for line in (
        sorted(decision["trace"], key=lambda line: line is not failed)
        if nearest_one
        else decision["trace"]
    ):
        branch.add(_line(line))


def _run(decision: dict[str, Any]) -> str:
    named, cost = f"run {decision['run_id']} ({decision['state']})", decision.get("run")
    if cost is None:
        return named
    unpriced = cost["unpriced_turns"]
    price = f"{cost['usd']:.4f} USD" + (
        f" and {_turns(unpriced)} of unknown price" if unpriced else ""
    )
    stands = cost["outcome"] or cost["state"]
    if cost["state"] == "parked" and cost.get("reason"):
        stands = f"parked: {plain(cost['reason'])}"
    written = f", writes: {cost['writes']}" if cost.get("writes") else ""
    return (
        f"{named}: {stands}, {_turns(cost['turns'])}, {cost['tokens']:,} tokens, {price}{written}"
    )


def _turns(count: int) -> str:
    return "1 turn" if count == 1 else f"{count} turns"


def standing(decision: dict[str, Any]) -> str | None:
    """Why a decision isn't delivered, in words; None when there is nothing to say."""
    note, state = decision["note"], decision["state"]
    if state == "ready" and decision["held"]:
        return f"held: {decision['held']}"
    if state == "ready" and decision["behind"]:
        return f"behind {decision['behind']}"
    if state == "dead":
        return f"dead after {decision['attempts']} failed attempts: {note}"
    if state != "ready" or not note:
        return str(note) if note else None
    said = note if note.startswith(HELD) else f"waits: {note}"
    return f"{said}, again at {when(decision['due_at'])}"


def paused(pause: dict[str, Any]) -> str:
    """A pause in one line."""
    said = f"{pause['what']} {pause['name']}, by {pause['by']}"
    return said if pause.get("in_force", True) else f"{said} ({OF_NO_RULE})"


def _action(decision: dict[str, Any]) -> str:
    if called := decision.get("call"):
        return f"call {shape([one['tool'] for one in called])} ({decision['state']})"
    action, to = decision["action"], decision.get("to")
    return f"{action} → {to} ({decision['state']})" if to else str(action)


def _undecided(shown: dict[str, Any]) -> str:
    if shown["state"] == "quarantined":
        of = shown["duplicate_of"]
        return (
            f"quarantined: it came under the delivery id of {of} with other bytes; no rule sees it"
        )
    if shown["state"] == "decided":
        return "decided: there was no rule to ask"
    return f"{shown['state']}: nothing has been decided yet"


def _line(line: dict[str, Any]) -> Text:
    mark, style = ("✓", "green") if line["held"] else ("✗", "red")
    said = f"{plain(line['path'])} {line['operator']} {value(line['expected'])}"
    return Text.assemble((f"{mark} ", style), said, (f"   came: {value(line['actual'])}", "dim"))
