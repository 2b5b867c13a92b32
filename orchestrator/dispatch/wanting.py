"""Open waits and named runs as deciding needs them, read from the ledger; it decides nothing."""

from collections.abc import Sequence

from orchestrator.database import Transaction
from orchestrator.dispatch.awaited import Wanted
from orchestrator.dispatch.decide import PERSON
from orchestrator.ledger import calls, conversations, waits
from orchestrator.ledger.waits import Wait
from orchestrator.rules.rule import Rule, Trust
from workflows.own_tools import BUILTIN


def wanted(
    connection: Transaction, keys: Sequence[str], at: float, rules: Sequence[Rule]
) -> list[Wanted]:
    """The waits for any of these keys that are open, or were not long ago."""
    return [as_wanted(connection, wait, rules) for wait in waits.known(connection, keys, at)]


def left(connection: Transaction, wait_id: str, rules: Sequence[Rule]) -> list[Wanted]:
    """The wait of that id, where no turn waits for it any more and its event is still heard."""
    wait = waits.find(connection, wait_id)
    if wait is None or wait.state != waits.LEFT:
        return []
    return [as_wanted(connection, wait, rules)]


def as_wanted(connection: Transaction, wait: Wait, rules: Sequence[Rule]) -> Wanted:
    """A wait, with whose it is, and whom the rule of its run trusts now."""
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
        trust=_trust(connection, wait, conversation.rule, rules),
    )


def _trust(connection: Transaction, wait: Wait, rule: str, rules: Sequence[Rule]) -> Trust | None:
    # What a person started has no file that could name a bot, and a call's callback comes from a machine.
    if rule == PERSON or calls.server_of(connection, wait.run_id, wait.call_id) != BUILTIN:
        return None
    return next((one.trust for one in rules if one.name == rule), Trust())


def run_named(connection: Transaction, run_id: str) -> dict[str, str]:
    """Run id -> workflow id, if there is such a run."""
    found = conversations.find(connection, run_id)
    return {} if found is None else {run_id: found.workflow_id}
