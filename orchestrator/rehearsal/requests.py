"""A raw HTTP request as a `.http` file: request line, headers, blank line, body; pure, and it knows no dialect.

    POST /hooks/github HTTP/1.1
    x-github-event: star

    {"action": "created"}

Lines before the first that begin with `#` are comments. The body is the exact bytes that follow the blank line; where
`content-length` says that they end one line break earlier, an editor has put it there, and it doesn't count.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPMethod
from typing import Final
from urllib.parse import urlsplit

from orchestrator.errors import OperatorError

BLANK: Final = re.compile(rb"\r?\n\r?\n")
LINE: Final = re.compile(r"(?P<method>[A-Z]+) (?P<target>\S+)(?: HTTP/\d(?:\.\d)?)?")
HEADER: Final = re.compile(r"(?P<name>[A-Za-z0-9!#$%&'*+.^_`|~-]+):[ \t]*(?P<value>.*)")
HOOKS: Final = "/hooks/"
COUNTED: Final = "content-length"


class RequestError(OperatorError):
    """A text is no raw HTTP request; `line` counts from 1."""

    def __init__(self, message: str, line: int = 1) -> None:
        super().__init__(message)
        self.line = line


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One request to the door; header names in lower case."""

    path: str
    headers: Mapping[str, str]
    body: bytes
    query: str = ""

    @property
    def source(self) -> str | None:
        """The source that the path names, `github` of `/hooks/github`."""
        _, hooks, name = self.path.rpartition(HOOKS)
        return name.strip("/") or None if hooks else None


def parsed(raw: bytes) -> Request:
    """The request in these bytes. Raises `RequestError`."""
    end = BLANK.search(raw)
    head, body = (raw, b"") if end is None else (raw[: end.start()], raw[end.end() :])
    lines = _lines(head)
    number = next((at for at, line in enumerate(lines) if line and not line.startswith("#")), 0)
    path, query = _target(lines[number], number + 1)
    headers: dict[str, str] = {}
    for at, line in enumerate(lines[number + 1 :], number + 2):
        _read_header(headers, line, at)
    return Request(path=path, query=query, headers=headers, body=_body(body, headers))


def written(request: Request) -> bytes:
    """The request as a `.http` file; reading it gives the same request."""
    query = f"?{request.query}" if request.query else ""
    headers = {**request.headers, COUNTED: str(len(request.body))}
    head = [f"POST {request.path}{query} HTTP/1.1"]
    head += [f"{name}: {value}" for name, value in headers.items()]
    return "\n".join([*head, "", ""]).encode(errors="replace") + request.body


def _lines(head: bytes) -> list[str]:
    try:
        return head.decode().splitlines() or [""]
    except UnicodeDecodeError as error:
        line = head[: error.start].count(b"\n") + 1
        raise RequestError("expected a request line and headers as UTF-8 text", line) from None


def _target(line: str, number: int) -> tuple[str, str]:
    found = LINE.fullmatch(line.strip())
    if found is None:
        said = "expected a request line such as `POST /hooks/github HTTP/1.1`"
        raise RequestError(f"{said}, got {line[:80]!r}", number)
    if found["method"] != HTTPMethod.POST:
        raise RequestError(f"expected a POST, as deliveries are, got {found['method']}", number)
    try:
        parts = urlsplit(found["target"])
    except ValueError as error:
        raise RequestError(f"expected a path or a URL: {error}", number) from None
    return parts.path, parts.query


def _read_header(headers: dict[str, str], line: str, number: int) -> None:
    found = HEADER.fullmatch(line)
    if found is None:
        raise RequestError(f"expected `name: value`, got {line[:80]!r}", number)
    name, value = found["name"].lower(), found["value"].strip()
    headers[name] = f"{headers[name]}, {value}" if name in headers else value


def _body(body: bytes, headers: Mapping[str, str]) -> bytes:
    said = headers.get(COUNTED, "")
    counted = int(said) if said.isascii() and said.isdigit() else len(body)
    return body[:counted] if body[counted:] in {b"\n", b"\r\n"} else body
