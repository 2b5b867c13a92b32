"""The last look before a call leaves: had people to consent to it, and did they, to exactly this; it asks nobody."""

from collections.abc import Collection, Sequence
from typing import Final

from orchestrator.agent.conversation.frozen import Frozen
from orchestrator.agent.conversation.opening import frozen_of, is_open
from orchestrator.agent.means import Means, event
from orchestrator.agent.tools import consent
from orchestrator.agent.tools.toolset import Tool
from orchestrator.configuration.configuration import Configuration
from orchestrator.configuration.people import ANYBODY, Speaker, speaker
from orchestrator.errors import PersonError, SenderError
from orchestrator.ledger import approvals
from orchestrator.ledger.approvals import Approval
from orchestrator.ledger.calls import Call
from orchestrator.ledger.conversations import Conversation
from workflows.approvals import Standing
from workflows.playbook import Approve

DEFAULT: Final = Approve(by=(ANYBODY,), ttl=72 * 3600.0)
"""Who is asked where the policy that asked is gone meanwhile."""


async def unconsented(means: Means, call: Call) -> str | None:
    """Why the call may not be made without somebody's consent, in words; None when it may."""
    if not await is_open(means, call.run_id):
        return None
    conversation, frozen = await frozen_of(means, call.run_id)
    tool = next((one for one in frozen.tools if one.alias == call.alias), None)
    if tool is None:
        return None
    configuration = means.configuration()
    live = configuration.playbooks.get(conversation.playbook)
    approval = await means.ledger.read(approvals.of_call, call.run_id, call.call_id)
    if approval is not None:
        asking = [one.by for one in consent.asking(tool, live, call.arguments)]
        return _other(configuration, tool, call, approval) or await _outranked(
            means, approval, asking
        )
    if consent.wanted(tool, live, call.arguments) is None:
        return None
    return (
        f"A person must consent to calls of {call.server}.{call.tool} now, and nobody was asked about this one:"
        " nothing was done. Call it again, if it is still needed."
    )


def policy_for(means: Means, conversation: Conversation, frozen: Frozen, call: Call) -> Approve:
    """Who decides about a call, under the stricter of its pinned policy and the one in force; else `DEFAULT`."""
    tool = next((one for one in frozen.tools if one.alias == call.alias), None)
    live = means.configuration().playbooks.get(conversation.playbook)
    found = None if tool is None else consent.wanted(tool, live, call.arguments)
    return found or (tool and tool.approve) or DEFAULT


async def _outranked(
    means: Means, approval: Approval, asking: Sequence[Collection[str]]
) -> str | None:
    """Why the consent isn't enough for what asks about the call by now: a policy that is stricter than it was then."""
    beyond = [by for by in asking if not consent.within(approval.by, by)]
    who = await _who(means, approval) if beyond else None
    wanting = [by for by in beyond if who is None or not consent.may_answer(who, by)]
    if not wanting:
        return None
    return (
        f"{approval.person} consented to this call, and by now it wants {' or '.join(wanting[0])}: nothing was done."
        " Call it again, so that they are asked."
    )


async def _who(means: Means, approval: Approval) -> Speaker | None:
    try:
        _, happened = await event(means, approval.event_id or "")
    except (PersonError, SenderError):
        return None
    return speaker(happened, means.configuration().people)


def _other(configuration: Configuration, tool: Tool, call: Call, approval: Approval) -> str | None:
    """Why what was consented to isn't what would be done."""
    if approval.standing is not Standing.APPROVED:
        return f"Nobody has consented to this call: it is {approval.standing}. Nothing was done."
    server = configuration.servers.get(call.server)
    if consent.digest(tool, server, call, call.arguments) == approval.digest:
        return None
    return (
        "What was consented to isn't what would be done now: the server is configured otherwise than it was."
        " Nothing was done. Call it again, so that a person can look at it as it is now."
    )
