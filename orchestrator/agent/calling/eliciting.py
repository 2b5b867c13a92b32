"""What servers want of people in the middle of a call: each asked once, as a question of the run's own.

    wanted --> a question that people answer as every other --> the response that goes back to the server

A response follows from what stands in the ledger, so it is the same whoever works it out. It sends nothing.
"""

from collections.abc import Collection, Mapping
from typing import Any, Final

from orchestrator.agent.calling import consented
from orchestrator.agent.conversation.opening import frozen_of
from orchestrator.agent.conversation.showing import policy_of
from orchestrator.agent.means import Means
from orchestrator.agent.text.screening import secret_in
from orchestrator.agent.tools import consent, elicited
from orchestrator.agent.tools.elicited import Foreign, Form, Reading, Unfit
from orchestrator.configuration.people import unmatched
from orchestrator.database import Transaction
from orchestrator.ledger import approvals, calls, conversations, inputs
from orchestrator.ledger.approvals import Approval
from orchestrator.ledger.calls import Call, Intent
from orchestrator.ledger.inputs import Input
from orchestrator.telemetry.words import Approving
from workflows.approvals import Standing
from workflows.asks import Question
from workflows.own_tools import ASK, BUILTIN
from workflows.playbook import Approve, Effect, OnTimeout

SERVERS: Final = 7 * 86_400.0
"""Seconds for which a server's question stands open, where the policy of its tool doesn't say."""
MOST: Final = 10
"""Questions of one round; of more, none is asked."""
LONGEST_KEY: Final = 200
TOO_MANY: Final = f"it asks more than {MOST} things at once, or under names that are too long"
SECRET: Final = "the answer carried a secret, and those go to nobody"  # noqa: S105 - says so

Read = Mapping[str, tuple[Mapping[str, Any], Reading]]
"""By key, a request and how it is read."""


async def read(means: Means, call: Call, requests: Mapping[str, Any]) -> Read:
    """What a server wants, each as a question or as why it is none."""
    policy = await means.ledger.read(policy_of, call.run_id)
    return {
        key: (
            request if isinstance(request, Mapping) else {},
            elicited.read(request, call.server, call.tool, policy),
        )
        for key, request in requests.items()
    }


def unanswerable(found: Read) -> str | None:
    """Why this can't be answered by people at all, in words; None when it can."""
    if len(found) > MOST or any(len(key) > LONGEST_KEY for key in found):
        return TOO_MANY
    foreign = [one.method for _, one in found.values() if isinstance(one, Foreign)]
    return f"it wants {shown_method(foreign[0])}, which nobody offered it" if foreign else None


def shown_method(method: str) -> str:
    """The name of a method, with nothing in it that isn't one."""
    return "".join(char for char in method if char.isalnum() or char in "/_-") or "something"


async def policy(means: Means, call: Call) -> tuple[Approve, str | None]:
    """Who may answer what the server of this call asks, and why nobody can: whoever consents to it, else anybody."""
    conversation, frozen = await frozen_of(means, call.run_id)
    found = consented.policy_for(means, conversation, frozen, call)
    if found is consented.DEFAULT:
        found = Approve(by=found.by, ttl=SERVERS)
    strangers = list(unmatched(found.by, means.configuration().people))
    return found, "; ".join(strangers) or None


def ask(
    connection: Transaction,
    call: Call,
    round_: int,
    found: Read,
    by: tuple[Approve, str | None],
    at: float,
) -> int:
    """Write down everything that is new, with the questions to people; how many those are."""
    known = {
        one.key
        for one in inputs.of_call(connection, call.run_id, call.call_id)
        if one.round == round_
    }
    new = {key: pair for key, pair in found.items() if key not in known}
    return sum(_asked(connection, call, round_, key, pair, by, at) for key, pair in new.items())


def _asked(
    connection: Transaction,
    call: Call,
    round_: int,
    key: str,
    pair: tuple[Mapping[str, Any], Reading],
    by: tuple[Approve, str | None],
    at: float,
) -> bool:
    request, reading = pair
    wanted = Input(
        run_id=call.run_id,
        call_id=call.call_id,
        round=round_,
        key=key,
        question_id=inputs.question_id(call.call_id, round_, key),
        request=request,
        refused=reading.why if isinstance(reading, Unfit) else by[1],
        answer=None,
        at=at,
    )
    inputs.want(connection, wanted)
    if wanted.refused is not None or not isinstance(reading, Form):
        return False
    _open(connection, wanted, reading, by[0], at)
    return True


def _open(connection: Transaction, wanted: Input, form: Form, by: Approve, at: float) -> None:
    """Ask people, as the model's own questions are asked; in the transaction that says that a server wants it."""
    arguments = {"question": form.question, "answer": dict(form.answer), "to": list(by.by)}
    intent = Intent(
        call_id=wanted.question_id,
        position=0,
        alias=ASK,
        server=BUILTIN,
        tool="ask",
        effect=Effect.READ,
        arguments=arguments,
    )
    calls.intend(connection, wanted.run_id, 0, intent, at)
    question = calls.one(connection, wanted.run_id, wanted.question_id)
    digest = consent.digest(None, None, question, arguments)
    approval_id, code = approvals.named(wanted.run_id, wanted.question_id, 1, digest)
    approvals.open_request(
        connection,
        Approval(
            approval_id=approval_id,
            code=code,
            run_id=wanted.run_id,
            workflow_id=conversations.one(connection, wanted.run_id).workflow_id,
            call_id=wanted.question_id,
            number=1,
            tool="",
            digest=digest,
            by=by.by,
            on_timeout=OnTimeout.DENY,
            standing=Standing.OPEN,
            asked_at=at,
            expires_at=at + by.ttl,
        ),
    )


def counted(means: Means, asked: int) -> None:
    """Count questions that were asked."""
    for _ in range(asked):
        means.counts.approval(Approving.ASKED)


def questions(connection: Transaction, call: Call, at: float) -> tuple[Question, ...]:
    """What people are being asked for this call."""
    found = (inputs.request_about(connection, one) for one in _wanted(connection, call))
    return tuple(
        Question(
            approval_id=one.approval_id,
            wants=f"an answer by {' or '.join(one.by)} for {call.server}.{call.tool}, code {one.code}",
            seconds=max(one.expires_at - at, 0.0),
        )
        for one in found
        if one is not None and one.standing is Standing.OPEN
    )


def close_others(
    connection: Transaction, call: Call, still: Collection[str], round_: int, at: float
) -> None:
    """Close what the server no longer asks: all of this round but these keys."""
    for one in _wanted(connection, call):
        if one.round == round_ and one.key not in still:
            inputs.close(connection, one, at)


def responses(
    connection: Transaction, means: Means, call: Call, round_: int
) -> list[tuple[Input, dict[str, Any]]]:
    """What is known by now of what the server of this call wants, and hasn't been told it."""
    found = [one for one in _wanted(connection, call) if one.round == round_]
    known = ((one, _response(connection, means, one)) for one in found)
    return [(one, response) for one, response in known if response is not None]


def is_open(connection: Transaction, call: Call, round_: int) -> bool:
    """Whether anything of this round has no response yet."""
    return any(
        one.refused is None
        and (about := inputs.request_about(connection, one)) is not None
        and about.standing is Standing.OPEN
        for one in _wanted(connection, call)
        if one.round == round_
    )


def told_of(connection: Transaction, run_id: str, call_id: str) -> list[str]:
    """What the model is told of what people were asked for this call."""
    found = inputs.of_call(connection, run_id, call_id)
    return list(filter(None, (_told(connection, one) for one in found)))


def _wanted(connection: Transaction, call: Call) -> list[Input]:
    """What the server of this call wants of us now."""
    found = inputs.of_call(connection, call.run_id, call.call_id)
    return [one for one in found if one.told_at is None and one.closed_at is None]


def _response(connection: Transaction, means: Means, wanted: Input) -> dict[str, Any] | None:
    approval = inputs.request_about(connection, wanted)
    if approval is None:
        return {"action": elicited.DECLINE}
    match approval.standing:
        case Standing.OPEN:
            return None
        case Standing.ANSWERED:
            # Who answered may not have known it for a secret; and what is one may be so since today.
            if secret_in({"answer": wanted.answer}, means.redact()) is not None:
                return {"action": elicited.DECLINE}
            return elicited.response(wanted.request, wanted.answer)
        case Standing.DENIED:
            return {"action": elicited.DECLINE}
        case Standing.EXPIRED | Standing.CLOSED | Standing.APPROVED:
            return {"action": elicited.CANCEL}


def _told(connection: Transaction, wanted: Input) -> str | None:
    if wanted.refused is not None:
        return f"Its server asked people something that nobody was asked, because {wanted.refused}. It was declined."
    approval = inputs.request_about(connection, wanted)
    return None if approval is None else _settled(approval)


def _settled(approval: Approval) -> str | None:
    match approval.standing:
        case Standing.ANSWERED:
            return f"{approval.person} answered what its server asked in the middle of the call."
        case Standing.DENIED:
            return consent.denied(approval, f"{approval.person}", approval.why or "")
        case Standing.EXPIRED:
            return "Nobody answered in time what its server asked in the middle of the call."
        case Standing.CLOSED:
            return "Its server asked people something in the middle of the call, and then no longer wanted it."
        case Standing.OPEN | Standing.APPROVED:
            return None
