"""The tools with which an assistant asks; none of them changes anything."""

from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Annotated, Any

from mcp.server import MCPServer
from mcp.server.mcpserver import Context
from mcp.types import ToolAnnotations
from pydantic import Field

from orchestrator.assistant.answering import Answering
from orchestrator.console import questions as q
from orchestrator.inbox.sought import Stand
from workflows.messages import RunState

READS = ToolAnnotations(read_only_hint=True, open_world_hint=False)

Few = Annotated[int, Field(ge=1, le=100, description="How many at most, the newest first.")]
Name = Annotated[str, Field(min_length=1, max_length=200)]
EventId = Annotated[Name, Field(description="An event id, the beginning of one, or `last`.")]
RunId = Annotated[Name, Field(description="A run id, or the beginning of one.")]
Code = Annotated[Name, Field(description="The ten letters under which somebody is asked.")]
Maybe = Annotated[str | None, Field(max_length=200)]


def add_event_tools(server: MCPServer[Any], answering: Answering) -> None:
    """What came, and why it did or didn't start anything."""

    async def find_events(
        ctx: Context,
        source: Maybe = None,
        type_glob: Annotated[Maybe, Field(description="Such as issues.*")] = None,
        stand: Stand | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        limit: Few = 20,
    ) -> str:
        """Find webhook events that were kept, with what each rule decided about them."""
        asked = q.Events(
            source=source,
            type=type_glob,
            stand=stand,
            since=_utc(since),
            until=_utc(until),
            limit=limit,
        )
        return await answering.ask(ctx, asked)

    async def show_event(ctx: Context, event: EventId) -> str:
        """Show one event whole: decisions, runs, headers and the payload."""
        return await answering.ask(ctx, q.Event(event=event))

    async def why(ctx: Context, event: EventId) -> str:
        """Say for every rule why it did or did not act on an event: each condition, expected and actual."""
        return await answering.ask(ctx, q.Why(event=event))

    _add(server, find_events, show_event, why)


def add_run_tools(server: MCPServer[Any], answering: Answering) -> None:
    """What agents did, and what they ask people."""

    async def find_runs(
        ctx: Context,
        state: RunState | None = None,
        rule: Maybe = None,
        playbook: Maybe = None,
        key: Annotated[Maybe, Field(description="Such as issue:acme/api#7")] = None,
        limit: Few = 20,
    ) -> str:
        """Find agent runs: what each is about, its state or outcome, and how many writes it made."""
        asked = q.Runs(state=state, rule=rule, playbook=playbook, key=key, limit=limit)
        return await answering.ask(ctx, asked)

    async def show_run(ctx: Context, run: RunId) -> str:
        """Show one run: its tool calls, what it cost, and what it waits for."""
        return await answering.ask(ctx, q.Run(run=run))

    async def read_log(ctx: Context, run: RunId) -> str:
        """Read a run as a conversation: what it was told, said, called and heard back."""
        return await answering.ask(ctx, q.Log(run=run))

    async def find_approvals(
        ctx: Context,
        every: Annotated[bool, Field(description="Also those that are settled.")] = False,  # noqa: FBT002 - a tool's arguments have names
    ) -> str:
        """Find what runs ask people: for consent to a call, or for an answer."""
        return await answering.ask(ctx, q.Approvals(every=every))

    async def show_approval(ctx: Context, code: Code) -> str:
        """Show one request: every argument of its call, who may answer, and what people said."""
        return await answering.ask(ctx, q.Approval(code=code))

    _add(server, find_runs, show_run, read_log, find_approvals, show_approval)


def add_house_tools(server: MCPServer[Any], answering: Answering) -> None:
    """Rules, money, and how it stands."""

    async def list_rules(ctx: Context) -> str:
        """List the rules: which events they want, what they do, what waits for them, what is paused."""
        return await answering.ask(ctx, q.Rules())

    async def spend(
        ctx: Context, day: Annotated[date | None, Field(description="Today if left out.")] = None
    ) -> str:
        """Say what a day cost: by rule, playbook and actor, against its caps."""
        return await answering.ask(ctx, q.Spend(day=day))

    async def status(ctx: Context) -> str:
        """Say what is up and what is not, and what is broken in the configuration."""
        return await answering.ask(ctx, q.Status())

    _add(server, list_rules, spend, status)


def _add(server: MCPServer[Any], *tools: Callable[..., Any]) -> None:
    for tool in tools:
        server.add_tool(tool, annotations=READS, structured_output=False)


def _utc(at: datetime | None) -> datetime | None:
    return at if at is None or at.tzinfo is not None else at.replace(tzinfo=UTC)
