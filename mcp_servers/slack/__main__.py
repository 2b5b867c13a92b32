"""`python -m mcp_servers.slack`: stdio, or Streamable HTTP at /mcp; the only reader of the environment here.

`SLACK_BOT_TOKEN` is the token (xoxb-…, with chat:write, and channels:history to find a question again), `SLACK_API_URL`
the API's address, `SLACK_SIGNING_SECRETS` what Slack signs with where it calls /webhooks/slack itself.
"""

import os
import sys
from collections.abc import Sequence

from mcp_servers.slack.server import DEFAULT_URL, build
from mcp_servers.slack.showing import shown
from mcp_servers.slack.told import by_slack, callback
from mcp_servers.tasks.mailroom import Door, Mailroom
from mcp_servers.tasks.serving import (
    Unusable,
    desk_of,
    exit_with,
    flags_of,
    serve,
    settings_of,
    words_of,
)

OPTIONS = "SLACK_BOT_TOKEN, SLACK_API_URL, SLACK_SIGNING_SECRETS (for /webhooks/slack)"


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until the client or a signal ends it; the exit code."""
    given = flags_of("slack", "An MCP server for Slack", OPTIONS).parse_args(arguments)
    environment = os.environ  # noqa: TID251 - hands run alone, so this is their own settings module
    try:
        settings = settings_of("slack", environment)
        own = words_of(environment, "SLACK_SIGNING_SECRETS")
        desk = desk_of(settings, *own)
    except Unusable as error:
        return exit_with(error)
    url = environment.get("SLACK_API_URL", "").strip() or DEFAULT_URL
    server = build(url, environment.get("SLACK_BOT_TOKEN", "").strip() or None, desk)
    door = Door(path="/webhooks/slack", secrets=own, read=by_slack)
    room = Mailroom(desk=desk, route=callback, follow=shown)
    serve(server, room, settings, given, door)
    return 0


if __name__ == "__main__":
    sys.exit(main())
