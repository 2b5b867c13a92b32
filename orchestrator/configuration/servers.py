"""servers.yaml as servers; it knows how hands are reached, and reaches none."""

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from orchestrator.configuration.document import Document, Place
from orchestrator.configuration.files import Files
from orchestrator.configuration.openapi import childhood, openapi_flaws
from orchestrator.configuration.server_shapes import (
    CallLimitsShape,
    OAuthShape,
    ServerShape,
    ToolShape,
)
from orchestrator.configuration.shaping import Found, entries, shaped
from orchestrator.configuration.trust import OwnActorShape
from orchestrator.errors import Flaw
from orchestrator.rules.load import closest
from orchestrator.secrets import REFERENCE, ReadFile, Secret, missing, resolve
from orchestrator.servers import (
    Bounds,
    CallLimits,
    HttpServer,
    OAuth,
    OwnActor,
    Pace,
    Server,
    StdioServer,
)
from workflows.playbook import Effect

BUILT_IN = "doorbell"
GITHUB = "api.githubcopilot.com"
GITHUB_PROGRAMS = frozenset({"mcp_servers.github", "github-mcp-server"})
"""Servers of GitHub's that we know: they have a tool `get_me`."""

ONLY: Final[Mapping[str, frozenset[str]]] = {
    "url": frozenset({"auth", "headers"}),
    "command": frozenset({"env", "directory"}),
    "openapi": frozenset({"auth", "headers", "base_url", "operations"}),
}
"""How a server may be reached, and the keys that say something about it there only."""


def servers_of(
    document: Document,
    files: Files,
    environment: Mapping[str, str],
    read_file: ReadFile,
    sources: Mapping[str, bool],
) -> Found[Server]:
    """Every server of the file; its paths count from the configuration's directory. An unset secret is a warning.

    `sources` are who may ring, and whether they speak as GitHub does: these name a server of GitHub's as it does.
    """
    found: Found[Server] = Found()
    for name, value in entries(document, "server", found.flaws):
        found.names.add(name)
        at: Place = (name,)
        shape, flaws = shaped(ServerShape, value, at)
        if shape is not None:
            flaws += [
                *_misfits(name, shape, files.texts, at),
                *_said(shape, at),
                *_unlimited(shape, at),
                *_deaf(shape, sources, at),
            ]
        found.flaws += flaws
        if shape is not None and not flaws:
            reader = _Reader(environment, read_file, found.warnings)
            found.things[name] = _server(name, shape, files, reader, sources)
    return found


class _Reader:
    """Resolves texts that may be references, and remembers which are unset."""

    def __init__(
        self, environment: Mapping[str, str], read_file: ReadFile, warnings: list[Flaw]
    ) -> None:
        self._environment = environment
        self._read_file = read_file
        self._warnings = warnings

    def secret(self, reference: str, at: Place) -> Secret | None:
        secret = resolve(reference, self._environment, self._read_file)
        if secret is None:
            said = missing(reference, self._read_file)
            self._warnings.append(Flaw(at, f"{said}: the server {at[0]!r} goes without it"))
        return secret

    def texts(self, values: Mapping[str, str], at: Place) -> dict[str, str | Secret]:
        read = {
            name: self.secret(text, (*at, name)) if REFERENCE.fullmatch(text) else text
            for name, text in values.items()
        }
        return {name: text for name, text in read.items() if text is not None}


def _server(
    name: str,
    shape: ServerShape,
    files: Files,
    reader: _Reader,
    sources: Mapping[str, bool],
) -> Server:
    said = _said_of_tools(name, shape, sources)
    if shape.url is not None:
        return HttpServer(
            name=name,
            url=shape.url,
            bearer=_bearer(shape, reader, name),
            oauth=_oauth(shape, reader, name),
            headers=reader.texts(shape.headers, (name, "headers")),
            **said,
        )
    if shape.openapi is None:
        command, env = _command(shape.command or []), reader.texts(shape.env, (name, "env"))
        directory = Path() if shape.directory is None else files.root / shape.directory
        return StdioServer(name=name, command=command, env=env, directory=directory, **said)
    bearer = _bearer(shape, reader, name)
    headers = reader.texts(shape.headers, (name, "headers"))
    child = childhood(shape, files.texts, bearer, headers)
    said["effects"] = {**child.effects, **said["effects"]}
    return StdioServer(
        name=name, command=child.command, env=child.env, directory=files.root, **said
    )


def _said_of_tools(name: str, shape: ServerShape, sources: Mapping[str, bool]) -> dict[str, Any]:
    """What is said of a server's calls and of its tools', whichever way it is reached."""
    tools = shape.tools.items()
    return {
        "effects": dict(_effects(shape.tools)),
        "idempotency": {tool: one.idempotency for tool, one in tools if one.idempotency},
        "markers": {tool: one.marker or "" for tool, one in tools if one.marker is not None},
        "own_actor": _own_actor(name, shape, sources),
        "limits": None if shape.limits is None else _limits(shape.limits),
        "tool_limits": {tool: _limits(one.limits) for tool, one in tools if one.limits is not None},
        "bounds": _bounds(shape),
        "tool_bounds": {tool: _bounds(one) for tool, one in tools},
    }


def _bearer(shape: ServerShape, reader: _Reader, name: str) -> Secret | None:
    if shape.auth is None or shape.auth.bearer is None:
        return None
    return reader.secret(shape.auth.bearer, (name, "auth", "bearer"))


def _oauth(shape: ServerShape, reader: _Reader, name: str) -> OAuth | None:
    said: OAuthShape | None = None if shape.auth is None else shape.auth.oauth
    if said is None:
        return None
    at: Place = (name, "auth", "oauth")
    secret = reader.secret(said.client_secret, (*at, "client_secret"))
    who = reader.texts({"client_id": said.client_id}, at).get("client_id")
    if secret is None or who is None:
        return None
    client = who.reveal() if isinstance(who, Secret) else who
    return OAuth(client_id=client, client_secret=secret, issuer=said.issuer, scope=said.scope)


def _limits(said: CallLimitsShape) -> CallLimits:
    rate = said.rate
    pace = (
        None
        if rate is None
        else Pace(most=rate.most, window=rate.window.total_seconds(), said=rate.said)
    )
    return CallLimits(concurrent=said.concurrent, pace=pace, wait=said.wait.total_seconds())


def _bounds(said: ServerShape | ToolShape) -> Bounds:
    timeout = None if said.timeout is None else said.timeout.total_seconds()
    return Bounds(timeout=timeout, result=said.result)


def _effects(tools: Mapping[str, ToolShape]) -> Iterator[tuple[str, Effect]]:
    for tool, said in tools.items():
        if said.effect is not None:
            yield tool, said.effect
        elif said.idempotency is not None:
            # A server that knows a repeated call by its key may be asked again.
            yield tool, Effect.WRITE


def _said(shape: ServerShape, at: Place) -> Iterator[Flaw]:
    for tool, said in shape.tools.items():
        here: Place = (*at, "tools", tool)
        if not said.model_fields_set:
            keys = ", ".join(f"`{key}`" for key in sorted(ToolShape.model_fields))
            expected = f"expected at least one of {keys}"
            yield Flaw(here, f"{expected} of {tool!r}, got none", key=True)
        if said.idempotency and said.effect not in {None, Effect.WRITE}:
            text = f"a tool that knows a repeated call by its key is a `write`, not {str(said.effect)!r}: take one out"
            yield Flaw((*here, "idempotency"), text, key=True)


def _unlimited(shape: ServerShape, at: Place) -> Iterator[Flaw]:
    """A `limits:` that limits nothing."""
    places = [((*at, "limits"), shape.limits)]
    places += [((*at, "tools", tool, "limits"), said.limits) for tool, said in shape.tools.items()]
    for where, said in places:
        if said is not None and said.concurrent is None and said.rate is None:
            yield Flaw(where, "expected `concurrent` or `rate`, got neither", key=True)


def _own_actor(name: str, shape: ServerShape, around: Mapping[str, bool]) -> OwnActor | None:
    said = shape.own_actor
    if isinstance(said, OwnActorShape):
        sources = (name,) if said.sources is None else tuple(said.sources)
        return OwnActor(tool=said.tool, id=said.id, login=said.login, sources=sources)
    if said is None and _is_github(shape):
        return OwnActor(tool="get_me", sources=tuple(sorted(n for n in around if around[n])))
    return None


def _is_github(shape: ServerShape) -> bool:
    if shape.url is not None:
        return urlsplit(shape.url).hostname == GITHUB
    return bool(GITHUB_PROGRAMS & set(shape.command or []))


def _deaf(shape: ServerShape, sources: Mapping[str, bool], at: Place) -> Iterator[Flaw]:
    own = shape.own_actor
    if isinstance(own, OwnActorShape) and own.id is None and own.login is None:
        yield Flaw(
            (*at, "own_actor"), "expected where `id` or `login` stands, got neither", key=True
        )
    for name in (own.sources or ()) if isinstance(own, OwnActorShape) else ():
        if name not in sources:
            said = f"unknown source {name!r}{closest(name, sources)}"
            yield Flaw((*at, "own_actor", "sources"), said)


def _command(words: list[str]) -> tuple[str, ...]:
    # `python` means the one that runs Doorbell: our own hands are installed beside it, not on everybody's PATH.
    first = sys.executable if words[:1] == ["python"] else "".join(words[:1])
    return (first, *words[1:])


def _misfits(name: str, shape: ServerShape, texts: Mapping[str, str], at: Place) -> Iterator[Flaw]:
    if name == BUILT_IN:
        yield Flaw(at, f"{BUILT_IN!r} is built in: give this server another name", key=True)
    kinds = [kind for kind in ONLY if kind in shape.model_fields_set]
    if len(kinds) != 1 or getattr(shape, kinds[0]) is None:
        yield Flaw(at, "expected one of `url:`, `command:` and `openapi:`", key=True)
        return
    yield from _strangers(shape, kinds[0], at)
    if shape.openapi is not None:
        yield from openapi_flaws(shape, texts, at)
    for key, url in (("url", shape.url), ("base_url", shape.base_url)):
        if url is not None:
            yield from _url_flaws(url, (*at, key))
    if shape.command is None:
        yield from _auth_flaws(shape, at)
    elif not all(shape.command or []) or not (shape.command or [""])[0].strip():
        yield Flaw((*at, "command"), "expected a program and its arguments, got an empty word")


def _strangers(shape: ServerShape, kind: str, at: Place) -> Iterator[Flaw]:
    for key in sorted(frozenset().union(*ONLY.values()) - ONLY[kind]):
        if key in shape.model_fields_set:
            yield Flaw((*at, key), f"{key!r} means nothing beside `{kind}:`", key=True)


def _auth_flaws(shape: ServerShape, at: Place) -> Iterator[Flaw]:
    auth = shape.auth
    if auth is not None and (auth.bearer is None) == (auth.oauth is None):
        yield Flaw((*at, "auth"), "expected either `bearer` or `oauth`", key=True)
    if auth is not None and any(name.lower() == "authorization" for name in shape.headers):
        said = "`auth:` sets the header Authorization: keep one of both"
        yield Flaw((*at, "headers"), said, key=True)


def _url_flaws(url: str, at: Place) -> Iterator[Flaw]:
    try:
        parts = urlsplit(url)
        parts.port  # noqa: B018 - raises where it is no port
    except ValueError as error:
        yield Flaw(at, f"expected an http or https address, got what is none: {error}")
        return
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        yield Flaw(at, f"expected an http or https address, got {url!r}")
    elif parts.password is not None:
        yield Flaw(
            at, "a password in an address is seen by everybody: write `auth: {bearer: env:NAME}`"
        )
