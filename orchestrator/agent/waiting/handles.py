"""Calls that their servers answer later: waited for without work, asked after now and then, called off when unwanted.

    a handle --> opened: an event may hint at it --> look ... look --> its answer is the call's result

An event is a hint: what counts is what the server says when it is asked. No event at all costs time only, because a
task is asked after anyway, at first as often as its server wants, then less and less. It wakes nobody.
"""

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any, Final

from orchestrator.agent.calling import eliciting, once
from orchestrator.agent.calling.eliciting import Read
from orchestrator.agent.calling.rounds import Kept
from orchestrator.agent.conversation.opening import frozen_of
from orchestrator.agent.conversation.showing import answer_shown, policy_of
from orchestrator.agent.hands.sights import Seen, Status, Unseen
from orchestrator.agent.means import Means
from orchestrator.agent.text.untrusted import shown
from orchestrator.agent.waiting import callbacks
from orchestrator.database import Transaction
from orchestrator.ledger import artifacts, calls, conversations, handles, inputs, waits
from orchestrator.ledger.calls import Call
from orchestrator.ledger.handles import Handle
from orchestrator.ledger.inputs import OF_A_TASK, Input
from orchestrator.ledger.waits import LISTENING, PREPARED, Wait, wait_id_of
from workflows.asks import Question
from workflows.looks import Look, Looked
from workflows.messages import CallState, Done, Waiting
from workflows.playbook import Approve, Callback

PATIENCE: Final = 20.0
"""Seconds in which a server must say how a task stands."""
EAGER: Final = 3
"""Looks as often as the server wants; each one after them waits twice as long as the one before."""
DOUBLINGS: Final = 20
SELDOM: Final = 900.0
"""Seconds between two looks in the end, or what the server wants where that is more."""
ASKING: Final = 3600.0
"""Seconds between two looks while people are asked what a server wants: it may want it no longer."""
FOREVER: Final = 30 * 86_400.0
GRACE: Final = 5.0
"""Seconds past a task's time after which it is asked after once more: its server may say itself that it is over."""

HINTED: Final = "hinted at"
CANCELLED: Final = (
    "Its server says that this call was cancelled there{said}. It may have done a part of it: look before you"
    " repeat it."
)
ASKS: Final = (
    "The server asked for input in the middle of the call that it can't have: {why}. It was told to stop, but may have"
    " acted. Try without what needs input, or another tool."
)
UNANSWERED: Final = (
    "Its server asked people something before it did anything, and nobody had answered when {why}. As far as it says,"
    " nothing was done."
)
GONE: Final = "its server no longer knows it: {reason}"
OVER: Final = "its server was given {span} for it, and that is over"
TOO_LONG: Final = "the {span} that the playbook waits for it are over"


async def opened(means: Means, call: Call, handle: Handle) -> Waiting:
    """Wait for this task from now on, with whatever event may hint at it; not for one that has ended."""
    if await once.under_way(means, call) is None:
        await means.ledger.write(_closed, handle, means.now())
        return Waiting(wait_id="", call_id=call.call_id, wants="", seconds=0.0, ended=call.state)
    found = await _callback(means, call)
    if found is not None:
        await means.ledger.write(_listening, call, handle, *found, means.now())
    asks, answered = await means.ledger.read(_asked, means, call)
    return Waiting(
        wait_id=wait_id_of(call.run_id, call.call_id),
        call_id=call.call_id,
        wants=f"{call.server} answers {call.tool} later",
        # What people have said has not been told yet: at once, then.
        seconds=0.0 if answered else max(_look_at(handle, _timeout(found)) - means.now(), 0.0),
        asks=asks,
    )


async def asking(means: Means, call: Call) -> Waiting:
    """Wait for what people say to the server of a call that it has not begun."""
    asks, _ = await means.ledger.read(_asked, means, call)
    return Waiting(
        wait_id=wait_id_of(call.run_id, call.call_id),
        call_id=call.call_id,
        wants=f"{call.server} makes {call.tool} when people have answered",
        seconds=0.0,
        asks=asks,
    )


async def look(means: Means, request: Look) -> Looked:
    """Ask how the task of a call stands, and end the call with it when it has ended."""
    call = await means.ledger.read(calls.one, request.run_id, request.call_id)
    if call.state is CallState.PENDING and request.last:
        words = once.answer_words(CallState.FAILED, UNANSWERED.format(why=request.last))
        return Looked(outcome=await once.finish(means, request, Kept(result=words)))
    handle = await once.under_way(means, call)
    if handle is None:
        return Looked(outcome=once.outcome_of(call))
    await _hear(means, request)
    found = await _callback(means, call)
    sight, hopeless = await _helped(means, call, handle)
    now = means.now()
    handle = _after(handle, sight, now)
    why = request.last or _over(handle, now, _timeout(found))
    kept = await _ended(means, call, sight, why, hopeless)
    if kept is None:
        return await _goes_on(means, call, handle, _timeout(found))
    outcome = await once.finish(means, request, kept)
    took = now - handle.opened_at
    means.counts.tool_call(call.server, call.tool, call.effect, outcome.state, took)
    if handle.status == Status.INPUT_REQUIRED:
        await means.tasks.call_off(call.server, call.tool, handle.task_id, deadline=PATIENCE)
    await means.ledger.write(_closed, handle, now)
    return Looked(outcome=outcome)


async def _goes_on(means: Means, call: Call, handle: Handle, timeout: float | None) -> Looked:
    """It is under way yet: when it is looked at again, and what people are asked meanwhile."""
    now = means.now()
    asks, _ = await means.ledger.read(_asked, means, call)
    if asks:
        handle = replace(handle, look_at=now + max(ASKING, handle.poll))
    await means.ledger.write(handles.seen, handle)
    left = max(_look_at(handle, timeout) - now, 0.0)
    return Looked(seconds=left, said=handle.status, asks=asks)


async def _helped(means: Means, call: Call, handle: Handle) -> tuple[Seen | Unseen, str | None]:
    """How the task stands once it has what people have said by now; and why it can't have what it wants."""
    task = (call.server, call.tool, handle.task_id)
    sight = await means.tasks.look(*task, deadline=PATIENCE)
    if not isinstance(sight, Seen):
        return sight, None
    wants = sight.requests if sight.status is Status.INPUT_REQUIRED else {}
    found = await eliciting.read(means, call, wants)
    hopeless = eliciting.unanswerable(found)
    if hopeless is not None:
        return sight, hopeless
    by = await eliciting.policy(means, call)
    asked, known = await means.ledger.write(_wanted, means, call, found, by, means.now())
    eliciting.counted(means, asked)
    if not known:
        return sight, None
    given = {one.key: response for one, response in known}
    after = await means.tasks.respond(*task, given, deadline=PATIENCE)
    if isinstance(after, Seen):
        await means.ledger.write(inputs.told, [one for one, _ in known], means.now())
    return after, None


def _wanted(
    connection: Transaction,
    means: Means,
    call: Call,
    found: Read,
    by: tuple[Approve, str | None],
    at: float,
) -> tuple[int, list[tuple[Input, dict[str, Any]]]]:
    """Ask what is new and close what is gone; how many questions that is, and what is known of the others."""
    eliciting.close_others(connection, call, found.keys(), OF_A_TASK, at)
    asked = eliciting.ask(connection, call, OF_A_TASK, found, by, at)
    return asked, eliciting.responses(connection, means, call, OF_A_TASK)


def _asked(connection: Transaction, means: Means, call: Call) -> tuple[tuple[Question, ...], bool]:
    """What people are being asked for this call, and whether its task has yet to hear what they said."""
    known = eliciting.responses(connection, means, call, OF_A_TASK)
    return eliciting.questions(connection, call, means.now()), bool(known)


async def call_off(means: Means, request: Look) -> Done:
    """Ask the server to stop, and write down what became of the task, which changes nothing any more.

    Raises:
        TryAgain: where the server gave no answer.
    """
    handle = await means.ledger.read(handles.find, request.run_id, request.call_id)
    if handle is None or handle.ended_at is not None:
        return Done()
    call = await means.ledger.read(calls.one, request.run_id, request.call_id)
    sight = await means.tasks.call_off(call.server, call.tool, handle.task_id, deadline=PATIENCE)
    if isinstance(sight, Unseen) and not sight.gone:
        raise once.TryAgain(f"{handle.server} could not be told to stop: {sight.reason}")
    await means.ledger.write(_closed, handle, means.now())
    if isinstance(sight, Seen):
        await means.ledger.write(_late, handle, sight, means.now())
    return Done()


async def _callback(means: Means, call: Call) -> tuple[Callback, dict[str, Any]] | None:
    """What the playbook waits for after this tool, with the inputs of its run; None where it waits for nothing."""
    _, frozen = await frozen_of(means, call.run_id)
    callback = frozen.waits.get(f"{call.server}.{call.tool}")
    return None if callback is None else (callback, dict(frozen.inputs))


async def _hear(means: Means, request: Look) -> None:
    if request.event_id is None:
        return
    entry = await means.inbox.entry(request.event_id)
    if entry is not None:
        await means.ledger.write(
            conversations.hear, request.run_id, entry.id, entry.position, HINTED, means.now()
        )


async def _ended(
    means: Means, call: Call, sight: Seen | Unseen, over: str | None, hopeless: str | None
) -> Kept | None:
    """What the call ends with now; None as long as its task is under way, and is neither `over` nor `hopeless`."""
    policy = await means.ledger.read(policy_of, call.run_id)
    match sight:
        case Seen(answer=answer) if answer is not None:
            return once.kept_of(answer_shown(answer, policy))
        case Seen(status=Status.CANCELLED, said=said):
            words = CANCELLED.format(said=f": {shown(said, policy)}" if said else "")
            return Kept(result=once.answer_words(CallState.FAILED, words))
        case Seen() if hopeless is not None:
            return Kept(result=once.answer_words(CallState.FAILED, ASKS.format(why=hopeless)))
        case Unseen(gone=True, reason=reason):
            return Kept(result=once.unknown(GONE.format(reason=shown(reason, policy))))
        case _:
            return None if over is None else Kept(result=once.unknown(over))


def _after(handle: Handle, sight: Seen | Unseen, now: float) -> Handle:
    """The handle after a look."""
    looks = handle.looks + 1
    poll, ttl, status, said = handle.poll, handle.ttl, handle.status, handle.said
    if isinstance(sight, Seen):
        ttl, status, said = sight.ttl, str(sight.status), sight.said
        poll = once.poll_of(sight.poll)
    pause = min(poll * 2 ** min(max(looks - EAGER, 0), DOUBLINGS), max(SELDOM, poll))
    return replace(
        handle, ttl=ttl, poll=poll, looks=looks, look_at=now + pause, status=status, said=said
    )


def _look_at(handle: Handle, timeout: float | None) -> float:
    """When it is asked after again: no later than somebody's patience ends."""
    ends = [] if timeout is None else [handle.opened_at + timeout]
    if handle.over_at is not None:
        ends.append(handle.over_at + GRACE)
    return min([handle.look_at, *ends])


def _timeout(found: tuple[Callback, dict[str, Any]] | None) -> float | None:
    return None if found is None else found[0].timeout


def _over(handle: Handle, now: float, timeout: float | None) -> str | None:
    """Why nobody waits for the task any longer; None when somebody does."""
    if handle.over_at is not None and handle.ttl is not None and now >= handle.over_at:
        return OVER.format(span=timedelta(seconds=round(handle.ttl)))
    if timeout is not None and now >= handle.opened_at + timeout:
        return TOO_LONG.format(span=timedelta(seconds=round(timeout)))
    return None


def _listening(
    connection: Transaction,
    call: Call,
    handle: Handle,
    callback: Callback,
    inputs: dict[str, Any],
    at: float,
) -> None:
    """Listen for the event that the playbook names, if its key can be known before the call has its result."""
    wait = waits.find(connection, wait_id_of(call.run_id, call.call_id))
    if wait is None or wait.state != PREPARED:
        return
    scope = {"with": inputs, callbacks.RESULT: json.loads(handle.document)}
    key, _ = callbacks.key_of(callback, scope)
    if key is not None:
        waits.open_(connection, wait.wait_id, key, at, at + min(callback.timeout, FOREVER))


def _closed(connection: Transaction, handle: Handle, at: float) -> None:
    """Nothing hints at it any more."""
    handles.end(connection, handle, handle.status, at)
    wait: Wait | None = waits.find(connection, wait_id_of(handle.run_id, handle.call_id))
    if wait is not None and wait.state in {*LISTENING, PREPARED}:
        waits.settle(connection, wait.wait_id, "closed", None, at)


def _late(connection: Transaction, handle: Handle, seen: Seen, at: float) -> None:
    digest = None
    if seen.answer is not None:
        digest = artifacts.put(connection, seen.answer.full, seen.answer.full_media_type, at)
    handles.late(connection, handle, str(seen.status), seen.said, digest)
