"""Which event, run or request a person means: an id, or the beginning of one; it prints nothing."""

from collections.abc import Sequence
from typing import NoReturn

from orchestrator.console.questions import LAST, Call
from orchestrator.errors import AskerError, Fault
from orchestrator.inbox.inbox import Decision, Entry
from orchestrator.ledger import approvals, calls, conversations
from orchestrator.ledger.approvals import Approval
from orchestrator.ledger.conversations import Conversation
from orchestrator.stores import Stores

MANY = 100_000


async def event_named(stores: Stores, text: str) -> Entry:
    """That event. Raises AskerError when it isn't exactly one."""
    if text == LAST:
        return await newest_event(stores)
    found = await stores.inbox.find(text) if text else []
    exact = [entry for entry in found if text in {entry.id, entry.delivery_id}]
    chosen = exact or found
    return chosen[0] if len(chosen) == 1 else _not_one("event", text, [one.id for one in chosen])


async def newest_event(stores: Stores) -> Entry:
    """The event that was kept last. Raises AskerError when there is none."""
    found = await stores.inbox.entries(1)
    if not found:
        raise AskerError(Fault.NO_SUCH, "no event has been kept yet")
    whole = await stores.inbox.entry(found[0].id)
    return whole or found[0]


async def run_named(stores: Stores, text: str) -> Conversation:
    """That run. Raises AskerError when it isn't exactly one."""
    exact = await stores.ledger.read(conversations.find, text)
    if exact is not None:
        return exact
    found = await stores.ledger.read(conversations.beginning_with, text) if text else []
    return found[0] if len(found) == 1 else _not_one("run", text, [one.run_id for one in found])


async def call_named(stores: Stores, asked: Call) -> calls.Call:
    """That call of that run. Raises AskerError when there is none, or not exactly one such run."""
    run_id = (await run_named(stores, asked.run)).run_id
    known = {one.call_id: one for one in await stores.ledger.read(calls.of_run, run_id)}
    if asked.call in known:
        return known[asked.call]
    named = ", ".join(known) or "none"
    raise AskerError(Fault.NO_SUCH, f"run {run_id} has no call {asked.call!r}; it has {named}")


async def letter_named(stores: Stores, text: str) -> Decision:
    """That dead letter. Raises AskerError when it isn't exactly one."""
    known = await stores.inbox.dead(MANY)
    exact = [one for one in known if one.id == text]
    chosen = exact or [one for one in known if text and one.id.startswith(text)]
    return (
        chosen[0] if len(chosen) == 1 else _not_one("dead letter", text, [one.id for one in chosen])
    )


async def request_named(stores: Stores, code: str) -> Approval:
    """The request of that code. Raises AskerError when there is none."""
    found = await stores.ledger.read(approvals.by_code, code)
    if found is None:
        said = f"nobody was asked anything under the code {code!r}: see `doorbell approvals list`"
        raise AskerError(Fault.NO_SUCH, said)
    return found


def _not_one(what: str, text: str, ids: Sequence[str]) -> NoReturn:
    if not ids:
        raise AskerError(Fault.NO_SUCH, f"there is no {what} whose id is or begins with {text!r}")
    raise AskerError(Fault.AMBIGUOUS, f"{text!r} names more than one {what}: {', '.join(ids[:10])}")
