"""`python -m mcp_servers.stripe`: stdio, or Streamable HTTP at /mcp; the only reader of the environment here.

`STRIPE_API_KEY` is the key (a restricted one will do), `STRIPE_API_URL` the API's address, `STRIPE_WEBHOOK_SECRETS`
what Stripe signs with where it calls /webhooks/stripe itself, without a doorbell.
"""

import os
import sys
from collections.abc import Sequence

from mcp_servers.stripe.objects import callback
from mcp_servers.stripe.server import DEFAULT_URL, build
from mcp_servers.stripe.signing import by_stripe
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

OPTIONS = "STRIPE_API_KEY, STRIPE_API_URL, STRIPE_WEBHOOK_SECRETS (for /webhooks/stripe)"


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until the client or a signal ends it; the exit code."""
    given = flags_of("stripe", "An MCP server for Stripe", OPTIONS).parse_args(arguments)
    environment = os.environ  # noqa: TID251 - hands run alone, so this is their own settings module
    try:
        settings = settings_of("stripe", environment)
        own = words_of(environment, "STRIPE_WEBHOOK_SECRETS")
        desk = desk_of(settings, *own)
    except Unusable as error:
        return exit_with(error)
    url = environment.get("STRIPE_API_URL", "").strip() or DEFAULT_URL
    server = build(url, environment.get("STRIPE_API_KEY", "").strip() or None, desk)
    door = Door(path="/webhooks/stripe", secrets=own, read=by_stripe)
    serve(server, Mailroom(desk=desk, route=callback), settings, given, door)
    return 0


if __name__ == "__main__":
    sys.exit(main())
