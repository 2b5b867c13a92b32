"""`python -m mcp_servers.github`: stdio, or Streamable HTTP at /mcp; the only reader of the environment here.

`GITHUB_TOKEN` is the token, `GITHUB_API_URL` the API's address (https://api.github.com unless set).
"""

import argparse
import os
from collections.abc import Sequence

from mcp_servers.github.api import DEFAULT_URL
from mcp_servers.github.server import build


def main(arguments: Sequence[str] | None = None) -> None:
    """Serve until the client or a signal ends it."""
    flags = _flags().parse_args(arguments)
    environment = os.environ  # noqa: TID251 - hands run alone, so this is their own settings module
    server = build(
        environment.get("GITHUB_API_URL", "").strip() or DEFAULT_URL,
        environment.get("GITHUB_TOKEN", "").strip() or None,
    )
    if flags.http is None:
        server.run()
    else:
        server.run("streamable-http", host=flags.host, port=flags.http)


def _flags() -> argparse.ArgumentParser:
    flags = argparse.ArgumentParser(
        prog="python -m mcp_servers.github",
        description="An MCP server for GitHub issues, on stdio unless --http is given. "
        "Environment: GITHUB_TOKEN, GITHUB_API_URL.",
    )
    flags.add_argument(
        "--http", type=int, metavar="PORT", help="serve Streamable HTTP at /mcp on this port"
    )
    flags.add_argument(
        "--host",
        default="127.0.0.1",
        help="address for --http; it asks callers for no password, so keep it on loopback (%(default)s)",
    )
    return flags


if __name__ == "__main__":
    main()
