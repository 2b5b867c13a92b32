"""Open waits and named runs as deciding needs them, read from the ledger; it decides nothing."""

from collections.abc import Sequence

from orchestrator.database import Transaction
from orchestrator.dispatch.awaited import Wanted
from orchestrator.ledger import conversations, waits
from orchestrator.ledger.waits import Wait


def wanted(connection: Transaction, keys: Sequence[str], at: float) -> list[Wanted]:
    """The waits for any of these keys that are open, or were not long ago."""
    return [as_wanted(connection, wait) for wait in waits.known(connection, keys, at)]


def as_wanted(connection: Transaction, wait: Wait) -> Wanted:
    """A wait, with whose it is."""
    conversation = conversations.one(connection, wait.run_id)
    return Wanted(
        wait_id=wait.wait_id,
        run_id=wait.run_id,
        workflow_id=wait.workflow_id,
        rule=conversation.rule,
        playbook=conversation.playbook,
        patterns=wait.patterns,
        key=wait.key,
        since=wait.since,
        deadline_at=wait.deadline_at,
        cel=wait.cel,
        ended="" if wait.state in waits.LISTENING else wait.state,
    )


def run_named(connection: Transaction, run_id: str) -> dict[str, str]:
    """Run id -> workflow id, if there is such a run."""
    found = conversations.find(connection, run_id)
    return {} if found is None else {run_id: found.workflow_id}
