"""What an API answered, as a tool's result: its text, or its refusal in words; it sends nothing and logs nothing."""

import json
from base64 import b64encode
from collections.abc import Iterator, Mapping
from http import HTTPStatus
from typing import Any, Final

from mcp.types import CallToolResult, ImageContent, TextContent

from mcp_servers.openapi.operations import READS, REPEATABLE

SAID: Final = 1_500
"""Characters of the API's own words that a failure repeats."""
_ADVICE: Final[Mapping[int, str]] = {
    401: "its credential is not accepted; the operator must set a valid one",
    403: "its credential may not do this; the operator must give it the permission",
    404: "there is no such thing; check the ids",
    409: "it conflicts with what is there; read it again",
    429: "it is asked too often and nothing was changed",
}
_DETAILS: Final = ("errors", "invalid-params", "invalid_params", "details")


def answer(status: int, headers: Mapping[str, str], body: bytes, method: str) -> CallToolResult:
    """The result of a call that was answered."""
    if HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
        return CallToolResult(content=[_content(status, headers, body)])
    said = f"the API answered {status} ({_words(status, headers, body)})"
    return failed(f"{said}: {_advice(status, headers, method)}")


def unanswered(why: str, method: str, *, sent: bool) -> CallToolResult:
    """The result of a call that no answer came to; `sent` is whether the request may have arrived."""
    what = f"the API gave no answer ({why})"
    if not sent:
        return failed(f"{what}: it could not be reached and nothing was sent; try again later")
    return failed(f"{what}: {_afterwards(method)}")


def failed(text: str) -> CallToolResult:
    """A failure that the model reads."""
    return CallToolResult(content=[TextContent(type="text", text=text)], is_error=True)


def _afterwards(method: str) -> str:
    if method in READS:
        return "nothing was changed; try again later"
    if method in REPEATABLE:
        return "whether it happened is unknown; the same call may be made again"
    return "whether it happened is unknown; look before you repeat it"


def _advice(status: int, headers: Mapping[str, str], method: str) -> str:
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return _afterwards(method)
    if status < HTTPStatus.BAD_REQUEST:
        return "it is elsewhere now; the operator must set the address that it has"
    after = headers.get("retry-after", "")
    wait = f"; try again in {after} seconds" if after.isdecimal() else ""
    return _ADVICE.get(status, "nothing was changed; mend the arguments") + wait


def _content(status: int, headers: Mapping[str, str], body: bytes) -> TextContent | ImageContent:
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind.startswith("image/") and kind != "image/svg+xml":
        return ImageContent(type="image", data=b64encode(body).decode(), mime_type=kind)
    if not body:
        return TextContent(type="text", text=f"done: the API answered {status} without a body")
    try:
        text = body.decode()
    except UnicodeDecodeError:
        return TextContent(type="text", text=f"{len(body)} bytes of {kind or 'unknown content'}")
    return TextContent(type="text", text=_compact(text) if kind.endswith("json") else text)


def _compact(text: str) -> str:
    try:
        return json.dumps(json.loads(text), ensure_ascii=False, separators=(",", ":"))
    except ValueError:
        return text


def _words(status: int, headers: Mapping[str, str], body: bytes) -> str:
    """The API's own words, wherever the usual places for them are (RFC 9457 first)."""
    try:
        said = json.loads(body)
    except ValueError:
        plain = headers.get("content-type", "").startswith("text/plain")
        return body.decode(errors="replace").strip()[:SAID] if plain and body else _phrase(status)
    told = "; ".join(dict.fromkeys(_told(said)))[:SAID] if isinstance(said, Mapping) else ""
    return told or _phrase(status)


def _told(said: Mapping[str, Any]) -> Iterator[str]:
    for place in ("title", "detail", "message", "error_description", "error"):
        match said.get(place):
            case Mapping() as inner:
                yield from _told(inner)
            case str() as text if text.strip():
                yield text.strip()
            case list() as many:
                yield _compact(json.dumps(many))
            case _:
                pass
    for place in _DETAILS:
        if said.get(place):
            yield _compact(json.dumps(said[place]))


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "no reason given"
