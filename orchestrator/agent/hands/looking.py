"""What one look at a server showed, and how far that is from its lock; values in, words out, it asks no server."""

from dataclasses import dataclass

from orchestrator.agent.hands.convert import alias
from orchestrator.agent.hands.definitions import Discovered
from orchestrator.agent.hands.locking import drifted, estranged
from orchestrator.configuration.locks import Lock


@dataclass(frozen=True, slots=True, kw_only=True)
class Probed:
    """`found` is what it offers, None where it couldn't be reached: then `error` says why.

    `opened` is how many seconds its start and its first answer took, `latency` how many an answer takes then.
    """

    server: str
    found: Discovered | None = None
    opened: float | None = None
    latency: float | None = None
    error: str | None = None


def drifts(
    lock: Lock | None, found: Discovered, way: str, tools: tuple[str, ...]
) -> dict[str, str]:
    """What isn't as it was locked: the server, or some of these tools, by name and in words."""
    if lock is None:
        return {}
    strange = estranged(lock, found, way)
    if strange is not None:
        return {found.server: strange}
    offered = {tool.name: tool for tool in found.tools}
    told = {}
    for name in tools:
        full = f"{found.server}.{name}"
        words = f"server {found.server!r} has no tool {name!r}"
        if name in offered:
            words = drifted(lock, offered[name]) or ""
        if words:
            told[full] = words
    return told


def definitions(found: Discovered) -> dict[str, dict[str, object]]:
    """Each tool as the model would read it, by name, before anything is bound or repaired."""
    return {
        tool.name: {
            "name": alias(tool.server, tool.name),
            "description": tool.description or tool.title or "",
            "input_schema": tool.input_schema,
        }
        for tool in found.tools
    }
