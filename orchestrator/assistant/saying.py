"""The tools with which an assistant says something: each records a word of the token's holder, and may be refused."""

from typing import Annotated, Any, Literal

from mcp.server import MCPServer
from mcp.server.mcpserver import Context
from mcp.types import ToolAnnotations
from pydantic import Field

from orchestrator.assistant.answering import Answering
from orchestrator.assistant.asking import Code, EventId, Maybe, Name, RunId
from orchestrator.console.questions import Word
from orchestrator.dispatch.retrying import RETRY
from orchestrator.dispatch.starting import START

ENDS = ToolAnnotations(
    read_only_hint=False, destructive_hint=True, idempotent_hint=True, open_world_hint=False
)
"""It takes something away, and twice does nothing more."""

HOLDS = ToolAnnotations(
    read_only_hint=False, destructive_hint=False, idempotent_hint=True, open_world_hint=False
)
"""What it does can be undone, and twice does nothing more."""

ACTS = ToolAnnotations(
    read_only_hint=False, destructive_hint=True, idempotent_hint=False, open_world_hint=True
)
"""An agent goes to work on it, and may write to the world."""

Inputs = Annotated[dict[str, Any], Field(description="The playbook's inputs, by name.")]


def add_run_words(server: MCPServer[Any], answering: Answering) -> None:
    """Words to runs."""

    async def cancel_run(ctx: Context, run: RunId) -> str:
        """End a run that is still open."""
        return await answering.say(ctx, Word(kind="run.cancel", named=run))

    async def resume_run(ctx: Context, run: RunId) -> str:
        """Let a parked run go on, under the limits in force now."""
        return await answering.say(ctx, Word(kind="run.resume", named=run))

    async def apply_run(ctx: Context, run: RunId) -> str:
        """Make the writes that a preview proposed, exactly."""
        return await answering.say(ctx, Word(kind="run.apply", named=run))

    async def retry_run(
        ctx: Context,
        run: RunId,
        again: Annotated[bool, Field(description="Also when it may have written before.")] = False,  # noqa: FBT002 - a tool's arguments have names
    ) -> str:
        """Run once more what an ended run was opened for."""
        return await answering.say(ctx, Word(kind=RETRY, named=run, more={"again": again}))

    async def start_run(
        ctx: Context,
        playbook: Name,
        inputs: Inputs,
        key: Annotated[Maybe, Field(description="What it is about, such as issue:7")] = None,
        stage: Literal["preview", "live"] = "preview",
    ) -> str:
        """Start a run of a playbook by hand; a preview only proposes its writes."""
        about = {} if key is None else {"key": key}
        more = {"with": inputs, "stage": stage, **about}
        return await answering.say(ctx, Word(kind=START, named=playbook, more=more))

    server.add_tool(cancel_run, annotations=ENDS, structured_output=False)
    for tool in (resume_run, apply_run, retry_run, start_run):
        server.add_tool(tool, annotations=ACTS, structured_output=False)


def add_rule_words(server: MCPServer[Any], answering: Answering) -> None:
    """Words about events and rules."""

    async def redeliver_event(ctx: Context, event: EventId) -> str:
        """Have the rules of today decide anew about an event; what matches acts again."""
        return await answering.say(ctx, Word(kind="event.redeliver", named=event))

    async def pause_rule(ctx: Context, rule: Name) -> str:
        """Hold a rule: what comes waits, its runs at work begin no further turn or call. Nothing is dropped."""
        return await answering.say(ctx, Word(kind="rule.pause", named=rule))

    async def unpause_rule(ctx: Context, rule: Name) -> str:
        """Go on with a rule: what waits is delivered in its order, its runs go on."""
        return await answering.say(ctx, Word(kind="rule.unpause", named=rule))

    server.add_tool(redeliver_event, annotations=ACTS, structured_output=False)
    server.add_tool(pause_rule, annotations=HOLDS, structured_output=False)
    server.add_tool(unpause_rule, annotations=ACTS, structured_output=False)


def add_answers(server: MCPServer[Any], answering: Answering) -> None:
    """A person's yes, no or answer: only for a token with the scope `approve`."""

    async def approve(
        ctx: Context,
        code: Code,
        args: Annotated[
            dict[str, Any] | None, Field(description="Arguments that are to be others.")
        ] = None,
    ) -> str:
        """Consent to the call that a code asks about: to exactly that, once. Only on a person's explicit word."""
        more = {"args": args} if args else {}
        return await answering.say(ctx, Word(kind="run.approve", named=code, more=more))

    async def deny(
        ctx: Context, code: Code, why: Annotated[str, Field(max_length=500)] = ""
    ) -> str:
        """Refuse what a code asks for; the run's agent is told why."""
        more = {"why": why} if why else {}
        return await answering.say(ctx, Word(kind="run.deny", named=code, more=more))

    async def answer(ctx: Context, code: Code, answer: Any) -> str:
        """Answer the question that a code asks. Only with a person's own answer."""
        return await answering.say(
            ctx, Word(kind="run.answer", named=code, more={"answer": answer})
        )

    server.add_tool(approve, annotations=ACTS, structured_output=False)
    server.add_tool(deny, annotations=ENDS, structured_output=False)
    server.add_tool(answer, annotations=ACTS, structured_output=False)
