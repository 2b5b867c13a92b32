"""`python -m mcp_servers.shopify`: stdio, or Streamable HTTP at /mcp; the only reader of the environment here.

`SHOPIFY_SHOP_URL` is the shop's address (https://NAME.myshopify.com), `SHOPIFY_ACCESS_TOKEN` the app's token in it,
`SHOPIFY_CLIENT_SECRETS` what Shopify signs with where it calls /webhooks/shopify itself.
"""

import os
import sys
from collections.abc import Sequence

from mcp_servers.shopify.server import build
from mcp_servers.shopify.told import by_shopify, callback
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

OPTIONS = "SHOPIFY_SHOP_URL, SHOPIFY_ACCESS_TOKEN, SHOPIFY_CLIENT_SECRETS (for /webhooks/shopify)"


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until the client or a signal ends it; the exit code."""
    given = flags_of("shopify", "An MCP server for Shopify", OPTIONS).parse_args(arguments)
    environment = os.environ  # noqa: TID251 - hands run alone, so this is their own settings module
    try:
        settings = settings_of("shopify", environment)
        own = words_of(environment, "SHOPIFY_CLIENT_SECRETS")
        desk = desk_of(settings, *own)
    except Unusable as error:
        return exit_with(error)
    url = environment.get("SHOPIFY_SHOP_URL", "").strip()
    if not url.startswith(("https://", "http://")):
        return exit_with(Unusable("SHOPIFY_SHOP_URL: expected https://NAME.myshopify.com"))
    server = build(url, environment.get("SHOPIFY_ACCESS_TOKEN", "").strip() or None, desk)
    door = Door(path="/webhooks/shopify", secrets=own, read=by_shopify)
    serve(server, Mailroom(desk=desk, route=callback), settings, given, door)
    return 0


if __name__ == "__main__":
    sys.exit(main())
