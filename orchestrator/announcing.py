"""What a notice to people says: a request with its code, or why a run stands still; pure, it tells nobody.

`text` is ready to be posted as a comment. Arguments and questions are a model's words: they stand in a code block,
where a mention calls nobody.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from orchestrator.ledger.approvals import Approval
from orchestrator.ledger.conversations import Conversation
from orchestrator.rules.steps import are_called
from orchestrator.sources.notices import ASKED, PARKED
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
    fits = len(json.dumps(arguments)) <= MOST_ARGUMENTS
    return {
        "type": ASKED,
        **_run(run, by),
        "asks": "answer" if question else "consent",
        "code": approval.code,
        "tool": approval.tool or None,
        "args": dict(arguments) if fits and not question else None,
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
