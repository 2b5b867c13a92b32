"""Recorded replies and calls as the ledger keeps them, each whole and plausible, changed where a test says so."""

import json

from orchestrator.ledger.calls import Call
from orchestrator.ledger.turns import Turn
from tests.support.builders import AT, RUN
from workflows.messages import CallState
from workflows.playbook import Effect


def call(call_id="c1", turn=1, content=({"type": "text", "text": "ok"},), **changes):
    values = {
        "run_id": RUN,
        "position": 0,
        "alias": "github__look",
        "server": "github",
        "tool": "look",
        "effect": Effect.READ,
        "arguments": {},
        "state": CallState.DONE,
        "attempt": 1,
        "sent_at": None,
        "deadline_at": None,
        "is_error": False,
        "artifact": None,
        "size": 0,
        "done_at": AT,
    }
    return Call(call_id=call_id, turn=turn, content=content, **values | changes)


def reply(turn, *call_ids):
    uses = [{"type": "tool_use", "id": call_id, "name": "x", "input": {}} for call_id in call_ids]
    return Turn(turn=turn, content=json.dumps([{"type": "text", "text": "t"}, *uses]), stop="x")
