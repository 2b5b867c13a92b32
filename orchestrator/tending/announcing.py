"""What a notice to people says: a request, a word about it, the end of its call, why a run stands still; pure.

`text` is ready to be posted as a comment. Arguments and questions are a model's words: they stand in a code block,
where a mention calls nobody.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from orchestrator.inbox.inbox import Entry
from orchestrator.ledger.approvals import Approval
from orchestrator.ledger.calls import Call
from orchestrator.ledger.conversations import Conversation
from orchestrator.ledger.notices import Heard
from orchestrator.rules.steps import are_called
from orchestrator.sources.notices import ANSWERED, ASKED, EXECUTED, PARKED
from workflows.messages import CallState, Outcome
from workflows.own_tools import ASK
from workflows.playbook import OnTimeout

MOST: Final = 3_000
"""Characters of arguments, of a question or of a summary in the text; `args` has all of them."""

MOST_ARGUMENTS: Final = 60_000
"""Bytes of arguments in a notice; of longer ones only the text tells, and `doorbell approvals show`."""

AFTER: Final[Mapping[OnTimeout, str]] = {
    OnTimeout.DENY: "then it is denied",
    OnTimeout.FAIL: "then the run fails",
    OnTimeout.PARK: "then the run is parked",
}


CAME_TO: Final[Mapping[CallState, str]] = {
    CallState.DONE: "Executed",
    CallState.FAILED: "Executed, and failed",
    CallState.UNKNOWN: "Sent, and its outcome is unknown",
}
"""How a call ended that left; any other one was not executed."""

CALLED_OFF: Final = frozenset({Outcome.CANCELLED, Outcome.SUPERSEDED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """What opened a run: its inputs, and the event with its source, type and subject."""

    inputs: Mapping[str, Any]
    source: str
    type: str
    subject: str | None


def asked(
    approval: Approval, arguments: Mapping[str, Any], alias: str, run: Conversation, by: Opened
) -> dict[str, Any]:
    """The body of the notice that people are asked."""
    question = alias == ASK
    return {
        "type": ASKED,
        **_run(run, by),
        "asks": "answer" if question else "consent",
        "code": approval.code,
        "tool": approval.tool or None,
        "args": None if question else _whole(arguments),
        "question": str(arguments.get("question", ""))[:MOST] if question else None,
        "by": list(approval.by),
        "digest": approval.digest,
        "asked_at": _iso(approval.asked_at),
        "expires_at": _iso(approval.expires_at),
        "on_timeout": str(approval.on_timeout),
        "text": _question(approval, arguments, run)
        if question
        else _consent(approval, arguments, run),
    }


def answered(
    heard: Heard, call: Call, run: Conversation, by: Opened, where: Entry | None
) -> dict[str, Any]:
    """The body of the notice of what a person's word came to; `where` is the event that brought it."""
    said, approval = heard.said, heard.approval
    settled = heard.counts and approval.event_id == said.event_id
    changes = _changes(approval, call) if settled else {}
    return {
        "type": ANSWERED,
        **_run(run, by),
        "code": approval.code,
        "tool": approval.tool or None,
        "word": said.word,
        "person": said.person,
        "said_by": {
            "event": said.event_id,
            "source": None if where is None else where.source,
            "type": None if where is None else where.type,
            "subject": None if where is None else where.subject,
        },
        "counts": heard.counts,
        "became": heard.became or "recorded",
        "changes": _whole(changes) or None,
        "why": (approval.why or None) if settled else None,
        "text": _recorded(heard, changes, run) if heard.counts else _nothing(heard, run),
    }


def executed(approval: Approval, call: Call, run: Conversation, by: Opened) -> dict[str, Any]:
    """The body of the notice that a call came to its end to which somebody had consented."""
    left = CAME_TO.get(call.state)
    overtaken = call.done_at is None or run.outcome in CALLED_OFF
    off = run.outcome if left is None and overtaken else None
    words = "\n".join(str(block.get("text", "")) for block in call.content or ())
    told = f":\n\n{_block(words, 'text')}" if words and call.state is not CallState.DONE else "."
    how = left or (f"Not executed: {off}" if off else "Not executed")
    return {
        "type": EXECUTED,
        **_run(run, by),
        "code": approval.code,
        "tool": approval.tool,
        "person": approval.person,
        "state": str(off or call.state),
        "executed": None if call.state is CallState.UNKNOWN else left is not None,
        "text": f"{how}: `{approval.tool}`, to which {_name(approval.person)} consented by"
        f" {approval.code}, for {_of(run)}{told}",
    }


def parked(run: Conversation, summary: str, by: Opened) -> dict[str, Any]:
    """The body of the notice that a run stands still; `summary` is what its model said of it last, if it was asked."""
    told = f"\n\nWhat it says of it:\n\n{_block(summary, 'text')}" if summary else ""
    text = (
        f"Run {run.run_id} (playbook {run.playbook}) is parked:\n\n{_block(run.reason, 'text')}{told}\n\n"
        f"`doorbell runs resume {run.run_id}` goes on with it, `doorbell runs cancel {run.run_id}` ends it."
    )
    return {
        "type": PARKED,
        **_run(run, by),
        "reason": run.reason,
        "summary": summary[:MOST] or None,
        "text": text,
    }


def _run(run: Conversation, by: Opened) -> dict[str, Any]:
    return {
        "run": run.run_id,
        "rule": run.rule,
        "playbook": run.playbook,
        "key": run.key,
        "stage": run.stage,
        "with": {} if are_called(run.playbook) else dict(by.inputs),
        "opened_by": {
            "event": run.event_id,
            "source": by.source,
            "type": by.type,
            "subject": by.subject,
        },
    }


def _consent(approval: Approval, arguments: Mapping[str, Any], run: Conversation) -> str:
    given = json.dumps(arguments, ensure_ascii=False, indent=2)
    return (
        f"Run {run.run_id} (playbook {run.playbook}) asks whether it may call `{approval.tool}` with\n\n"
        f"{_block(given, 'json')}\n\n{_until(approval)}\n\nTo answer, begin a comment with one of these lines:\n\n"
        f"```\n/approve {approval.code}\n/deny {approval.code} why\n```"
    )


def _question(approval: Approval, arguments: Mapping[str, Any], run: Conversation) -> str:
    asks = _block(str(arguments.get("question", "")), "text")
    return (
        f"Run {run.run_id} (playbook {run.playbook}) asks:\n\n{asks}\n\n{_until(approval)}\n\n"
        f"To answer, begin a comment with this line:\n\n```\n/answer {approval.code} your answer\n```"
    )


def _recorded(heard: Heard, changes: Mapping[str, Any], run: Conversation) -> str:
    """What a word did that counts, or may count yet."""
    said, approval = heard.said, heard.approval
    what = f"Recorded: {said.word} {approval.code} by {_name(said.person)}"
    if heard.became is None:
        return f"{what}. It is on its way to {_of(run)}, which hasn't taken it yet."
    match said.word, bool(approval.tool):
        case "approve", _:
            does = f"may call `{approval.tool}`"
        case "deny", True:
            does = f"does not call `{approval.tool}`"
        case "deny", False:
            does = "gets no answer"
        case _:
            does = "has its answer"
    given = _block(json.dumps(changes, ensure_ascii=False, indent=2), "json")
    other = f"With these arguments changed:\n\n{given}" if changes else ""
    why = _block(approval.why, "text") if approval.why else ""
    return "\n\n".join(filter(None, (f"{what}: {_of(run)} {does}.", other, why)))


def _nothing(heard: Heard, run: Conversation) -> str:
    said = heard.said
    what = f"{said.word} {heard.approval.code} by {_name(said.person)}"
    return f"Not counted: {what}, for {_of(run)}.\n\n{_block(heard.became or '', 'text')}"


def _changes(approval: Approval, call: Call) -> dict[str, Any]:
    """The arguments that an approver wants other than they were asked about."""
    before = call.arguments if approval.before is None else approval.before
    return {
        name: call.arguments.get(name)
        for name in sorted({*before, *call.arguments})
        if before.get(name) != call.arguments.get(name)
    }


def _whole(given: Mapping[str, Any]) -> dict[str, Any] | None:
    return dict(given) if len(json.dumps(given)) <= MOST_ARGUMENTS else None


def _of(run: Conversation) -> str:
    return f"run {run.run_id} (playbook {run.playbook})"


def _name(person: str | None) -> str:
    """A name, where it calls nobody."""
    return f"`{(person or 'nobody').replace('`', '')}`"


def _until(approval: Approval) -> str:
    until = datetime.fromtimestamp(approval.expires_at, UTC).strftime("%Y-%m-%d %H:%M UTC")
    ends = AFTER[approval.on_timeout] if approval.tool else "then it goes on without an answer"
    return f"Asked: {', '.join(approval.by)}. Until {until}; {ends}."


def _block(text: str, kind: str) -> str:
    """A code block that nothing in the text can end."""
    left = len(text) - MOST
    cut = f"{text[:MOST]}\n… {left} more characters" if left > 0 else text
    ticks = max((len(found) for found in re.findall("`+", cut)), default=0)
    fence = "`" * max(3, ticks + 1)
    return f"{fence}{kind}\n{cut}\n{fence}"


def _iso(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
