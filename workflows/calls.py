"""How a run calls the outside: time-outs, retries and names of every activity; it decides nothing.

Tool calls are attempted again after a lost worker, and that is safe: the implementation compares-and-sets the
call's row to `sent` just before the bytes leave, so a second attempt sees what the first one did (promise A2).
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, TypeVar

from temporalio import workflow
from temporalio.common import RetryPolicy
from temporalio.exceptions import ActivityError, ApplicationError, is_cancelled_exception
from temporalio.exceptions import TimeoutError as NoAnswer

from workflows.activities import PERSON, Outside
from workflows.approvals import Asked, Asking, Heeded, Standing
from workflows.looks import Look
from workflows.messages import (
    Answer,
    CallOutcome,
    CallRequest,
    CallState,
    Proposals,
    Settle,
    ToolCall,
    ToolCard,
    WaitRequest,
)
from workflows.policy import AskPerson, Finish, Propose, Refuse, Send, Verdict, WaitFor

P = TypeVar("P")
R = TypeVar("R")
Signature = Callable[[Any, P], Awaitable[R]]


@dataclass(frozen=True, slots=True)
class Patience:
    """How long one attempt may take, how many there may be, and after what silence a worker counts as lost.

    There is no bound on all of them together: a time without any worker must not park a healthy run.
    """

    attempt: timedelta
    attempts: int
    silence: timedelta = timedelta(seconds=10)


MODEL = Patience(timedelta(minutes=15), 60)
OPENING = Patience(timedelta(minutes=2), 6)
TOOL = Patience(timedelta(minutes=7), 5)
"""Its turn, the connection and the longest call that servers.yaml allows are one attempt."""
FAREWELL = Patience(timedelta(minutes=1), 3)
LEDGER = timedelta(seconds=30)
LOSING = 3600.0
"""Seconds for which what can be done again is begun again while nothing is wrong but that its workers are lost."""
PAUSE = 60.0
"""Seconds between the last attempt that was lost and the next beginning."""

ASK_AGAIN = 2.0
ASK_AGAIN_AT_LAST = 15.0
"""Seconds after which a conversation that may not begin yet asks again, at first and later."""


def begun(
    signature: Signature[P, R], request: P, summary: str, patience: Patience
) -> workflow.ActivityHandle[R]:
    """Begin one activity that reaches beyond our own databases."""
    handle: workflow.ActivityHandle[R] = workflow.start_activity_method(
        signature,
        request,
        start_to_close_timeout=patience.attempt,
        heartbeat_timeout=patience.silence,
        retry_policy=_retries(patience),
        cancellation_type=workflow.ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
        summary=summary,
    )
    return handle


async def local(signature: Signature[P, R], request: P, summary: str) -> R:
    """Run one small activity on our own databases; it is repeated until they answer."""
    result: R = await workflow.execute_local_activity_method(
        signature,
        request,
        start_to_close_timeout=LEDGER,
        retry_policy=RetryPolicy(
            initial_interval=timedelta(milliseconds=200), maximum_interval=timedelta(seconds=10)
        ),
        summary=summary,
    )
    return result


async def any_of(condition: Callable[[], bool], timeout: float, summary: str) -> bool:
    """Park until the condition holds; False when `timeout` seconds passed first."""
    try:
        await workflow.wait_condition(
            condition, timeout=timedelta(seconds=timeout), timeout_summary=summary
        )
    except TimeoutError:
        return False
    return True


def carry_out(
    run_id: str, verdicts: Sequence[Verdict], first: int, made: Collection[str] = ()
) -> list["asyncio.Task[CallOutcome]"]:
    """Begin all verdicts but those that wait for somebody, in parallel; they stand in the order of the calls.

    Those whose calls are `made` have begun before.
    """
    return [
        asyncio.create_task(_one(run_id, verdict, first + number))
        for number, verdict in enumerate(verdicts)
        if not isinstance(verdict, WaitFor | AskPerson) and verdict.call.call_id not in made
    ]


def ended(work: Iterable["asyncio.Task[CallOutcome]"]) -> tuple[list[CallOutcome], list[str]]:
    """The outcomes of these that have ended, and why the others are held until a person has looked."""
    outcomes, reasons = list[CallOutcome](), list[str]()
    for one in work:
        error = one.exception()
        if isinstance(error, ActivityError) and is_held(error):
            reasons.append(reason(error))
        else:
            outcomes.append(one.result())
    return outcomes, list(dict.fromkeys(reasons))


def seconds(outcomes: Iterable[CallOutcome]) -> float | None:
    """For how long these were worked on, the waits for a worker left out; None where nobody measured that."""
    known = [one.seconds for one in outcomes if one.seconds is not None]
    return sum(known) if known else None


async def stop(work: Sequence["asyncio.Future[Any]"]) -> bool:
    """Cancel what is still under way and wait until all of it has ended; whether there was any."""
    left = [one for one in work if not one.done()]
    for one in left:
        one.cancel()
    # To its end: what goes on unseen could still write after the run has said that it is over.
    await asyncio.gather(*left, return_exceptions=True)
    return bool(left)


async def give_up(run_id: str, calls: Iterable[ToolCall], reason: str) -> list[CallOutcome]:
    """Answer every one of these calls by what is known of it; what has ended before stays as it ended."""
    return [await _given_up(run_id, call, reason) for call in calls]


async def _given_up(run_id: str, call: ToolCall, reason: str) -> CallOutcome:
    settle = Settle(run_id=run_id, call_id=call.call_id, reason=reason, given_up=True)
    outcome = await local(Outside.settle_lost, settle, f"given up: {call.alias}")
    if outcome.left:
        calling_off = begun(
            Outside.call_off,
            Look(run_id=run_id, call_id=call.call_id),
            f"call off: {call.alias}",
            FAREWELL,
        )
        # A server that can't be told goes on; its run doesn't wait for that.
        with suppress(ActivityError):
            await calling_off
    return outcome


async def apply(run_id: str, proposals: Proposals) -> None:
    """Make the calls that a preview recorded, exactly, one after the other; nobody waits where people are asked."""
    cards = {card.alias: card for card in proposals.tools}
    for number, call in enumerate(proposals.calls, start=1):
        if call.approve:
            asking = Asking(run_id=run_id, call_id=call.call_id)
            asked = await local(Outside.ask_person, asking, f"ask: {call.alias}")
            if asked.standing is not Standing.APPROVED:
                continue
        tried = proposals.tried.get(call.call_id, 0)
        await _applied(run_id, call, cards[call.alias], number, tried)


async def consented(run_id: str, heeded: Heeded) -> None:
    """Make the call that somebody consented to, where no conversation waits for it."""
    if heeded.call is not None and heeded.card is not None:
        await _applied(run_id, heeded.call, heeded.card, 1)


def standing(asked: Asked, now: Standing) -> Asked:
    """The same request, as it stands now."""
    return replace(asked, standing=now)


async def _one(run_id: str, verdict: Verdict, number: int) -> CallOutcome:
    match verdict:
        case Send(call, card):
            if card.callback:
                # Before the bytes leave, so that its event is found however early it comes.
                expected = WaitRequest(run_id=run_id, call_id=call.call_id)
                await local(Outside.expect, expected, f"callback: {call.alias}")
            return await _send(run_id, call, card, number)
        case Propose(call, _):
            request = CallRequest(run_id=run_id, call_id=call.call_id)
            return await local(Outside.propose, request, f"proposal: {call.alias}")
        case Refuse(call, text, denied=denied, why=why):
            state = CallState.DENIED if denied else CallState.REFUSED
            answer = Answer(run_id=run_id, call_id=call.call_id, state=state, text=text, why=why)
            return await local(Outside.answer, answer, f"{state}: {call.alias}")
        case Finish(call):
            text = "The conversation ends here."
            answer = Answer(run_id=run_id, call_id=call.call_id, state=CallState.DONE, text=text)
            return await local(Outside.answer, answer, "finish")
        case WaitFor(call) | AskPerson(call, _):
            return CallOutcome(call_id=call.call_id, state=CallState.INTENDED)


async def _applied(
    run_id: str, call: ToolCall, card: ToolCard, number: int, tried: int = 0
) -> None:
    """Make a call for which no turn waits; the event that answers it is heard when it comes."""
    # Asked in this order: only histories with such a call know the difference.
    heard = card.callback and workflow.patched("applied calls hear their event")
    request = WaitRequest(run_id=run_id, call_id=call.call_id)
    if heard:
        await local(Outside.expect, request, f"callback: {call.alias}")
    try:
        await _send(run_id, call, card, number, tried)
    except ActivityError as error:
        if is_held(error):
            # It stays as it is, with the difference beside it: applied again, it is made once somebody has looked.
            return
        raise
    if heard:
        await local(Outside.open_wait, request, f"wait: {call.alias}")


async def _send(
    run_id: str, call: ToolCall, card: ToolCard, number: int, tried: int = 0
) -> CallOutcome:
    request = CallRequest(run_id=run_id, call_id=call.call_id, after=tried)
    name = f"{card.server}.{card.name}"
    try:
        outcome: CallOutcome = await workflow.execute_activity(
            name,
            request,
            result_type=CallOutcome,
            start_to_close_timeout=TOOL.attempt,
            heartbeat_timeout=TOOL.silence,
            retry_policy=_retries(TOOL),
            cancellation_type=workflow.ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
            summary=f"{name} #{number}",
        )
    except ActivityError as error:
        if is_cancelled_exception(error) or is_held(error):
            raise
        # No attempt came back; what the ledger saw of the last one is all that can be known.
        lost = Settle(run_id=run_id, call_id=call.call_id)
        outcome = await local(Outside.settle_lost, lost, f"lost: {name} #{number}")
    return outcome


def is_held(error: ActivityError) -> bool:
    """Whether a person must look first: nothing was sent, and the call has no answer yet."""
    return isinstance(error.cause, ApplicationError) and error.cause.type == PERSON


def is_lost(error: ActivityError) -> bool:
    """Whether nothing is known of the last attempt but that nobody heard from it: that is nobody's mistake."""
    return isinstance(error.cause, NoAnswer)


def reason(error: ActivityError) -> str:
    """Why an activity failed, for whoever must mend it."""
    cause = error.cause
    if isinstance(cause, ApplicationError) and cause.type == PERSON:
        return cause.message
    if is_lost(error):
        return f"{error.activity_type}: its workers were lost again and again ({cause}); resume it when they live"
    return f"{error.activity_type} failed: {cause}"


def _retries(patience: Patience) -> RetryPolicy:
    return RetryPolicy(
        initial_interval=timedelta(seconds=1),
        maximum_interval=timedelta(minutes=1),
        maximum_attempts=patience.attempts,
    )
