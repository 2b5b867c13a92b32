"""The task tools that the official conformance suite looks for, on our own tasks library.

Their work is done by this process itself; everything else about them is the library's.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from mcp.server.mcpserver import Context
from mcp.server.mcpserver.exceptions import ToolError
from mcp.types import ElicitRequest, ElicitRequestFormParams, ElicitResult, InputRequiredResult

from mcp_servers.tasks.desk import Asked, Desk, Opening, answering
from mcp_servers.tasks.states import Ending, Failed
from mcp_servers.tasks.store import token_key
from mcp_servers.tasks.wire import said

INTERNAL_ERROR = -32603
REQUIRED = frozenset({"failing_job", "test_tool_with_task"})

Work = Callable[[str], Awaitable[Ending]]
"""What goes on behind a task, given the task's id."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Workshop:
    """Does the work of tasks in the background."""

    desk: Desk
    going: dict[str, "asyncio.Task[None]"] = field(default_factory=dict)

    async def later(self, work: Work) -> str:
        """Answer the running tool by a task that this work ends, or by the work itself."""
        call = answering.get()
        if call is None or not call.takes_tasks:
            return _at_once(await work(""))

        async def ask(opening: Opening) -> Asked:
            return Asked(keys=[token_key(opening.token)], answer="")

        await self.desk.call(ask)
        assert call.task is not None
        id_ = call.task.id
        self.going[id_] = asyncio.create_task(self._ended(id_, work))
        return ""

    async def call_off(self, task, _found) -> None:
        """Stop the work behind a task."""
        if (going := self.going.pop(task.id, None)) is not None:
            going.cancel()

    async def _ended(self, id_: str, work: Work) -> None:
        await self.desk.move(id_, await work(id_))
        self.going.pop(id_, None)


def _at_once(end: Ending) -> str:
    match end:
        case Failed(message=message):
            raise ToolError(message)
        case _:
            return str(end.result["content"][0]["text"])


def greet(name: str) -> str:
    """Greet, at once."""
    return f"Hello, {name}!"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tools:
    """The tools whose work goes on after the call."""

    workshop: Workshop

    def all(self):
        """Every one of them, and the one that is done at once."""
        tasks = (self.slow_compute, self.failing_job, self.protocol_error_job, self.confirm_delete)
        return (greet, *tasks, self.multi_input, self.test_tool_with_task)

    async def slow_compute(self, seconds: float, label: str = "") -> str:
        """Compute for some seconds."""

        async def work(_id):
            await asyncio.sleep(seconds)
            return said(f"computed {label} for {seconds} s")

        return await self.workshop.later(work)

    async def failing_job(self) -> str:
        """Fail as a tool fails, after a second."""

        async def work(_id):
            await asyncio.sleep(1)
            return said("the job failed", is_error=True)

        return await self.workshop.later(work)

    async def protocol_error_job(self) -> str:
        """Fail as a protocol fails."""

        async def work(_id):
            await asyncio.sleep(0.2)
            return Failed(code=INTERNAL_ERROR, message="the job panicked")

        return await self.workshop.later(work)

    async def confirm_delete(self, filename: str) -> str:
        """Delete a file once it is confirmed."""

        async def work(id_):
            request = {"confirm": _question(f"Delete {filename}?", "confirm", "boolean")}
            got = await self.workshop.desk.elicit(id_, request)
            return said(f"{filename}: {got['confirm'].get('action')}")

        return await self.workshop.later(work)

    async def multi_input(self) -> str:
        """Ask two things at once."""

        async def work(id_):
            name = _question("Your name?", "name", "string")
            color = _question("Your colour?", "color", "string")
            got = await self.workshop.desk.elicit(id_, {"name": name, "color": color})
            return said(f"got {sorted(got)}")

        return await self.workshop.later(work)

    async def test_tool_with_task(self, ctx: Context) -> str | InputRequiredResult:
        """Ask for a name, then go on as a task."""
        given = (ctx.input_responses or {}).get("user_name")
        if not isinstance(given, ElicitResult) or given.content is None:
            asked = ElicitRequest(params=name_form())
            return InputRequiredResult(input_requests={"user_name": asked})
        name = given.content["name"]

        async def work(_id):
            await asyncio.sleep(0.2)
            return said(f"Hello, {name}!")

        return await self.workshop.later(work)


def name_form() -> ElicitRequestFormParams:
    """The form that asks for a name."""
    schema = {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]}
    return ElicitRequestFormParams(message="What is your name?", requested_schema=schema)


def _question(message, name, kind):
    schema = {"type": "object", "properties": {name: {"type": kind}}, "required": [name]}
    params = {"mode": "form", "message": message, "requestedSchema": schema}
    return {"method": "elicitation/create", "params": params}
