"""Calls that are under way, as people are shown them: their servers' last words. It asks no server itself."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from orchestrator.database import Transaction
from orchestrator.ledger import handles
from orchestrator.ledger.handles import Handle
from workflows.messages import CallState, RunState

Shown = dict[str, Any]


def tasks(connection: Transaction, run_id: str) -> dict[str, Shown]:
    """By call, the task by which its server answers it later: how that stands, or stood when it ended."""
    return {one.call_id: _task(one) for one in handles.of_run(connection, run_id)}


def has_sent(run: Shown) -> bool:
    """Whether a call of this run is at its server now, so that there may be progress."""
    sent = any(call["state"] == CallState.SENT for call in run["tool_calls"])
    return sent and run["state"] != RunState.ENDED


def told(run: Shown, following: Mapping[str, Shown], progress: Mapping[str, str]) -> Shown:
    """The same run, each call with its task, and with its server's last words while it is under way."""
    calls = [
        {
            **call,
            "task": following.get(call["id"]),
            "progress": progress.get(call["id"]) if call["state"] == CallState.SENT else None,
        }
        for call in run["tool_calls"]
    ]
    return {**run, "tool_calls": calls}


def _task(handle: Handle) -> Shown:
    return {
        "status": handle.status,
        "said": handle.said,
        "opened_at": _iso(handle.opened_at),
        "looks": handle.looks,
        "look_at": None if handle.ended_at is not None else _iso(handle.look_at),
        "ended_at": None if handle.ended_at is None else _iso(handle.ended_at),
    }


def _iso(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat()
