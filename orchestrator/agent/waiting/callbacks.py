"""Events that answer a tool's call later: expected before it is made, added to its result when they come.

    expect (prepared) --> the call --> opened: its key is known --> an event that ends it, or its time

A key that needs no result is listened for from the beginning. Either way the inbox is searched from where it ended
before the call, so an event is found however early it comes. It sends nothing, and wakes nobody.
"""

import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from orchestrator.agent.conversation import told
from orchestrator.agent.conversation.opening import frozen_of
from orchestrator.agent.conversation.showing import policy_of
from orchestrator.agent.means import Means
from orchestrator.agent.text.redacting import Redaction
from orchestrator.agent.waiting.coming import COMMITTED, due_in
from orchestrator.database import Transaction
from orchestrator.errors import OperatorError
from orchestrator.inbox.inbox import Entry
from orchestrator.inbox.rows import clean
from orchestrator.ledger import artifacts, calls, conversations, waits
from orchestrator.ledger.calls import Call
from orchestrator.ledger.waits import OPEN, PREPARED, Wait, wait_id_of
from orchestrator.templates import Template
from workflows.messages import CallState, Done, EndWait, WaitEnd, Waiting, WaitRequest
from workflows.playbook import Callback

RESULT: Final = "result"
LONGEST_KEY: Final = 500
LOOKED_AT: Final = 200
TOLD: Final = 10

MAY_BE_ANSWERED: Final = frozenset({CallState.DONE, CallState.UNKNOWN})
"""How a call ended that an event may still answer."""

NEVER: Final = "The event that was to answer it later can't be waited for: {why}"
ANSWERED: Final = "This event answers the call."
EXPIRED: Final = (
    "The event that was to answer it did not come within {span}: nobody knows how it went on. Check before you"
    " repeat it."
)
LAPSED: Final = "Call {call}, {tool}: {words}"
APPLIED: Final = (
    "A person applied this. The event that answers it ({wants}) is waited for until {until}; it is written down here"
    " when it comes, and the conversation is told if it is still open."
)
LEFT: Final = (
    "Something else came first, and stands below. The event that answers the call is still waited for until {until}:"
    " when it comes in this conversation, you are told."
)
BEFORE: Final = (
    "Before that came, without being the answer: {events}. doorbell__event shows more of them."
)


async def expect(means: Means, request: WaitRequest) -> Done:
    """Register the wait for the event that answers this call later, before the call is made."""
    since, now = await means.inbox.head(), means.now()
    call = await means.ledger.read(calls.one, request.run_id, request.call_id)
    callback, inputs = await _callback(means, call)
    await means.ledger.write(_prepared, call, callback, inputs, since, now)
    return Done()


async def opened(means: Means, call: Call, seconds: float | None) -> Waiting:
    """Open the wait, now that the call has ended; what can't be waited for is said in its result."""
    callback, inputs = await _callback(means, call)
    known, at = means.redact(), means.now()
    wait = await means.ledger.write(_opened, call, callback, inputs, seconds, known, at)
    if wait is None:
        return Waiting(wait_id="", call_id=call.call_id, wants="", seconds=0.0, ended=call.state)
    left = due_in(wait, means.now())
    return Waiting(
        wait_id=wait.wait_id,
        call_id=call.call_id,
        wants=f"{', '.join(wait.patterns)} for {wait.key}",
        seconds=left if seconds is None else max(min(left, seconds + COMMITTED), 0.0),
        ended=None if wait.state == OPEN else call.state,
        event_id=wait.event_id,
    )


async def ended(means: Means, wait: Wait, ending: EndWait) -> bool:
    """End the wait, or leave it, and complete the result of its call; whether this way was the first."""
    block, position = None, 0
    if ending.event_id is not None:
        block, position = await told.block(means, wait.run_id, ending.event_id, ANSWERED)
    passed, known = await _passed(means, wait, ending.event_id), means.redact()
    before = [told.name_of(entry, known) for entry in passed[-TOLD:]]
    return await means.ledger.write(
        _ended, wait, ending, block, position, passed, before, means.now()
    )


def lapse(connection: Transaction, wait_id: str, at: float) -> str:
    """End a wait beyond its turn for which nothing came; what there is to say of it, empty where it has ended."""
    if not waits.settle(connection, wait_id, WaitEnd.EXPIRED, None, at):
        return ""
    wait = waits.one(connection, wait_id)
    call, words = calls.one(connection, wait.run_id, wait.call_id), _words(WaitEnd.EXPIRED, wait)
    if call.call_id.endswith(calls.APPLIED):
        # Of the others the model has read the answer: what it was sent doesn't change any more.
        calls.add(connection, wait.run_id, wait.call_id, [words])
    return LAPSED.format(tool=f"{call.server}.{call.tool}", call=call.call_id, words=words)


def result_of(connection: Transaction, call: Call) -> Any:
    """What a call returned, as JSON where it is JSON, else as text."""
    artifact = artifacts.get(connection, call.artifact or "")
    if artifact is None:
        return _json("\n".join(_texts(call.content or ())))
    whole = _json(artifact.body.decode("utf-8", "replace"))
    if artifact.media_type != "application/json" or not isinstance(whole, dict):
        return whole
    # How a result is kept that is more than text: https://modelcontextprotocol.io/specification (CallToolResult)
    structured = whole.get("structuredContent")
    return (
        _json("\n".join(_texts(whole.get("content") or ()))) if structured is None else structured
    )


async def _callback(means: Means, call: Call) -> tuple[Callback, Mapping[str, Any]]:
    _, frozen = await frozen_of(means, call.run_id)
    return frozen.waits[f"{call.server}.{call.tool}"], frozen.inputs


async def _passed(means: Means, wait: Wait, last: str | None) -> list[Entry]:
    """What came for the wait without ending it, and was not heard otherwise."""
    if not wait.cel:
        return []
    heard = {last, *await means.ledger.read(conversations.heard, wait.run_id)}
    found: dict[str, Entry] = {}
    for pattern in wait.patterns:
        for entry in await means.inbox.look_back(pattern, wait.key, wait.since, LOOKED_AT):
            found[entry.id] = entry
    decided = await means.inbox.decisions(list(found))
    mine = {
        one.event_id
        for listed in decided.values()
        for one in listed
        if one.cause == f"wait:{wait.wait_id}"
    }
    kept = [entry for entry in found.values() if entry.id in mine - heard]
    return sorted(kept, key=lambda entry: entry.position)


def _prepared(
    connection: Transaction,
    call: Call,
    callback: Callback,
    inputs: Mapping[str, Any],
    since: int,
    at: float,
) -> None:
    key, _ = key_of(callback, {"with": inputs})
    wait = Wait(
        wait_id=wait_id_of(call.run_id, call.call_id),
        run_id=call.run_id,
        workflow_id=conversations.one(connection, call.run_id).workflow_id,
        call_id=call.call_id,
        patterns=callback.events,
        key=key or "",
        since=since,
        opened_at=at,
        deadline_at=at + callback.timeout,
        state=PREPARED if key is None else OPEN,
        event_id=None,
        cel=callback.until,
    )
    if call.call_id.endswith(calls.APPLIED) and call.sent_at is None:
        # Applied once more: what was expected before can't have been the answer.
        waits.renew(connection, wait)
    waits.begin(connection, wait)


def _opened(
    connection: Transaction,
    call: Call,
    callback: Callback,
    inputs: Mapping[str, Any],
    seconds: float | None,
    known: Redaction,
    at: float,
) -> Wait | None:
    wait = waits.find(connection, wait_id_of(call.run_id, call.call_id))
    if wait is None or wait.state not in {OPEN, PREPARED}:
        return wait
    if call.state not in MAY_BE_ANSWERED:
        waits.settle(connection, wait.wait_id, "closed", None, at)
        return None
    if wait.state == OPEN:
        return _applied(connection, call, wait, known)
    key, why = key_of(callback, {"with": inputs, RESULT: result_of(connection, call)})
    if call.state is CallState.UNKNOWN:
        key, why = None, "nobody knows what the call returned."
    if key is None:
        if waits.settle(connection, wait.wait_id, "closed", None, at):
            calls.add(connection, call.run_id, call.call_id, [NEVER.format(why=why)])
        return waits.one(connection, wait.wait_id)
    span = callback.timeout if seconds is None else min(callback.timeout, seconds)
    found = waits.open_(connection, wait.wait_id, key, at, at + span)
    return _applied(connection, call, found, known)


def _applied(connection: Transaction, call: Call, wait: Wait, known: Redaction) -> Wait:
    """The same wait; of a call that a person applied, left open beside its result, for no turn waits for it."""
    if not call.call_id.endswith(calls.APPLIED) or not waits.leave_open(connection, wait.wait_id):
        return wait
    key = told.key_of(wait.key, policy_of(connection, call.run_id), known)
    wants, until = f"{', '.join(wait.patterns)} for {key}", _moment(wait.deadline_at)
    words = APPLIED.format(wants=wants, until=until)
    calls.add(connection, call.run_id, call.call_id, [words])
    return waits.one(connection, wait.wait_id)


def key_of(callback: Callback, scope: Mapping[str, Any]) -> tuple[str | None, str]:
    """The key of its event, or why there is none."""
    try:
        template = Template.parse(callback.key)
        if not template.names <= scope.keys():
            return None, f"{callback.key} needs more than is known."
        key = clean(str(template.render(scope)))
    except OperatorError as error:
        return None, str(error)
    if len(key) > LONGEST_KEY:
        return None, f"its key has {len(key)} characters, {LONGEST_KEY} are the most."
    return key, ""


def _ended(
    connection: Transaction,
    wait: Wait,
    ending: EndWait,
    block: str | None,
    position: int,
    passed: list[Entry],
    before: list[str],
    at: float,
) -> bool:
    if ending.end is WaitEnd.INTERRUPTED:
        first = waits.leave_open(connection, wait.wait_id)
    else:
        first = waits.settle(connection, wait.wait_id, ending.end, ending.event_id, at)
    if not first:
        return waits.one(connection, wait.wait_id).state == ending.end
    words = [block or _words(ending.end, wait)]
    if passed:
        more = f"(and {len(passed) - TOLD} before them) " if len(passed) > TOLD else ""
        words.insert(0, BEFORE.format(events=more + "; ".join(before)))
    calls.add(connection, wait.run_id, wait.call_id, words)
    for entry in passed:
        _hear(connection, wait, entry.id, entry.position, "passed by", at)
    if ending.event_id is not None:
        _hear(connection, wait, ending.event_id, position, "waited for", at)
    return True


def _hear(
    connection: Transaction, wait: Wait, event_id: str, position: int, how: str, at: float
) -> None:
    conversations.hear(connection, wait.run_id, event_id, position, how, at)


def _words(end: WaitEnd, wait: Wait) -> str:
    span = timedelta(seconds=round(wait.deadline_at - wait.opened_at))
    match end:
        case WaitEnd.INTERRUPTED:
            return LEFT.format(until=_moment(wait.deadline_at))
        case WaitEnd.EXPIRED | WaitEnd.RESOLVED:
            return EXPIRED.format(span=span)


def _moment(at: float) -> str:
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M:%S} UTC"


def _texts(blocks: Iterable[Mapping[str, Any]]) -> list[str]:
    return [str(block.get("text")) for block in blocks if block.get("type") == "text"]


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text
