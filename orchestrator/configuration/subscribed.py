"""`mcp:` of a source: what we subscribe to at an MCP server, each under a secret of its own; it subscribes to nothing.

The secrets are derived from the source's own `secrets:`, so that nothing has to be kept or shared: every doorbell, and
one that has just been restarted, finds the same. A new secret in front of the old one is a new secret for each.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from hashlib import sha256
from typing import Any, Final
from urllib.parse import urlsplit

from orchestrator.configuration.document import Place
from orchestrator.configuration.shapes import McpShape, SourceShape
from orchestrator.errors import Flaw
from orchestrator.rules.load import closest
from orchestrator.secrets import Secret
from orchestrator.servers import HttpServer, Server
from orchestrator.signatures.derived import LEAST_ROOT, derived_whsec
from orchestrator.signatures.subscribed import SubscribedScheme
from orchestrator.sources.mcp_events import KEY, McpEventsDialect
from orchestrator.sources.preset import Preset
from orchestrator.sources.presets import MIB
from orchestrator.sources.source import Source, Subscribe, Wanted

UNUSED: Final = ("scheme", "id", "type", "dedupe")
"""What the protocol says already."""

MARK: Final = 16
"""Hexadecimal digits by which a subscription is called."""


def mcp_preset(shape: SourceShape, publishes: tuple[str, ...]) -> Preset:
    """What such a source is, before its secrets are known."""
    dialect = McpEventsDialect(
        subject=shape.subject,
        actor=shape.actor,
        keys=tuple(shape.keys),
        publishes=(*publishes, KEY),
    )
    return Preset(
        scheme=SubscribedScheme(),
        dialect=dialect,
        max_body=MIB,
        dedupe_body=False,
        handshake="mcp-events",
    )


def subscribing(source: Source, said: McpShape) -> Source:
    """The source with its subscriptions, and with their secrets in place of its own."""
    events = tuple(
        _wanted(source, said, wanted.name, canonical(wanted.arguments)) for wanted in said.events
    )
    dialect = source.dialect
    if isinstance(dialect, McpEventsDialect):
        dialect = replace(dialect, events=events)
    return replace(
        source,
        dialect=dialect,
        secrets=tuple(secret for wanted in events for secret in wanted.secrets),
        subscribe=Subscribe(
            server=said.server, url=said.url, ttl=said.ttl, events=events, roots=source.secrets
        ),
    )


def canonical(arguments: Mapping[str, Any]) -> str:
    """The same text for the same arguments, however they were written."""
    return json.dumps(arguments, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def mcp_flaws(name: str, shape: SourceShape, said: McpShape, at: Place) -> Iterator[Flaw]:
    """What doesn't fit together inside such a source."""
    for key in UNUSED:
        if key in shape.model_fields_set:
            yield Flaw((*at, key), f"`mcp` knows its {key} already: remove it", key=True)
    if not urlsplit(said.url).path.rstrip("/").endswith(f"/hooks/{name}"):
        expected = f"expected a URL that ends in /hooks/{name}, where this source is rung, got {said.url!r}"
        yield Flaw((*at, "mcp", "url"), expected)
    seen: set[str] = set()
    for index, wanted in enumerate(said.events):
        place = (*at, "mcp", "events", index)
        try:
            one = f"{wanted.name} {canonical(wanted.arguments)}"
        except (TypeError, ValueError):
            yield Flaw((*place, "arguments"), "expected arguments that can be written as JSON")
            continue
        if one in seen:
            yield Flaw(place, f"{wanted.name!r} with these arguments stands here already")
        seen.add(one)


def guessable(secrets: tuple[Secret, ...], at: Place) -> Iterator[Flaw]:
    """Each secret that is too short for others to be derived from it."""
    for secret in secrets:
        if len(secret.reveal().encode()) < LEAST_ROOT:
            said = f"{secret.reference}: expected at least {LEAST_ROOT} random bytes: `openssl rand -base64 32`"
            yield Flaw((*at, "secrets"), said)


def unreachable(
    shapes: Mapping[str, McpShape], servers: Mapping[str, Server], names: set[str]
) -> Iterator[Flaw]:
    """What sources say of servers that are not there, or can't be subscribed at; `names` are all that stand there."""
    for name, said in shapes.items():
        place = (name, "mcp", "server")
        if said.server not in names:
            hint = closest(said.server, names)
            yield Flaw(place, f"no server {said.server!r} stands in servers.yaml{hint}")
        elif said.server in servers and not isinstance(servers[said.server], HttpServer):
            expected = f"expected a server with `url`, {said.server!r} is a process of ours and tells nobody"
            yield Flaw(place, expected)


def _wanted(source: Source, said: McpShape, event: str, arguments: str) -> Wanted:
    use = json.dumps([source.name, said.server, said.url, event, arguments]).encode()
    return Wanted(
        event=event,
        arguments=arguments,
        mark=sha256(use).hexdigest()[:MARK],
        secrets=tuple(
            Secret(
                f"{root.reference} (secret for {event})", derived_whsec(root.reveal().encode(), use)
            )
            for root in source.secrets
        ),
    )
