"""Make one tool call and never silently repeat a write (promise A2). It decides nothing about policy.

The call's row is moved to `sent` by compare-and-set just before the bytes leave. A later attempt therefore
knows: `intended` never left and may be made; `sent` may have happened. A read is simply made again; for a write
the attempt waits until the first request is past its own deadline, and then says in words that nobody knows.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, assert_never

from orchestrator.agent.calling.consented import unconsented
from orchestrator.agent.calling.revoked import revoked
from orchestrator.agent.calling.screened import unscreened
from orchestrator.agent.calling.subjects import subject_full
from orchestrator.agent.calling.verifying import with_advice
from orchestrator.agent.conversation import reading_events
from orchestrator.agent.conversation.showing import answer_shown, policy_of
from orchestrator.agent.hands.definitions import Answered, Lost, NotSent
from orchestrator.agent.means import Means
from orchestrator.agent.text.untrusted import shown
from orchestrator.agent.tools.consent import changed
from orchestrator.database import Transaction
from orchestrator.errors import DoorbellError
from orchestrator.ledger import approvals, artifacts, calls
from orchestrator.ledger.calls import Call, Result
from workflows.messages import EVENT, CallOutcome, CallRequest, CallState, Settle
from workflows.playbook import Effect

MARGIN = 5.0
"""Seconds past a request's own deadline after which its server can no longer be working on it."""

LOOK_EVERY = 0.5
ATTEMPTS_WITHOUT_ANSWER = 3
FINAL = frozenset(
    {
        CallState.DONE,
        CallState.FAILED,
        CallState.UNKNOWN,
        CallState.PROPOSED,
        CallState.REFUSED,
        CallState.DENIED,
    }
)

Check = Callable[[Means, Call], Awaitable[str | None]]
FORBIDDING: Sequence[Check] = (revoked, unscreened)
"""Asked first: what is forbidden counts as denied."""

CHECKS: Sequence[Check] = (unconsented, subject_full)
"""Asked just before a call leaves; a person's consent first."""

UNKNOWN = (
    "The outcome of this call is unknown: it was sent, and then no answer came ({reason})."
    " It may have taken effect. Check before you repeat it."
)
PROPOSED = "Recorded as a proposal (preview): nothing was changed. A person can apply exactly this call later."


class TryAgain(DoorbellError):
    """A call that may be repeated got no answer this time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """A result on its way into the ledger, with the whole of it for the artifact store."""

    result: Result
    full: bytes = b""
    media_type: str = "text/plain"


async def call(means: Means, request: CallRequest, attempt: int) -> CallOutcome:
    """Make the call, or return how it ended before. Raises TryAgain."""
    found = await _one(means, request)
    if found.state in FINAL:
        return _outcome(found)
    if found.alias == EVENT:
        return await _finish(means, request, Kept(result=await reading_events.read(means, found)))
    repeatable = found.effect is not Effect.WRITE_ONCE
    taken = await means.ledger.write(
        calls.take, request.run_id, request.call_id, attempt, again=repeatable
    )
    if not taken:
        return await _another_attempts(means, request, attempt)
    began = means.now()
    refused = await _refused(means, found)
    if refused is not None:
        return await _finish(means, request, Kept(result=refused))
    kept = await _sent(means, found, request, attempt)
    if kept is None:
        return await _another_attempts(means, request, attempt)
    outcome = await _finish(means, request, kept)
    took = means.now() - began
    means.counts.tool_call(found.server, found.tool, found.effect, outcome.state, took)
    return outcome


async def _refused(means: Means, found: Call) -> Result | None:
    """Why it may not leave now, whatever was decided before: the first check that says so."""
    for forbids in FORBIDDING:
        forbidden = await forbids(means, found)
        if forbidden is not None:
            return _not_made(found, CallState.DENIED, forbidden)
    for check in (unconsented,) if found.effect is Effect.READ else CHECKS:
        refusal = await check(means, found)
        if refusal is not None:
            return _not_made(found, CallState.REFUSED, refusal)
    return None


def _not_made(found: Call, state: CallState, refusal: str) -> Result:
    # This attempt is not made, but an earlier one may have been: then it isn't true that nothing was done.
    return _not_known(found, refusal) or _words(state, refusal)


async def propose(means: Means, request: CallRequest) -> CallOutcome:
    """Record the call as a proposal, unless it carries what may not leave."""
    carried = await unscreened(means, await _one(means, request))
    if carried is not None:
        return await _finish(means, request, Kept(result=_words(CallState.DENIED, carried)))
    return await _finish(means, request, Kept(result=_words(CallState.PROPOSED, PROPOSED)))


async def settle_lost(means: Means, lost: Settle) -> CallOutcome:
    """End a call of which no attempt came back, or whose answer nobody waits for any more."""
    found = await _one(means, lost)
    if found.state not in FINAL:
        result = _not_known(found, lost.reason) or _given_up(lost.reason)
        return await _finish(means, lost, Kept(result=result))
    return _outcome(found)


def answer_words(state: CallState, text: str) -> Result:
    """An answer in words: an error, except where the state says that all is well."""
    return _words(state, text)


def unknown(reason: str) -> Result:
    """Nobody knows whether it happened."""
    return _words(CallState.UNKNOWN, UNKNOWN.format(reason=reason))


async def _sent(means: Means, found: Call, request: CallRequest, attempt: int) -> Kept | None:
    run_id, call_id = request.run_id, request.call_id

    async def just_before_the_bytes_leave() -> bool:
        now = means.now()
        return await means.ledger.write(
            calls.send, run_id, call_id, attempt, now, now + request.deadline
        )

    outcome = await means.hands.call(
        found.server,
        found.tool,
        found.arguments,
        deadline=request.deadline,
        key=f"{run_id}/{call_id}",
        before_send=just_before_the_bytes_leave,
        progress=None,
    )
    policy = await means.ledger.read(policy_of, run_id)
    match outcome:
        case Answered():
            return _answered(answer_shown(outcome, policy))
        case NotSent(reason=reason):
            return await _unsent(means, request, attempt, shown(reason, policy))
        case Lost(reason=reason):
            return _lost(found, shown(reason, policy), attempt)
        case _:
            assert_never(outcome)


async def _unsent(means: Means, request: CallRequest, attempt: int, reason: str) -> Kept | None:
    found = await _one(means, request)
    if found.attempt != attempt:
        return None
    if found.effect is Effect.WRITE and attempt > 1 and found.sent_at is not None:
        # This attempt did not leave, but an earlier one may have.
        return Kept(result=unknown(reason))
    text = f"The server {found.server!r} could not be reached, so nothing was done: {reason}"
    return Kept(result=_words(CallState.REFUSED, text))


def _lost(found: Call, reason: str, attempt: int) -> Kept:
    if found.effect is Effect.WRITE_ONCE:
        return Kept(result=unknown(reason))
    if attempt < ATTEMPTS_WITHOUT_ANSWER:
        raise TryAgain(f"{found.server}.{found.tool} gave no answer: {reason}")
    if found.effect is not Effect.READ:
        return Kept(result=unknown(reason))
    text = f"{found.server}.{found.tool} gave no answer in {attempt} attempts: {reason}"
    return Kept(result=_words(CallState.FAILED, text))


def _not_known(found: Call, reason: str) -> Result | None:
    """The answer for a write of which an attempt was once sent; None when none ever was, or it only read."""
    once_sent = found.sent_at is not None or found.state is CallState.SENT
    return unknown(reason) if once_sent and found.effect is not Effect.READ else None


def _given_up(reason: str) -> Result:
    text = f"This call was given up ({reason}); it changed nothing."
    return _words(CallState.REFUSED, text)


async def _another_attempts(means: Means, request: CallRequest, attempt: int) -> CallOutcome:
    """Wait for the end of what another attempt sent; past its deadline, nobody will ever know."""
    while True:
        found = await _one(means, request)
        if found.state in FINAL:
            return _outcome(found)
        if found.attempt > attempt:
            raise TryAgain("a later attempt has this call")
        if found.deadline_at is None or means.now() > found.deadline_at + MARGIN:
            lost = Settle(run_id=request.run_id, call_id=request.call_id)
            return await settle_lost(means, lost)
        await asyncio.sleep(LOOK_EVERY)


async def _finish(means: Means, request: CallRequest | Settle, kept: Kept) -> CallOutcome:
    await means.ledger.write(_keep, request, kept, means.now())
    return _outcome(await _one(means, request))


def _keep(connection: Transaction, request: CallRequest | Settle, kept: Kept, at: float) -> None:
    result = _with_changes(connection, request, kept.result)
    result = with_advice(connection, request.run_id, request.call_id, result)
    if kept.full:
        digest = artifacts.put(connection, kept.full, kept.media_type, at)
        result = Result(
            state=result.state,
            content=result.content,
            is_error=result.is_error,
            artifact=digest,
            size=len(kept.full),
        )
    calls.finish(connection, request.run_id, request.call_id, result, at)


def _with_changes(connection: Transaction, request: CallRequest | Settle, result: Result) -> Result:
    """The same result, behind a word on what a person changed of the call; nothing where nobody did."""
    approval = approvals.of_call(connection, request.run_id, request.call_id)
    if approval is None or approval.before is None:
        return result
    made = calls.one(connection, request.run_id, request.call_id)
    words = {"type": "text", "text": changed(approval, made.arguments)}
    return replace(result, content=[words, *result.content])


def _answered(outcome: Answered) -> Kept:
    state = CallState.FAILED if outcome.is_error else CallState.DONE
    content: Sequence[Mapping[str, Any]] = outcome.content
    result = Result(state=state, content=content, is_error=outcome.is_error)
    return Kept(result=result, full=outcome.full, media_type=outcome.full_media_type)


def _words(state: CallState, text: str) -> Result:
    good = state in {CallState.DONE, CallState.PROPOSED}
    return Result(state=state, content=[{"type": "text", "text": text}], is_error=not good)


async def _one(means: Means, request: CallRequest | Settle) -> Call:
    return await means.ledger.read(calls.one, request.run_id, request.call_id)


def _outcome(found: Call) -> CallOutcome:
    return CallOutcome(call_id=found.call_id, state=found.state, size=found.size)
