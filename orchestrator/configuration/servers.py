"""servers.yaml as servers; it knows how hands are reached, and reaches none."""

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from urllib.parse import urlsplit

from orchestrator.configuration.document import Document, Place
from orchestrator.configuration.shapes import ServerShape, ToolShape
from orchestrator.configuration.shaping import Found, entries, shaped
from orchestrator.configuration.trust import OwnActorShape
from orchestrator.errors import Flaw
from orchestrator.rules.load import closest
from orchestrator.secrets import REFERENCE, ReadFile, Secret, resolve
from orchestrator.servers import HttpServer, OwnActor, Server, StdioServer
from workflows.playbook import Effect

BUILT_IN = "doorbell"
GITHUB = "api.githubcopilot.com"
GITHUB_PROGRAMS = frozenset({"mcp_servers.github", "github-mcp-server"})
"""Servers of GitHub's that we know: they have a tool `get_me`."""

ONLY_STDIO = ("env", "directory")
ONLY_HTTP = ("auth", "headers")


def servers_of(
    document: Document,
    directory: Path,
    environment: Mapping[str, str],
    read_file: ReadFile,
    sources: Mapping[str, bool],
) -> Found[Server]:
    """Every server of the file; `directory:` counts from the configuration's own. An unset secret is a warning.

    `sources` are who may ring, and whether they speak as GitHub does: these name a server of GitHub's as it does.
    """
    found: Found[Server] = Found()
    for name, value in entries(document, "server", found.flaws):
        found.names.add(name)
        at: Place = (name,)
        shape, flaws = shaped(ServerShape, value, at)
        if shape is not None:
            flaws += [*_misfits(name, shape, at), *_said(shape, at), *_deaf(shape, sources, at)]
        found.flaws += flaws
        if shape is not None and not flaws:
            reader = _Reader(environment, read_file, found.warnings)
            found.things[name] = _server(name, shape, directory, reader, sources)
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
            self._warnings.append(
                Flaw(at, f"{reference} is unset: the server {at[0]!r} goes without it")
            )
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
    directory: Path,
    reader: _Reader,
    sources: Mapping[str, bool],
) -> Server:
    effects = dict(_effects(shape.tools))
    idempotency = {tool: said.idempotency for tool, said in shape.tools.items() if said.idempotency}
    markers = {
        tool: said.marker or "" for tool, said in shape.tools.items() if said.marker is not None
    }
    if shape.url is not None:
        return HttpServer(
            name=name,
            url=shape.url,
            bearer=(
                None
                if shape.auth is None
                else reader.secret(shape.auth.bearer, (name, "auth", "bearer"))
            ),
            headers=reader.texts(shape.headers, (name, "headers")),
            effects=effects,
            idempotency=idempotency,
            markers=markers,
            own_actor=_own_actor(name, shape, sources),
        )
    return StdioServer(
        name=name,
        command=_command(shape.command or []),
        env=reader.texts(shape.env, (name, "env")),
        directory=Path() if shape.directory is None else directory / shape.directory,
        effects=effects,
        idempotency=idempotency,
        markers=markers,
        own_actor=_own_actor(name, shape, sources),
    )


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
            expected = "expected at least one of `effect`, `idempotency`, `marker`"
            yield Flaw(here, f"{expected} of {tool!r}, got none", key=True)
        if said.idempotency and said.effect not in {None, Effect.WRITE}:
            text = f"a tool that knows a repeated call by its key is a `write`, not {str(said.effect)!r}: take one out"
            yield Flaw((*here, "idempotency"), text, key=True)


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
    for name in (own.sources or ()) if isinstance(own, OwnActorShape) else ():
        if name not in sources:
            said = f"unknown source {name!r}{closest(name, sources)}"
            yield Flaw((*at, "own_actor", "sources"), said)


def _command(words: list[str]) -> tuple[str, ...]:
    # `python` means the one that runs Doorbell: our own hands are installed beside it, not on everybody's PATH.
    first = sys.executable if words[:1] == ["python"] else "".join(words[:1])
    return (first, *words[1:])


def _misfits(name: str, shape: ServerShape, at: Place) -> Iterator[Flaw]:
    if name == BUILT_IN:
        yield Flaw(at, f"{BUILT_IN!r} is built in: give this server another name", key=True)
    if (shape.url is None) == (shape.command is None):
        yield Flaw(at, "expected either `url:` or `command:`", key=True)
        return
    own = shape.own_actor
    if isinstance(own, OwnActorShape) and own.id is None and own.login is None:
        yield Flaw(
            (*at, "own_actor"), "expected where `id` or `login` stands, got neither", key=True
        )
    for key in ONLY_STDIO if shape.url else ONLY_HTTP:
        if key in shape.model_fields_set:
            kind = "url" if shape.url else "command"
            yield Flaw((*at, key), f"{key!r} means nothing beside `{kind}:`", key=True)
    if shape.url is not None:
        yield from _url_flaws(shape.url, (*at, "url"))
    elif not all(shape.command or []) or not (shape.command or [""])[0].strip():
        yield Flaw((*at, "command"), "expected a program and its arguments, got an empty word")


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
