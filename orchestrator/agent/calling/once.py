"""Make one tool call and never silently repeat a write (promise A2). It decides nothing about policy.

The call's row is moved to `sent` by compare-and-set just before the bytes leave. A later attempt therefore
knows: `intended` never left and may be made; `sent` may have happened. A read is simply made again; for a write
the attempt waits until the first request is past its own deadline, and then says in words that nobody knows.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, assert_never

from orchestrator.agent.calling import eliciting, rounds
from orchestrator.agent.calling.consented import unconsented
from orchestrator.agent.calling.paused import call_may_begin
from orchestrator.agent.calling.refusal import Refusal
from orchestrator.agent.calling.revoked import revoked
from orchestrator.agent.calling.rounds import Kept, Trial
from orchestrator.agent.calling.screened import unscreened
from orchestrator.agent.calling.subjects import subject_full
from orchestrator.agent.calling.verifying import with_advice
from orchestrator.agent.conversation import reading_events
from orchestrator.agent.conversation.showing import answer_shown, policy_of
from orchestrator.agent.hands.definitions import Answered, Asks, Begun, Lost, NotSent
from orchestrator.agent.means import Means
from orchestrator.agent.text.untrusted import shown
from orchestrator.agent.tools.consent import changed
from orchestrator.database import Transaction
from orchestrator.errors import DoorbellError
from orchestrator.ledger import approvals, artifacts, calls, handles, inputs
from orchestrator.ledger.calls import Call, Result
from orchestrator.ledger.handles import Handle
from orchestrator.servers import bounds_of
from orchestrator.telemetry.words import Unmade
from workflows.looks import Look
from workflows.messages import CallOutcome, CallRequest, CallState, Settle
from workflows.own_tools import EVENT
from workflows.playbook import Effect, TextPolicy

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

ASIDE = FINAL | {CallState.PENDING}
"""How a call stands that no attempt works on."""

About = CallRequest | Settle | Look
"""What names a call."""

Check = Callable[[Means, Call], Awaitable[str | None]]
CHECKS: Mapping[Unmade, Check] = {Unmade.CONSENT: unconsented, Unmade.SUBJECT: subject_full}
"""Asked just before a write leaves, after what forbids it; a person's consent first."""

UNKNOWN = (
    "The outcome of this call is unknown: it was sent, and then no answer came ({reason})."
    " It may have taken effect. Check before you repeat it."
)
UNFOLLOWED = (
    "Its server has begun, and answers later; nobody waits for that here. A person can look there."
)
POLL = 5.0
"""Seconds between two looks at a task whose server names none."""
SHORTEST_POLL = 1.0
LONGEST_POLL = 86_400.0
PROPOSED = "Recorded as a proposal (preview): nothing was changed. A person can apply exactly this call later."


class TryAgain(DoorbellError):
    """A call that may be repeated got no answer this time."""


async def call(means: Means, request: CallRequest, attempt: int) -> CallOutcome:
    """Make the call, or return how it ended before. Raises TryAgain, or Held."""
    found = await _one(means, request)
    if await _rests(means, found):
        return outcome_of(found)
    if found.alias == EVENT:
        return await finish(means, request, Kept(result=await reading_events.read(means, found)))
    # Before it is taken: a call that is held for a person is as if nobody had tried it.
    await call_may_begin(means, found)
    revocation = await revoked(means, found)
    trial = await rounds.trial(means, found, attempt, request.after)
    if not await _is_ours(means, request, found, trial):
        return await _another_attempts(means, request, trial.number)
    began = means.now()
    refused = await _refused(means, found, revocation)
    if refused is not None:
        return await finish(means, request, Kept(result=refused))
    kept = await _sent(means, found, request, trial)
    if not isinstance(kept, Kept):
        return await _open_ended(means, found, request, trial, kept)
    outcome = await finish(means, request, kept)
    took = means.now() - began
    means.counts.tool_call(found.server, found.tool, found.effect, outcome.state, took)
    return outcome


async def _is_ours(means: Means, request: CallRequest, found: Call, trial: Trial) -> bool:
    """Whether this attempt may send it from here on, and no other."""
    if request.after and found.sent_at is not None:
        # What a run sent that was lost is told to people, and sent no more.
        return False
    this = (request.run_id, request.call_id, trial.number)
    again = found.effect is not Effect.WRITE_ONCE
    return await means.ledger.write(calls.take, *this, again=again)


async def _rests(means: Means, found: Call) -> bool:
    """Whether nothing is to be done about the call now: it has ended, or somebody else is at it."""
    if found.state in FINAL or await under_way(means, found) is not None:
        return True
    return await means.ledger.read(rounds.waits, found)


async def _refused(means: Means, found: Call, revocation: Refusal | None) -> Result | None:
    """Why it may not leave now, whatever was decided before, counted: what is forbidden counts as denied."""
    if revocation is not None:
        means.counts.call_refused(revocation.why)
        return _not_made(found, revocation.state, revocation.words)
    stopped = await unscreened(means, found)
    if stopped is not None:
        return _not_made(found, CallState.DENIED, stopped)
    for why, check in CHECKS.items():
        if why is Unmade.SUBJECT and found.effect is Effect.READ:
            continue
        refused = await check(means, found)
        if refused is not None:
            means.counts.call_refused(why)
            return _not_made(found, CallState.REFUSED, refused)
    return None


def _not_made(found: Call, state: CallState, refusal: str) -> Result:
    # This attempt is not made, but an earlier one may have been: then it isn't true that nothing was done.
    return _not_known(found, refusal) or _words(state, refusal)


async def propose(means: Means, request: CallRequest) -> CallOutcome:
    """Record the call as a proposal, unless it carries what may not leave."""
    carried = await unscreened(means, await _one(means, request))
    if carried is not None:
        return await finish(means, request, Kept(result=_words(CallState.DENIED, carried)))
    return await finish(means, request, Kept(result=_words(CallState.PROPOSED, PROPOSED)))


async def settle_lost(means: Means, lost: Settle) -> CallOutcome:
    """End a call of which no attempt came back, or whose answer nobody waits for any more.

    One that its server answers later goes on, unless it is given up.
    """
    found = await _one(means, lost)
    handle = await under_way(means, found)
    goes_on = handle is not None or await means.ledger.read(rounds.is_asking, found)
    if found.state in FINAL or (goes_on and not lost.given_up):
        return outcome_of(found)
    result = _not_known(found, lost.reason) or _given_up(lost.reason)
    outcome = await finish(means, lost, Kept(result=result))
    return outcome if handle is None else replace(outcome, left=True)


async def under_way(means: Means, found: Call) -> Handle | None:
    """The task by which the server of this call answers it later; None where there is none, or it has ended."""
    if found.state is not CallState.SENT:
        return None
    handle = await means.ledger.read(handles.find, found.run_id, found.call_id)
    return None if handle is None or handle.ended_at is not None else handle


async def _open_ended(
    means: Means, found: Call, request: CallRequest, trial: Trial, handle: Handle | Asks | None
) -> CallOutcome:
    """Keep the handle, the first that came: from here on nobody makes the call again. Without one, see what became."""
    if isinstance(handle, Asks):
        return await _asking(means, found, request, trial, handle)
    if handle is None:
        return await _another_attempts(means, request, trial.number)
    await means.ledger.write(inputs.told, trial.wanted, means.now())
    if not request.call_id.endswith(calls.APPLIED):
        await means.ledger.write(handles.keep, handle)
        return outcome_of(await _one(means, request))
    # Ended from the beginning: if we die before the answer stands, the next attempt gives one.
    await means.ledger.write(handles.keep, replace(handle, ended_at=means.now()))
    return await finish(means, request, Kept(result=_words(CallState.DONE, UNFOLLOWED)))


async def _asking(
    means: Means, found: Call, request: CallRequest, trial: Trial, asks: Asks
) -> CallOutcome:
    """Let people be asked what its server wants first; the call is made once more when they have answered."""
    why = await rounds.begun(means, found, trial, asks)
    if why is not None and asks.answered is not None:
        return await finish(means, request, rounds.made_do(kept_of(asks.answered)))
    if why is not None:
        return await finish(means, request, Kept(result=_words(CallState.FAILED, why)))
    return await _another_attempts(means, request, trial.number)


def answer_words(state: CallState, text: str) -> Result:
    """An answer in words: an error, except where the state says that all is well."""
    return _words(state, text)


def unknown(reason: str) -> Result:
    """Nobody knows whether it happened."""
    return _words(CallState.UNKNOWN, UNKNOWN.format(reason=reason))


async def _sent(
    means: Means, found: Call, request: CallRequest, trial: Trial
) -> Kept | Handle | Asks | None:
    run_id, call_id = request.run_id, request.call_id
    timeout = bounds_of(means.configuration().servers.get(found.server), found.tool).timeout

    async def just_before_the_bytes_leave() -> bool:
        now = means.now()
        return await means.ledger.write(
            calls.send, run_id, call_id, trial.number, now, now + (timeout or request.deadline)
        )

    outcome = await means.hands.call(
        found.server,
        found.tool,
        found.arguments,
        deadline=timeout or request.deadline,
        key=f"{run_id}/{call_id}",
        before_send=just_before_the_bytes_leave,
        progress=None,
        responses=trial.responses,
    )
    policy = await means.ledger.read(policy_of, run_id)
    match outcome:
        case Answered():
            return kept_of(answer_shown(outcome, policy))
        case Begun():
            return _handle(found, outcome, means.now())
        case Asks():
            return _asks(found, outcome, policy)
        case NotSent(reason=reason, held=held):
            return await _unsent(means, request, trial, shown(reason, policy), held=held)
        case Lost(reason=reason):
            return _lost(found, shown(reason, policy), trial.nth)
        case _:
            assert_never(outcome)


def _asks(found: Call, asks: Asks, policy: TextPolicy) -> Kept | Asks:
    """What the server asks; its answer, where it gave one and the call may not be made again."""
    if asks.answered is None:
        return asks
    answered = answer_shown(asks.answered, policy)
    if found.effect is Effect.WRITE_ONCE:
        return rounds.made_do(kept_of(answered))
    return replace(asks, answered=answered)


async def _unsent(
    means: Means, request: CallRequest, trial: Trial, reason: str, *, held: bool
) -> Kept | None:
    found = await _one(means, request)
    if found.attempt != trial.number:
        return None
    if found.effect is Effect.WRITE and trial.nth > 1 and found.sent_at is not None:
        # This attempt did not leave, but an earlier one may have.
        return Kept(result=unknown(reason))
    away = f"The server {found.server!r} could not be reached, so nothing was done"
    text = f"{'Nothing was sent: a limit held it' if held else away}: {reason}"
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
        if found.state in ASIDE or await under_way(means, found) is not None:
            return outcome_of(found)
        if found.attempt > attempt:
            raise TryAgain("a later attempt has this call")
        if found.deadline_at is None or means.now() > found.deadline_at + MARGIN:
            lost = Settle(run_id=request.run_id, call_id=request.call_id)
            return await settle_lost(means, lost)
        await asyncio.sleep(LOOK_EVERY)


async def finish(means: Means, request: About, kept: Kept) -> CallOutcome:
    """Write down how a call ended, and what it ended with; the first end stays."""
    await means.ledger.write(_keep, request, kept, means.now())
    return outcome_of(await _one(means, request))


def _keep(connection: Transaction, request: About, kept: Kept, at: float) -> None:
    result = _with_changes(connection, request, kept.result)
    result = with_advice(connection, request.run_id, request.call_id, result)
    result = _with_people(connection, request, result)
    inputs.close_call(connection, request.run_id, request.call_id, at)
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


def _with_changes(connection: Transaction, request: About, result: Result) -> Result:
    """The same result, behind a word on what a person changed of the call; nothing where nobody did."""
    approval = approvals.of_call(connection, request.run_id, request.call_id)
    if approval is None or approval.before is None:
        return result
    made = calls.one(connection, request.run_id, request.call_id)
    words = {"type": "text", "text": changed(approval, made.arguments)}
    return replace(result, content=[words, *result.content])


def _with_people(connection: Transaction, request: About, result: Result) -> Result:
    """The same result, behind a word on what people said to its server; nothing where it asked nobody."""
    told = eliciting.told_of(connection, request.run_id, request.call_id)
    words = [{"type": "text", "text": one} for one in told]
    return replace(result, content=[*words, *result.content])


def kept_of(outcome: Answered) -> Kept:
    """A server's answer, on its way into the ledger."""
    state = CallState.FAILED if outcome.is_error else CallState.DONE
    content: Sequence[Mapping[str, Any]] = outcome.content
    result = Result(state=state, content=content, is_error=outcome.is_error)
    return Kept(result=result, full=outcome.full, media_type=outcome.full_media_type)


def poll_of(named: float | None) -> float:
    """Seconds between two looks at a task, as its server wants it."""
    return min(max(POLL if named is None else named, SHORTEST_POLL), LONGEST_POLL)


def _handle(found: Call, begun: Begun, at: float) -> Handle:
    poll = poll_of(begun.poll)
    return Handle(
        run_id=found.run_id,
        call_id=found.call_id,
        server=found.server,
        task_id=begun.task_id,
        document=begun.document,
        opened_at=at,
        ttl=begun.ttl,
        poll=poll,
        looks=0,
        look_at=at + poll,
        status=begun.status,
        said=begun.said,
    )


def _words(state: CallState, text: str) -> Result:
    good = state in {CallState.DONE, CallState.PROPOSED}
    return Result(state=state, content=[{"type": "text", "text": text}], is_error=not good)


async def _one(means: Means, request: About) -> Call:
    return await means.ledger.read(calls.one, request.run_id, request.call_id)


def outcome_of(found: Call) -> CallOutcome:
    """How a call stands, for its run."""
    return CallOutcome(call_id=found.call_id, state=found.state, size=found.size)
