"""Deliveries, playbooks and lost runs as plain dictionaries, and a delivery read back from one; it knows no store."""

import base64
from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from orchestrator.events import Actor
from orchestrator.inbox.inbox import Entry, EntryState
from orchestrator.ledger.losses import Loss
from workflows.playbook import Playbook

Shown = dict[str, Any]


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
