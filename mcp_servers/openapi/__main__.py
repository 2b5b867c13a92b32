"""`python -m mcp_servers.openapi FILE --operations ID…`: stdio; the only reader of the environment here.

`OPENAPI_BEARER` is a bearer token, `--header NAME=VARIABLE` a header whose value stands in a variable.
`OPENAPI_SHA256` is what the file must be, so that nobody serves another than was checked.
"""

import argparse
import asyncio
import os
import re
import sys
from collections.abc import Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Final

from mcp.server.stdio import stdio_server

from mcp_servers.openapi.document import Unusable, address, document, mapping
from mcp_servers.openapi.operations import operations
from mcp_servers.openapi.server import build

_PRINTABLE: Final = re.compile(r"[\x20-\x7e]+")


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until the client ends it; the exit code."""
    environment = os.environ  # noqa: TID251 - hands run alone, so this is their own settings module
    try:
        asyncio.run(_serve(_flags().parse_args(arguments), environment))
    except Unusable as error:
        sys.stderr.write(f"{error}\n")
        return 2
    return 0


def _flags() -> argparse.ArgumentParser:
    flags = argparse.ArgumentParser(
        prog="python -m mcp_servers.openapi",
        description="An MCP server on stdio for an HTTP API. Environment: OPENAPI_BEARER, OPENAPI_SHA256.",
    )
    flags.add_argument("file", type=Path, help="the OpenAPI 3 description, YAML or JSON")
    flags.add_argument("--operations", nargs="+", required=True, metavar="ID")
    flags.add_argument(
        "--base-url", metavar="URL", help="the API's address, where the file's isn't it"
    )
    flags.add_argument("--header", action="append", default=[], metavar="NAME=VARIABLE")
    return flags


async def _serve(given: argparse.Namespace, environment: Mapping[str, str]) -> None:
    root = document(_text(given.file, environment.get("OPENAPI_SHA256")))
    base = given.base_url or address(root)
    if base is None:
        raise Unusable(f"{given.file} has no whole address under `servers:`: give --base-url")
    found = operations(root, given.operations)
    title = str(mapping(root.get("info")).get("title") or given.file.name)
    server = build(title, found, base, _headers(given.header, environment))
    async with stdio_server() as (incoming, outgoing):
        await server.run(incoming, outgoing, server.create_initialization_options())


def _text(file: Path, digest: str | None) -> str:
    try:
        raw = file.read_bytes()
        if digest and sha256(_one_line_end(raw)).hexdigest() != digest:
            raise Unusable(f"{file} has changed since it was checked: it will be read again")
        return raw.decode()
    except (OSError, UnicodeDecodeError) as error:
        raise Unusable(f"{file} can't be read: {error}") from None


def _one_line_end(raw: bytes) -> bytes:
    return raw.replace(b"\r\n", b"\n").replace(b"\r", b"\n")


def _headers(given: Sequence[str], environment: Mapping[str, str]) -> dict[str, str]:
    headers: dict[str, str] = {}
    for pair in given:
        name, _, variable = pair.partition("=")
        if environment.get(variable):
            headers[name] = _printable(variable, environment[variable])
    if bearer := environment.get("OPENAPI_BEARER", "").strip():
        headers["Authorization"] = f"Bearer {_printable('OPENAPI_BEARER', bearer)}"
    return headers


def _printable(variable: str, value: str) -> str:
    # A header library that meets a line break would quote the value in its complaint.
    if _PRINTABLE.fullmatch(value) is None:
        raise Unusable(f"{variable} holds a line break or what no header may: set it anew")
    return value


if __name__ == "__main__":
    sys.exit(main())
