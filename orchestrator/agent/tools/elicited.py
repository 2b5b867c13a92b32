"""What a server asks people in the middle of a call, read as a question of our own; pure, it asks nobody.

Its words are a stranger's: they stand behind bars, so that none of them looks like ours. What asks for a secret, and
what nobody could answer in one line, is no question.

https://modelcontextprotocol.io/specification/2026-07-28/client/elicitation
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any, Final
from urllib.parse import urlsplit

from orchestrator.agent.text.untrusted import shown
from workflows.playbook import TextPolicy

ELICITATION: Final = "elicitation/create"
ACCEPT: Final = "accept"
DECLINE: Final = "decline"
CANCEL: Final = "cancel"
"""What may be answered, in the words of the specification."""

MOST_TEXT: Final = 1_200
"""Characters of what a server asks; of its fields as many again."""
MOST_FIELDS: Final = 20
MOST_CHOICES: Final = 50
LONGEST_NAME: Final = 100
LONGEST_LINK: Final = 2_000
LONGEST_ANSWER: Final = 4_000
LONGEST_CHOICE: Final = 200
ON_A_LINK: Final[Mapping[str, Any]] = {"type": "string", "enum": [ACCEPT, DECLINE]}

PATTERNS: Final[Mapping[str, str]] = {
    "email": r"^[^@\s]{1,64}@[^@\s]{1,255}$",
    "uri": r"^[A-Za-z][A-Za-z0-9+.-]{0,30}:\S+$",
    "date": r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$",
    "date-time": r"^[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9:.]{5,15}(Z|[+-][0-9]{2}:[0-9]{2})?$",
}
"""Ours: a server's own pattern is left to the server, because one can take for ever."""

_NAMES: Final = (
    r"pass[ _-]?(?:word|wd|phrase|code)s?|secrets?\b|credentials?|(?:api|private|ssh|signing)[ _-]?keys?"
    r"|(?:access|auth|bearer|refresh|security|session|personal|api)[ _-]?tokens?|\btokens?\b"
    r"|one[ _-]?time[ _-]?(?:code|password)|\b(?:otp|2fa|mfa|cvv|cvc|ssn)\b|card[ _-]?numbers?"
    r"|\bpin(?:[ _-]?code)?\b|seed[ _-]?phrase|social[ _-]?security"
)
_NAMED: Final = re.compile(_NAMES, re.IGNORECASE)
_WANTED: Final = re.compile(
    r"\b(?:enter|type|paste|provide|give|supply|send|share|tell|need|what(?:'s| is)|your)\b[^.?!\n]{0,40}"
    rf"(?:{_NAMES})",
    re.IGNORECASE,
)
_WORDS: Final = re.compile(r"(?<=[a-z])(?=[A-Z])|_")


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """A question that people can answer: in words, and the schema of its answer."""

    question: str
    answer: Mapping[str, Any]
    link: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Unfit:
    """A question that nobody is asked, and why: it is declined."""

    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Foreign:
    """No question to people: something else that a server wants of its caller, and isn't offered."""

    method: str


Reading = Form | Unfit | Foreign


def read(request: Any, server: str, tool: str, policy: TextPolicy) -> Reading:
    """A request among the inputs that a server wants, as a question."""
    given = request if isinstance(request, Mapping) else {}
    params = given.get("params")
    if given.get("method") != ELICITATION:
        return Foreign(method=str(given.get("method"))[:LONGEST_NAME])
    if not isinstance(params, Mapping) or not isinstance(params.get("message"), str):
        return Unfit(why="it has no words to ask")
    message = _quoted(str(params["message"]), policy)
    asks = f"The server {server!r} asks in the middle of {tool!r}, in its own words:\n\n{message}"
    if params.get("mode", "form") == "url":
        return _link(asks, params.get("url"))
    if params.get("mode", "form") != "form":
        return Unfit(why="it asks in a way that isn't known here")
    return _form(asks, params, policy)


def response(asked: Mapping[str, Any], answer: Any) -> dict[str, Any]:
    """What a server is answered with what a person said to its request."""
    params = asked.get("params")
    if isinstance(params, Mapping) and params.get("mode") == "url":
        return {"action": str(answer)}
    return {"action": ACCEPT, "content": answer}


def _link(asks: str, url: Any) -> Reading:
    host = _host(url)
    if host is None:
        return Unfit(why="it names no page that a person could open safely")
    return Form(
        question=(
            f"{asks}\n\nIt wants somebody to open a page at {host}, which nobody here has looked at:\n\n| {url}\n\n"
            f"Answer {ACCEPT} when you agree to that and have done it, else {DECLINE}."
        ),
        answer=ON_A_LINK,
        link=True,
    )


def _host(url: Any) -> str | None:
    """The host of a page, as it is reached; None where it isn't plain whose page that is."""
    if not isinstance(url, str) or not url.isascii() or not url.isprintable() or " " in url:
        return None
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return None
    plain = bool(host) and "@" not in parts.netloc and len(url) <= LONGEST_LINK
    if not plain or host is None:
        return None
    return host if parts.scheme == "https" or (parts.scheme == "http" and _here(host)) else None


def _here(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _form(asks: str, params: Mapping[str, Any], policy: TextPolicy) -> Reading:
    schema = params.get("requestedSchema")
    found = schema.get("properties") if isinstance(schema, Mapping) else None
    if not isinstance(schema, Mapping) or not isinstance(found, Mapping):
        return Unfit(why="its form has no fields")
    if len(found) > MOST_FIELDS:
        return Unfit(why=f"its form has {len(found)} fields, {MOST_FIELDS} are the most")
    fields = {str(name): _field(str(name), one) for name, one in found.items()}
    wrong = next((one for one in fields.values() if isinstance(one, str)), None)
    if wrong is not None:
        return Unfit(why=wrong)
    if _wants_a_secret(str(params["message"]), found):
        return Unfit(why="it asks for what looks like a password or a key, and those go to nobody")
    listed = schema.get("required")
    required = [
        name for name in fields if isinstance(listed, Sequence) and name in {*map(str, listed)}
    ]
    form = {
        "type": "object",
        "properties": fields,
        "additionalProperties": False,
        **({"required": required} if required else {}),
    }
    return Form(question=f"{asks}\n\n{_told(found, fields, required, policy)}", answer=form)


def _field(name: str, given: Any) -> dict[str, Any] | str:
    """One field in the schema of our own questions; or why it can't be asked for."""
    if not isinstance(given, Mapping) or not name or len(name) > LONGEST_NAME:
        return "a field of its form can't be read"
    match given.get("type"):
        case "boolean" | "number" | "integer" as kind:
            return {"type": kind, **_numbers(given, "minimum", "maximum")}
        case "string":
            return _text(given)
        case "array" if (choices := _choices(given.get("items"))) is not None:
            lengths = _numbers(given, "minItems", "maxItems")
            return {"type": "array", "items": {"type": "string", "enum": choices}, **lengths}
        case _:
            return f"its field {name!r} is of a kind that people aren't asked for"


def _text(given: Mapping[str, Any]) -> dict[str, Any]:
    choices = _choices(given)
    if choices is not None:
        return {"type": "string", "enum": choices}
    pattern = PATTERNS.get(str(given.get("format")))
    lengths = _numbers(given, "minLength", "maxLength")
    return {
        "type": "string",
        **lengths,
        "maxLength": min(lengths.get("maxLength", LONGEST_ANSWER), LONGEST_ANSWER),
        **({"pattern": pattern} if pattern else {}),
    }


def _choices(given: Any) -> list[str] | None:
    """What may be chosen; None where it isn't a choice."""
    if not isinstance(given, Mapping):
        return None
    titled = given.get("oneOf") or given.get("anyOf")
    found = given.get("enum")
    if isinstance(titled, list):
        found = [one.get("const") for one in titled if isinstance(one, Mapping)]
    if not isinstance(found, list) or not found or len(found) > MOST_CHOICES:
        return None
    choices = [str(one) for one in found]
    return choices if max(map(len, choices)) <= LONGEST_CHOICE else None


def _numbers(given: Mapping[str, Any], *names: str) -> dict[str, Any]:
    """Those of the bounds that are numbers."""
    kinds = (int, float)
    return {
        name: given[name]
        for name in names
        if isinstance(given.get(name), kinds) and not isinstance(given[name], bool)
    }


def _wants_a_secret(message: str, found: Mapping[str, Any]) -> bool:
    """Whether a field that takes any text looks like one for a secret: a choice can't hold one."""
    open_ones = [
        (name, one)
        for name, one in found.items()
        if one.get("type") == "string" and _choices(one) is None
    ]
    if open_ones and _WANTED.search(message):
        return True
    said = (
        f"{_WORDS.sub(' ', str(name))} {one.get('title', '')} {one.get('description', '')}"
        for name, one in open_ones
    )
    return any(_NAMED.search(one) for one in said)


def _told(
    found: Mapping[str, Any],
    fields: Mapping[str, Any],
    required: Sequence[str],
    policy: TextPolicy,
) -> str:
    lines = [_line(name, found[name], fields[name], needed=name in required) for name in fields]
    listed = _quoted("\n".join(lines), policy)
    if len(fields) == 1:
        return f"Its answer is one field; the value alone will do:\n\n{listed}"
    return f"Its answer is JSON with these fields, and never a password or a key:\n\n{listed}"


def _line(name: str, given: Mapping[str, Any], field: Mapping[str, Any], *, needed: bool) -> str:
    kind = "one of" if "enum" in field else str(field["type"])
    choices = field.get("enum") or field.get("items", {}).get("enum") or []
    said = " ".join(
        str(given[key]) for key in ("title", "description") if isinstance(given.get(key), str)
    )
    parts = [f"{name}:", kind, ", ".join(choices), str(given.get("format", ""))]
    bounds = _numbers(given, "minimum", "maximum", "minLength", "maxLength", "minItems", "maxItems")
    parts += [f"{key} {value}" for key, value in bounds.items()]
    return f"{' '.join(filter(None, parts))}{'' if needed else ' (may be left out)'}{f': {said}' if said else ''}"


def _quoted(text: str, policy: TextPolicy) -> str:
    """What others wrote behind bars, shortened."""
    left = len(text) - MOST_TEXT
    cut = f"{text[:MOST_TEXT]}\n… {left} more characters" if left > 0 else text
    return "\n".join(_barred(shown(cut, policy)))


def _barred(text: str) -> Iterator[str]:
    for line in text.splitlines() or [""]:
        yield f"| {line}"
