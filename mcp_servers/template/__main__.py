"""`python -m mcp_servers.template`: stdio, or Streamable HTTP at /mcp; the only reader of the environment here.

`SHOP_TOKEN` is the token, `SHOP_URL` the API's address.
"""

import os
import sys
from collections.abc import Sequence

from mcp_servers.tasks.mailroom import Mailroom
from mcp_servers.tasks.serving import Unusable, desk_of, exit_with, flags_of, serve, settings_of
from mcp_servers.template.server import build, callback


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until the client or a signal ends it; the exit code."""
    flags = flags_of("template", "An MCP server for a print shop", "SHOP_TOKEN, SHOP_URL")
    given = flags.parse_args(arguments)
    environment = os.environ  # noqa: TID251 - hands run alone, so this is their own settings module
    try:
        settings = settings_of("template", environment)
        desk = desk_of(settings)
    except Unusable as error:
        return exit_with(error)
    url = environment.get("SHOP_URL", "").strip() or "http://127.0.0.1:9090"
    server = build(url, environment.get("SHOP_TOKEN", "").strip() or None, desk)
    serve(server, Mailroom(desk=desk, route=callback), settings, given)
    return 0


if __name__ == "__main__":
    sys.exit(main())
