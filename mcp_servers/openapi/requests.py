"""The arguments of a call as an HTTP request; pure, it sends nothing."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote, urlencode

from mcp_servers.openapi.operations import FORM, Argument, Operation

_BETWEEN: Final[Mapping[str, str]] = {"spaceDelimited": " ", "pipeDelimited": "|"}


class Unsendable(Exception):
    """Arguments that no request can be made of: the caller must mend them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What is sent; `path` is escaped and counts from the API's address."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    content: bytes | None


def request(operation: Operation, given: Mapping[str, Any]) -> Request:
    """The request of a call with these arguments. Raises `Unsendable`."""
    try:
        return _request(operation, given)
    except UnicodeEncodeError:
        raise Unsendable("expected text that UTF-8 can hold, got half of a pair") from None


def _request(operation: Operation, given: Mapping[str, Any]) -> Request:
    sent = {
        name: (argument, given[name])
        for name, argument in operation.arguments.items()
        if name in given
    }
    path = operation.path
    pairs: list[tuple[str, str]] = []
    headers: dict[str, str] = {}
    for argument, value in sent.values():
        match argument.place:
            case "path":
                path = path.replace(f"{{{argument.name}}}", _segment(argument, value))
            case "query":
                pairs += _query(argument, value)
            case "header":
                headers[argument.name] = _header(argument, value)
            case "field" | "body":
                pass
    content = _content(
        operation, [pair for pair in sent.values() if pair[0].place in {"field", "body"}]
    )
    kind = {} if content is None or operation.media is None else {"Content-Type": operation.media}
    return Request(
        method=operation.method,
        path=path,
        query=urlencode(pairs, quote_via=quote),
        headers=headers | kind,
        content=content,
    )


def _segment(argument: Argument, value: Any) -> str:
    """A value that stays within its segment of the path, whatever is in it."""
    text = _simple(argument, value)
    if not text.strip("."):
        raise Unsendable(
            f"expected something that can stand in a path as {argument.name!r}, got {text!r}"
        )
    return quote(text, safe=",")


def _header(argument: Argument, value: Any) -> str:
    text = _simple(argument, value)
    if not text.isascii() or not text.isprintable():
        raise Unsendable(f"expected printable ASCII in the header {argument.name!r}")
    return text


def _simple(argument: Argument, value: Any) -> str:
    match value:
        case _ if argument.as_json:
            return _json(value)
        case list():
            return ",".join(_word(one) for one in value)
        case Mapping() if argument.explode:
            return ",".join(f"{key}={_word(one)}" for key, one in value.items())
        case Mapping():
            return ",".join(f"{key},{_word(one)}" for key, one in value.items())
        case _:
            return _word(value)


def _query(argument: Argument, value: Any) -> Iterator[tuple[str, str]]:
    name = argument.name
    match value:
        case _ if argument.as_json:
            yield name, _json(value)
        case None:
            pass
        case list() if argument.explode:
            yield from ((name, _word(one)) for one in value)
        case list():
            yield name, _BETWEEN.get(argument.style, ",").join(_word(one) for one in value)
        case Mapping() if argument.style == "deepObject":
            yield from ((f"{name}[{key}]", _word(one)) for key, one in value.items())
        case Mapping() if argument.explode:
            yield from ((key, _word(one)) for key, one in value.items())
        case Mapping():
            yield name, _simple(argument, value)
        case _:
            yield name, _word(value)


def _content(operation: Operation, sent: list[tuple[Argument, Any]]) -> bytes | None:
    if operation.media is None or not sent:
        return None
    whole = next((value for argument, value in sent if argument.place == "body"), None)
    if whole is None:
        whole = {argument.name: value for argument, value in sent}
    if operation.media == FORM and isinstance(whole, Mapping):
        pairs = [(name, _word(one)) for name, many in whole.items() for one in _each(many)]
        return urlencode(pairs).encode()
    return str(whole).encode() if operation.media == "text/plain" else _json(whole).encode()


def _each(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _word(value: Any) -> str:
    """A value as it stands in a path, a query or a form: JSON's words for what is no text."""
    return value if isinstance(value, str) else _json(value)


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
