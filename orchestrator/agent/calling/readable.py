"""Whether a resource may still be read: frozen and live, as for tools; it sends nothing."""

from collections.abc import Mapping
from typing import Any, Final

from orchestrator.agent.calling.refusal import Refusal
from orchestrator.agent.means import Means
from orchestrator.agent.tools.quarantine import way_of
from orchestrator.ledger.calls import Call
from orchestrator.playbooks import READ, may_read, rendered_reads
from orchestrator.telemetry.words import Unmade

TAKEN_OFF: Final = "the playbook no longer allows to read {what}. Go on without it."
UNLOCKED: Final = (
    "tools.lock can't be used, so nobody knows what was approved. A person must mend it."
)
STRANGE: Final = "the server {server!r} isn't reached as when a person approved it. Go on without it, and say so."


def unreadable(
    means: Means, call: Call, playbook: str, inputs: Mapping[str, Any]
) -> Refusal | None:
    """Why this reading may not leave now; None where it may, and where the call is none."""
    if call.tool != READ:
        return None
    configuration = means.configuration()
    live = configuration.playbooks.get(playbook)
    wanted = str(call.arguments["resource"])
    if live is not None and not may_read(rendered_reads(live, inputs), wanted):
        return Refusal(Unmade.TAKEN_OFF, TAKEN_OFF.format(what=wanted))
    lock = configuration.lock
    if lock is None:
        return None
    locked = lock.servers.get(call.server)
    if not lock.sound:
        return Refusal(Unmade.DRIFT, UNLOCKED)
    if locked is not None and locked.reached != way_of(configuration.servers.get(call.server)):
        return Refusal(Unmade.DRIFT, STRANGE.format(server=call.server))
    return None
