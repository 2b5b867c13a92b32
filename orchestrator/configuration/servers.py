"""servers.yaml as servers; it knows how hands are reached, and reaches none."""

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from urllib.parse import urlsplit

from orchestrator.configuration.document import Document, Place
from orchestrator.configuration.shapes import ServerShape
from orchestrator.configuration.shaping import Found, entries, shaped
from orchestrator.errors import Flaw
from orchestrator.secrets import REFERENCE, ReadFile, Secret, resolve
from orchestrator.servers import HttpServer, Server, StdioServer
from workflows.playbook import Effect

BUILT_IN = "doorbell"
ONLY_STDIO = ("env", "directory")
ONLY_HTTP = ("auth", "headers")


def servers_of(
    document: Document, directory: Path, environment: Mapping[str, str], read_file: ReadFile
) -> Found[Server]:
    """Every server of the file; `directory:` counts from the configuration's own. An unset secret is a warning."""
    found: Found[Server] = Found()
    for name, value in entries(document, "server", found.flaws):
        found.names.add(name)
        at: Place = (name,)
        shape, flaws = shaped(ServerShape, value, at)
        flaws += [] if shape is None else _misfits(name, shape, at)
        found.flaws += flaws
        if shape is not None and not flaws:
            reader = _Reader(environment, read_file, found.warnings)
            found.things[name] = _server(name, shape, directory, reader)
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


def _server(name: str, shape: ServerShape, directory: Path, reader: _Reader) -> Server:
    effects: dict[str, Effect] = {tool: said.effect for tool, said in shape.tools.items()}
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
        )
    return StdioServer(
        name=name,
        command=_command(shape.command or []),
        env=reader.texts(shape.env, (name, "env")),
        directory=Path() if shape.directory is None else directory / shape.directory,
        effects=effects,
    )


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
