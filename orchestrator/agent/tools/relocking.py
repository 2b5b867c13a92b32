"""tools.lock made anew from what servers offer now; it never takes over what changed unless a person named it."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from orchestrator.agent.hands.definitions import Discovered, ToolDefinition, definition_hash
from orchestrator.agent.hands.locking import drifted, estranged, locked_as, same_server
from orchestrator.agent.tools.toolset import unseen
from orchestrator.configuration.configuration import Configuration
from orchestrator.configuration.locks import Lock, LockedServer, LockedTool


@dataclass(slots=True, kw_only=True)
class Relocked:
    """What came of it: the new tools by server, and by full name what was added, removed and accepted.

    `drifted` tools are no longer what was locked, and stay as they were; `problems` kept others from being locked.
    """

    servers: dict[str, LockedServer] = field(default_factory=dict)
    added: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    accepted: list[str] = field(default_factory=list)
    drifted: dict[str, str] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)

    @property
    def lock(self) -> Lock:
        """The lock to write."""
        return Lock(servers=self.servers)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What servers said: what they offer, or why not. `ways` are how they are reached, as digests."""

    discovered: Mapping[str, Discovered]
    silent: Mapping[str, str]
    ways: Mapping[str, str]


def wanted_tools(configuration: Configuration) -> dict[str, tuple[str, ...]]:
    """The tools that playbooks list and rules call, by server."""
    found: dict[str, set[str]] = {}
    for playbook in configuration.playbooks.values():
        for server, tools in playbook.tools.items():
            found.setdefault(server, set()).update(tools)
    for rule in configuration.rules:
        for step in rule.call:
            found.setdefault(step.server, set()).add(step.name)
    return {server: tuple(sorted(found[server])) for server in sorted(found)}


def relocked(
    before: Lock | None,
    wanted: Mapping[str, Sequence[str]],
    asked: Asked,
    accept: Collection[str],
    now: float,
) -> Relocked:
    """The lock with what is wanted and wasn't there; `accept` names servers and tools to take as they are now."""
    old = Lock() if before is None else before
    made = Relocked()
    made.problems += _not_wanted(wanted, accept)
    for server, names in wanted.items():
        locked = old.servers.get(server)
        if server in asked.discovered:
            kept = _server(made, old, asked, server, names, accept, now)
        else:
            made.problems.append(asked.silent.get(server, f"server {server!r} wasn't asked"))
            kept = locked
        if kept is not None and kept.tools:
            made.servers[server] = kept
    made.removed += [name for name in _names(old) if name not in set(_names(made.lock))]
    return made


def _server(
    made: Relocked,
    old: Lock,
    asked: Asked,
    server: str,
    names: Sequence[str],
    accept: Collection[str],
    now: float,
) -> LockedServer | None:
    found, way, locked = asked.discovered[server], asked.ways[server], old.servers.get(server)
    strange = None if server in accept else estranged(old, found, way)
    if strange is not None:
        made.drifted[server] = strange
        return locked
    offered = {tool.name: tool for tool in found.tools}
    tools: dict[str, LockedTool] = {}
    for name in names:
        kept = _tool(made, old, server, name, offered.get(name), accept, now)
        if kept is not None:
            tools[name] = kept
    # A version that changed alone is no reason to write: it does so with every release.
    told = locked is None or tools != locked.tools or not same_server(locked, found, way)
    identity = found.identity if told or locked is None else locked.identity
    return LockedServer(reached=way, identity=identity, tools=tools)


def _tool(
    made: Relocked,
    old: Lock,
    server: str,
    name: str,
    definition: ToolDefinition | None,
    accept: Collection[str],
    now: float,
) -> LockedTool | None:
    full, locked = f"{server}.{name}", old.tool(server, name)
    if definition is None:
        made.problems.append(f"server {server!r} has no tool {name!r}")
        return locked
    hidden = list(unseen(full, definition))
    if hidden:
        made.problems += hidden
        return locked
    if {server, full} & {*accept}:
        made.accepted.append(full)
        return locked_as(definition, accepted_at=now)
    if locked is None:
        made.added.append(full)
        return locked_as(definition)
    if definition_hash(definition) != locked.hash:
        made.drifted[full] = drifted(old, definition) or ""
    return locked


def _names(lock: Lock) -> Iterator[str]:
    return (f"{server}.{tool}" for server, one in lock.servers.items() for tool in one.tools)


def _not_wanted(wanted: Mapping[str, Sequence[str]], accept: Collection[str]) -> Iterator[str]:
    known = {*wanted, *(f"{server}.{name}" for server, names in wanted.items() for name in names)}
    for name in sorted({*accept} - known):
        yield f"nothing to accept: no playbook lists {name!r}, and no rule calls it"
