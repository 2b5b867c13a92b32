r"""Text that others wrote, made honest for a model: what a person would not see is shown, or taken out; pure.

A playbook says which under `text:`. It judges no meaning: what a text asks for is never looked at.

    shown("pay\u200bment", TextPolicy())  ->  "pay[U+200B]ment"
"""

import json
import re
import sys
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from orchestrator.agent.text.redacting import Redaction
from orchestrator.events import Actor, Author, Event
from workflows.playbook import TextPolicy, Unseen

NAMED: Final = 8
"""Characters of one run that are named one by one; a longer run is counted."""

ENDLESS: Final = sys.maxsize

# Unicode's Default_Ignorable_Code_Point, with control characters, line separators and what is privately used:
# https://www.unicode.org/reports/tr44/#Default_Ignorable_Code_Point
_UNSEEN: Final = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f"
    "\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164\ud800-\udfff\ue000-\uf8ff\ufe00-\ufe0f\ufeff"
    "\uffa0\ufff0-\ufffb\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
    "\U000f0000-\U0010ffff]+"
)
# One that is never closed hides the rest of the page.
_COMMENT: Final = re.compile(r"<!--.*?(?:--!?>|\Z)", re.DOTALL)
# https://www.unicode.org/Public/UCD/latest/ucd/emoji/emoji-variation-sequences.txt, its blocks as wholes
_PICTURE: Final = re.compile(
    "[\xa9\xae\u203c\u2049\u2122\u2139\u2194-\u21aa\u231a-\u23ff\u24c2\u25aa-\u27bf\u2934\u2935"
    "\u2b05-\u2b55\u3030\u303d\u3297\u3299\U0001f000-\U0001faff]"
)
# A selector is a sign nobody sees; elsewhere than behind what takes it, each hides some bits.
_SELECTED: Final = (
    (_PICTURE, re.compile("[\ufe0e\ufe0f]")),
    (re.compile("[\u1820-\u18aa]"), re.compile("[\u180b-\u180d\u180f]")),
)
_KEY: Final = re.compile("[0-9#*]")
_KEYCAP: Final = "\u20e3"
_JOINED: Final = re.compile("\ufe0f?\u200d")
_JOINER: Final = re.compile("[\u200c\u200d]")
_LETTER_THAT_JOINS: Final = re.compile(
    "[\u0600-\u08ff\u0900-\u0dff\u1000-\u109f\u1780-\u18af\ua840-\ua87f]"
)
_FLAGS: Final = frozenset(
    "".join(chr(0xE0000 + ord(char)) for char in region) + "\U000e007f"
    for region in ("gbeng", "gbsct", "gbwls")
)
_BLACK_FLAG: Final = "\U0001f3f4"


def shown(text: str, policy: TextPolicy, room: int = ENDLESS) -> str:
    """The text with what nobody sees shown as `[U+200B]`, or without it; what stands behind `room` stays as it is."""
    if policy.comments is Unseen.STRIP:
        text = _COMMENT.sub(_left_out, text)
    if text.isascii() and text.isprintable():
        return text
    pieces, size, begin = [], 0, 0
    for found in _UNSEEN.finditer(text):
        if size > room:
            break
        pieces += [text[begin : found.start()], _run(found, policy)]
        size += len(pieces[-2]) + len(pieces[-1])
        begin = found.end()
    return "".join([*pieces, text[begin:]])


def tree(value: Any, policy: TextPolicy, room: int = ENDLESS) -> Any:
    """The same JSON value with the texts and names in it shown, as far as `room` characters go."""
    return _Walk(policy=policy, room=room).over(value)


@dataclass(slots=True, kw_only=True)
class _Walk:
    """Through a JSON value in its order; of 25 MB nobody reads the end."""

    policy: TextPolicy
    room: int

    def over(self, value: Any) -> Any:
        if self.room < 0:
            return value
        match value:
            case str():
                return self._text(value)
            case Mapping():
                return self._members(value)
            case list() | tuple():
                return [self.over(one) for one in value]
            case _:
                return value

    def _members(self, value: Mapping[Any, Any]) -> dict[str, Any]:
        told: dict[str, Any] = {}
        for name, one in value.items():
            shown_as = self._text(str(name))
            # Two names may differ in what nobody sees alone, and neither hides the other.
            while shown_as in told:
                shown_as = f"{shown_as}#{len(told)}"
            told[shown_as] = self.over(one)
        return told

    def _text(self, text: str) -> str:
        if self.room < 0:
            return text
        told = shown(text, self.policy, self.room)
        self.room -= len(told)
        return told


def blocks(content: Iterable[Mapping[str, Any]], policy: TextPolicy) -> tuple[dict[str, Any], ...]:
    """The blocks of a tool result with their texts shown; pictures and documents stay as they are."""
    return tuple(
        {**block, "text": shown(str(block["text"]), policy)}
        if block.get("type") == "text"
        else dict(block)
        for block in content
    )


def event_shown(event: Event, policy: TextPolicy, known: Redaction, room: int = ENDLESS) -> Event:
    """An event with everything shown that its sender chose, of its payload as far as `room` characters go.

    Its payload was redacted when it was read; the rest is compared with names before, and redacted here.
    """

    def told(text: str) -> str:
        return shown(known.text(text), policy)

    return replace(
        event,
        type=told(event.type),
        subject=_perhaps(event.subject, told),
        actor=_actor(event.actor, told),
        author=_author(event.author, told),
        data=tree(event.data, policy, room),
    )


def data(value: Any) -> str:
    """A JSON value as text that can't close the block it stands in."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e")


def texts(value: Any) -> Iterator[str]:
    """Every text and every name in a JSON value."""
    match value:
        case str():
            yield value
        case Mapping():
            yield from (text for pair in value.items() for one in pair for text in texts(one))
        case list() | tuple():
            yield from (text for one in value for text in texts(one))
        case _:
            return


def hidden_characters(text: str) -> tuple[str, ...]:
    """The characters of a text that a person wouldn't see but a model reads, each named once."""
    runs = (found.group() for found in _UNSEEN.finditer(text) if not _ordinary(found))
    found = dict.fromkeys(char for run in runs for char in run)
    return tuple(f"{_code(char)} {unicodedata.name(char, 'CONTROL')}" for char in found)


def _left_out(found: re.Match[str]) -> str:
    return f"[HTML comment of {len(found.group())} characters left out]"


def _run(found: re.Match[str], policy: TextPolicy) -> str:
    run = found.group()
    if _ordinary(found):
        return run
    if policy.invisible is Unseen.STRIP:
        return ""
    named = " ".join(_code(char) for char in run[:NAMED])
    more = f" and {len(run) - NAMED} more" if len(run) > NAMED else ""
    return f"[{named}{more}]"


def _ordinary(found: re.Match[str]) -> bool:
    """Whether a run is part of what a person sees: an emoji's joiner, a flag, a script that joins its letters."""
    run, text = found.group(), found.string
    before, after = (
        text[max(found.start() - 1, 0) : found.start()],
        text[found.end() : found.end() + 1],
    )
    if any(kind.fullmatch(before) and selector.fullmatch(run) for kind, selector in _SELECTED):
        return True
    if run == "\ufe0f" and _KEY.fullmatch(before):
        return after == _KEYCAP
    if _JOINED.fullmatch(run) and _PICTURE.fullmatch(before) and _PICTURE.fullmatch(after):
        return True
    if _JOINER.fullmatch(run):
        return _LETTER_THAT_JOINS.fullmatch(before) is not None
    return before == _BLACK_FLAG and run in _FLAGS


def _code(char: str) -> str:
    return f"U+{ord(char):04X}"


def _perhaps(text: str | None, told: Callable[[str], str]) -> str | None:
    return None if text is None else told(text)


def _actor(actor: Actor | None, told: Callable[[str], str]) -> Actor | None:
    if actor is None:
        return None
    return replace(actor, id=_perhaps(actor.id, told), login=_perhaps(actor.login, told))


def _author(author: Author | None, told: Callable[[str], str]) -> Author | None:
    if author is None:
        return None
    return replace(
        author,
        id=_perhaps(author.id, told),
        login=_perhaps(author.login, told),
        association=_perhaps(author.association, told),
    )
