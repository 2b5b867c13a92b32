"""Deliveries, calls, playbooks and lost runs as plain dictionaries, and a delivery read back; it changes nothing."""

import base64
import re
from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any, Final

from orchestrator.database import Transaction
from orchestrator.events import Actor
from orchestrator.inbox.inbox import Entry, EntryState
from orchestrator.ledger import artifacts
from orchestrator.ledger.artifacts import Artifact
from orchestrator.ledger.calls import Call
from orchestrator.ledger.losses import Loss
from workflows.playbook import Playbook

Shown = dict[str, Any]
TEXTUAL: Final = re.compile("text/|.*[/+](json|xml)$")
"""The media types of results that a person can read."""

PLAIN: Final = "text/plain"


def call(connection: Transaction, made: Call) -> Shown:
    """A call with all of its result: as text where it is text, otherwise only its media type and size.

    Where nothing more is stored, or no longer, it is what the model was shown.
    """
    kept = None if made.artifact is None else artifacts.get(connection, made.artifact)
    said = "\n".join(str(block["text"]) for block in made.content or () if "text" in block)
    media_type, text = (PLAIN, said) if kept is None else (kept.media_type, _text(kept))
    return {
        "run": made.run_id,
        "id": made.call_id,
        "turn": made.turn,
        "server": made.server,
        "tool": made.tool,
        "effect": str(made.effect),
        "state": str(made.state),
        "arguments": dict(made.arguments),
        "artifact": made.artifact,
        "is_whole": kept is not None or made.artifact is None,
        "media_type": media_type,
        "size": len(said.encode()) if kept is None else len(kept.body),
        "text": text,
    }


def _text(kept: Artifact) -> str | None:
    return kept.body.decode(errors="replace") if TEXTUAL.match(kept.media_type) else None


def delivery(entry: Entry) -> Shown:
    """The bytes of an event in base64, and what its source read in them."""
    return {
        "id": entry.id,
        "source": entry.source,
        "type": entry.type,
        "subject": entry.subject,
        "actor": None if entry.actor is None else asdict(entry.actor),
        "keys": list(entry.keys),
        "delivery_id": entry.delivery_id,
        "received_at": entry.received_at.isoformat(),
        "state": str(entry.state),
        "headers": dict(entry.headers),
        "body": base64.b64encode(entry.body).decode(),
    }


def delivered(told: Mapping[str, Any]) -> Entry:
    """The entry that a delivery tells of; of its place in the inbox it says nothing."""
    actor = told["actor"]
    return Entry(
        position=0,
        id=told["id"],
        source=told["source"],
        delivery_id=told["delivery_id"],
        type=told["type"],
        subject=told["subject"],
        actor=None if actor is None else Actor(**actor),
        keys=tuple(told["keys"]),
        headers=told["headers"],
        body=base64.b64decode(told["body"]),
        received_at=datetime.fromisoformat(told["received_at"]),
        state=EntryState(told["state"]),
    )


def playbook_line(playbook: Playbook) -> Shown:
    """A playbook in one line of a list, with the type of each input."""
    return {
        "name": playbook.name,
        "model": playbook.model,
        "inputs": {key: str(kind) for key, kind in playbook.inputs.items()},
    }


def loss_line(loss: Loss) -> Shown:
    """A lost run in one line of a list."""
    at = datetime.fromtimestamp(loss.at, UTC).isoformat()
    return {"run": loss.run_id, "at": at, "again": loss.again, "reason": loss.words}
