"""The two arguments of a tool that are ours to fill: its idempotency key, and the text that carries our marker; pure.

A server's file says which they are. Where it says nothing no key is sent, and the marker goes where tools that write
to people usually take their words.
"""

import uuid
from collections.abc import Iterator, Mapping
from typing import Any, Final

from orchestrator.servers import Server

MARKED: Final = ("body", "note", "text", "message")
"""The usual names of a writing tool's text: GitHub's, GitLab's, Slack's and those of commits."""


def marker_of(name: str, schema: Mapping[str, Any], server: Server | None) -> str | None:
    """The argument of a tool whose text gets our hidden marker; None where it gets none."""
    said = None if server is None else server.markers.get(name)
    if said is not None:
        return said or None
    return next((usual for usual in MARKED if usual in schema["properties"]), None)


def key_argument(name: str, server: Server | None) -> str | None:
    """The argument of a tool by which its server knows a repeated call; None where there is none."""
    return None if server is None else server.idempotency.get(name)


def key_for(run_id: str, call_id: str, *, as_uuid: bool) -> str:
    """The key of a call, the same for each of its attempts; a UUID where the argument wants one."""
    key = f"{run_id}/{call_id}"
    return str(uuid.uuid5(uuid.NAMESPACE_URL, key)) if as_uuid else key


def wants_uuid(argument: str, schema: Mapping[str, Any]) -> bool:
    """Whether the tool says that this argument is a UUID."""
    found = schema["properties"].get(argument)
    return isinstance(found, Mapping) and found.get("format") == "uuid"


def strangers(
    full_name: str,
    name: str,
    schema: Mapping[str, Any],
    server: Server | None,
    bound: Mapping[str, Any],
) -> Iterator[str]:
    """What a server's file says of a tool's arguments and doesn't fit it, in words."""
    if server is None:
        return
    marker, key = server.markers.get(name), server.idempotency.get(name)
    for what, argument in (("marker", marker), ("idempotency", key)):
        if argument and argument not in schema["properties"]:
            there = ", ".join(sorted(schema["properties"])[:10]) or "none"
            yield f"servers.yaml: {full_name} has no argument {argument!r} for its {what}; it has {there}"
    if key and key in bound:
        yield f"bind: {key!r} of {full_name} is its idempotency key, which is filled by us; take it out"
