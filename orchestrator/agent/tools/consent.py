"""Which calls a person must consent to, what exactly they consent to, and who may: values in, words out.

A call is asked about when its pinned policy says so or the one in force now does; the stricter wins, and a condition
that can't be answered asks.
"""

import hashlib
import json
from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any, Final

from orchestrator.agent.tools.toolset import Tool
from orchestrator.configuration.people import ANYBODY, Speaker
from orchestrator.expressions import Expression, Values
from orchestrator.ledger.approvals import Approval
from orchestrator.ledger.calls import Call
from orchestrator.servers import HttpServer, Server, StdioServer
from workflows.playbook import Approve, Effect, Playbook

UNKNOWN_SERVER: Final = "not configured"


def wanted(tool: Tool, live: Playbook | None, arguments: Mapping[str, Any]) -> Approve | None:
    """Who must consent to a call with these full arguments; None where nobody must.

    Where both policies ask, the one in force says how, and the narrower of the two who, if one is.
    """
    found = asking(tool, live, arguments)
    if not found:
        return None
    narrower = (one.by for one in found if all(within(one.by, other.by) for other in found))
    return replace(found[0], by=next(narrower, found[0].by))


def asking(tool: Tool, live: Playbook | None, arguments: Mapping[str, Any]) -> tuple[Approve, ...]:
    """Every policy that asks about such a call, the one in force first: each must allow whoever consents."""
    name = f"{tool.server}.{tool.name}"
    now = None if live is None else live.consent_for(name, tool.effect)
    found = (one for one in (now, tool.approve) if one is not None)
    return tuple(one for one in found if asks(one, name, tool.effect, arguments))


def within(by: Collection[str], others: Collection[str]) -> bool:
    """Whether whoever is among the first is among the others too."""
    return ANYBODY in others or {*by} <= {*others}


def asks(approve: Approve, name: str, effect: Effect, arguments: Mapping[str, Any]) -> bool:
    """Whether a policy asks about this very call."""
    if not approve.when:
        return True
    holds, unanswered = Expression.of_calls(approve.when).holds(
        Values.of_call(arguments, name, str(effect))
    )
    return holds or bool(unanswered)


def digest(
    tool: Tool | None, server: Server | None, call: Call, arguments: Mapping[str, Any]
) -> str:
    """The name of exactly this call: its tool's definition, its server, its full arguments, its place in its run."""
    made_of = {
        "definition": None if tool is None else tool.definition,
        "bound": None if tool is None else tool.bound,
        "server": _identity(server),
        "tool": f"{call.server}.{call.tool}",
        "arguments": arguments,
        "run": call.run_id,
        "call": call.call_id,
    }
    text = json.dumps(made_of, sort_keys=True, ensure_ascii=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def may_answer(speaker: Speaker, by: Collection[str]) -> bool:
    """Whether somebody is among those who may."""
    return bool(speaker.names & {*by})


def denied(approval: Approval, person: str, why: str) -> str:
    """What the model is told of a no."""
    said = f" They say: {json.dumps(why, ensure_ascii=False)}." if why else ""
    what = "to answer" if not approval.tool else f"this call of {approval.tool}; it was not made"
    return f"{person} refused {what}.{said} Do not ask for the same again; go on without it."


def expired(approval: Approval) -> str:
    """What the model is told when nobody answered in time."""
    if not approval.tool:
        return "Nobody answered before the timeout. Decide what to do without an answer."
    return f"Nobody consented to this call of {approval.tool} in time, so it was not made. Go on without it."


def changed(approval: Approval, arguments: Mapping[str, Any]) -> str:
    """What the model is told of a call that was made with other arguments than it asked for."""
    before = approval.before or {}
    names = sorted({*before, *arguments})
    other = {name: arguments.get(name) for name in names if before.get(name) != arguments.get(name)}
    return f"{approval.person} consented with changes; the call was made with {json.dumps(other, ensure_ascii=False)}."


def _identity(server: Server | None) -> str:
    """How a server is reached, without what rotates: keys and environment."""
    match server:
        case HttpServer(url=url):
            return url
        case StdioServer(command=command, directory=directory):
            return json.dumps([*command, str(directory)])
        case None:
            return UNKNOWN_SERVER
