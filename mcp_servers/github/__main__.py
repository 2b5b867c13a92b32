"""`python -m mcp_servers.github`: stdio, or Streamable HTTP at /mcp; the only reader of the environment here.

`GITHUB_TOKEN` is the token, `GITHUB_API_URL` the API's address (https://api.github.com unless set). Where a secret
for callbacks is set, deployments and workflow runs are tasks: `CALLBACK_SECRETS` for what a doorbell forwards to
/callbacks, `GITHUB_WEBHOOK_SECRETS` where GitHub itself calls /webhooks/github.
"""

import os
import sys
from collections.abc import Sequence

from mcp_servers.github.api import DEFAULT_URL
from mcp_servers.github.server import build
from mcp_servers.github.told import by_github, callback
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

OPTIONS = "GITHUB_TOKEN, GITHUB_API_URL, GITHUB_WEBHOOK_SECRETS (for /webhooks/github)"


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until the client or a signal ends it; the exit code."""
    about = "An MCP server for GitHub issues, deployments and workflow runs"
    given = flags_of("github", about, OPTIONS).parse_args(arguments)
    environment = os.environ  # noqa: TID251 - hands run alone, so this is their own settings module
    try:
        settings = settings_of("github", environment)
        own = words_of(environment, "GITHUB_WEBHOOK_SECRETS")
        desk = desk_of(settings, *own)
    except Unusable as error:
        return exit_with(error)
    server = build(
        environment.get("GITHUB_API_URL", "").strip() or DEFAULT_URL,
        environment.get("GITHUB_TOKEN", "").strip() or None,
        desk,
    )
    door = Door(path="/webhooks/github", secrets=own, read=by_github)
    serve(server, Mailroom(desk=desk, route=callback), settings, given, door)
    return 0


if __name__ == "__main__":
    sys.exit(main())
