"""An MCP server that tells of tickets: `mcp-webhook-events`, not ours, and what SEP-3415 has beyond it.

async with tickets(tmp_path) as desk:
    desk.tell("T-1", "opened")              # an event, sent at once
    desk.word({"type": "gap", "cursor": "c9"})
"""

import json
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from mcp.server import MCPServer
from mcp.shared.exceptions import MCPError
from mcp_webhook_events import EventDefinition, McpEvents, SafeHttp
from standardwebhooks.webhooks import Webhook
from typing_extensions import override

from tests.support.asgi import serving

NAME = "ticket.updated"
TEXT = {"type": "string"}
DEFINITION = EventDefinition(
    name=NAME,
    description="A ticket was updated.",
    input_schema={"type": "object", "properties": {"project": TEXT}, "additionalProperties": False},
    payload_schema={"type": "object", "properties": {"ticket": TEXT, "project": TEXT}},
)


class _Resuming(McpEvents):
    """The library, with cursors, and with whatever an error a test wants."""

    desk: "Desk"

    @override
    def subscribe(self, principal: str, params: dict[str, Any]) -> dict[str, Any]:
        self.desk.asked.append(params)
        if self.desk.refuses:
            code, message, data = self.desk.refuses.pop(0)
            raise MCPError(code=code, message=message, data=data)
        made: dict[str, Any] = super().subscribe(principal, params)
        return {**made, **self.desk.answers}

    @override
    def unsubscribe(self, principal: str, params: dict[str, Any]) -> dict[str, Any]:
        self.desk.left.append(params)
        made: dict[str, Any] = super().unsubscribe(principal, params)
        return made


@dataclass(kw_only=True)
class Desk:
    """The server as a test uses it: what it was asked, what it shall answer, and what it tells."""

    events: McpEvents
    url: str = ""
    asked: list[dict[str, Any]] = field(default_factory=list)
    left: list[dict[str, Any]] = field(default_factory=list)
    refuses: list[tuple[int, str, Any]] = field(default_factory=list)
    answers: dict[str, Any] = field(default_factory=dict)

    def subscriptions(self) -> list[dict[str, Any]]:
        """Those that are alive."""
        found: list[dict[str, Any]] = self.events.active_subscriptions()
        return found

    def tell(self, ticket: str, project: str = "api", **more: Any) -> dict[str, int]:
        """Publish an event and deliver what is due; blocks."""
        self.events.publish(NAME, {"ticket": ticket, "project": project}, **more)
        done: dict[str, int] = self.events.deliver_pending()
        return done

    def word(self, body: Mapping[str, Any], message: str = "msg_1", which: int = 0) -> int:
        """Post anything, signed as a subscription's; the status. Blocks."""
        with self.events._db() as database:
            row = database.execute("SELECT * FROM subscriptions ORDER BY created_at").fetchall()[
                which
            ]
        return self.post(row["url"], body, row["secret"], row["id"], message)

    def post(
        self, url: str, body: Mapping[str, Any], secret: str, subscription: str, message: str
    ) -> int:
        """Post it under this secret. Blocks."""
        raw = json.dumps(body)
        at = datetime.fromtimestamp(int(time.time()), UTC)
        headers = {
            "Content-Type": "application/json",
            "webhook-id": message,
            "webhook-timestamp": str(int(at.timestamp())),
            "webhook-signature": Webhook(secret).sign(message, at, raw),
            "X-MCP-Subscription-Id": subscription,
        }
        status, _ = self.events.http.post(url, raw.encode(), headers)
        return int(status)

    def end(self) -> None:
        """Forget every subscription, as a server that was restarted without its memory."""
        with self.events._db() as database:
            database.execute("DELETE FROM subscriptions")


@asynccontextmanager
async def tickets(directory: Path, *, port: int = 0) -> AsyncIterator[Desk]:
    """The server over real HTTP; its subscriptions outlive it in the directory."""
    server = MCPServer("tickets")
    http = SafeHttp(allow_insecure_for_tests=True)
    events = _Resuming(server, str(directory / "events.sqlite3"), [DEFINITION], http=http)
    events.desk = desk = Desk(events=events)
    events.install()
    app = server.streamable_http_app(stateless_http=True, json_response=True)
    async with serving(app, port=port) as url:
        desk.url = f"{url}/mcp"
        yield desk
