"""What a triage knows so far, read from its conversation alone; it decides nothing and says nothing."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from orchestrator.demo.conversation import Call, Conversation, find, part, prose, values

SMALL_WORDS = """
a about after all also an and any are as at be been but by can could did do does for from get had has have how
i if in into is it its just like me my need new no not of on or our out over please should so some than that
the their them then there they this to up us use using was we were what when where which who why will with
would you your
"""

_PROPOSED = re.compile(r"\bpropos(?:al|ed)\b", re.IGNORECASE)
_REFUSED = re.compile(
    r"\b(?:refused?|den(?:y|ied)|not allowed|forbidden|may be used|budget)\b", re.IGNORECASE
)
_UNKNOWN = re.compile(r"\b(?:unknown|may have happened|can't be known)\b", re.IGNORECASE)
_FINISH = re.compile(r"\b(?:finish|wrap up)\b", re.IGNORECASE)
_ISSUE_TYPE = re.compile(r"\b([a-z][a-z0-9_-]*)/(?:issues|issue_comment)\b")
_TYPE = re.compile(r"""\btype["']?\s*[=:]\s*["']?(?:[\w-]+/)?([a-z_]+(?:\.[a-z_]+)?)""")
_BARE_TYPE = re.compile(r"\b(?:issues\.[a-z_]+|issue_comment\.[a-z_]+)\b")


class End(StrEnum):
    """How a write ended, as far as its answer tells."""

    DONE = "done"
    PROPOSED = "proposed"
    REFUSED = "refused"
    FAILED = "failed"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """An older issue that a search found."""

    number: int
    title: str
    state: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One conversation, seen as the triage of an issue."""

    talk: Conversation

    @property
    def payload(self) -> Mapping[str, Any]:
        """The event that opened the conversation, or an empty one."""
        found = [value for value in values(self.talk.opening) if isinstance(value, Mapping)]
        whole = max(found, key=lambda value: len(str(value)), default={})
        inner = next((whole[k] for k in ("event", "data", "payload") if k in whole), None)
        return inner if isinstance(inner, Mapping) else whole

    @property
    def source(self) -> str:
        """Who rang, as waits name it."""
        heads = (value for value in values(self.talk.opening) if isinstance(value, Mapping))
        named = next(heads, {}).get("source")
        if isinstance(named, str):
            return named
        # Never from the payload: an address in it may read `a-stranger/issues`.
        found = _ISSUE_TYPE.search(prose(self.talk.opening))
        return found[1] if found else "github"

    @property
    def event_type(self) -> str | None:
        """What happened, in the sender's words, where the mark round the event tells."""
        found = _TYPE.search(self.talk.opening.partition("{")[0])
        return found[1] if found else None

    @property
    def about_issue(self) -> bool:
        """Whether the event is one of an issue, as far as it can be read."""
        head = prose(self.talk.opening) + self.talk.opening[:500]
        named = _ISSUE_TYPE.search(head) or _BARE_TYPE.search(head)
        return "issue" in self.payload or not self.payload or named is not None

    @property
    def issue(self) -> Mapping[str, Any] | None:
        """The issue as the tool showed it."""
        read = [c for c in self.talk.called("issue_read") if not c.is_error]
        found = (value for call in read for value in call.values if isinstance(value, Mapping))
        return next((value for value in found if "title" in value), None)

    @property
    def number(self) -> int | None:
        """The issue's number, from the tool or else from the event."""
        number = (self.issue or part(self.payload, "issue")).get("number")
        return number if isinstance(number, int) else None

    @property
    def title(self) -> str:
        """The issue's title, on one line."""
        return line(str((self.issue or {}).get("title") or ""))

    @property
    def text(self) -> str:
        """Title and body."""
        return f"{self.title}\n{(self.issue or {}).get('body') or ''}"

    @property
    def author(self) -> str | None:
        """Who opened the issue."""
        return login((self.issue or {}).get("user"))

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels the issue has."""
        return tuple(_names((self.issue or {}).get("labels")))

    @property
    def listed(self) -> tuple[str, ...]:
        """The labels the repository has."""
        calls = [call for call in self.talk.called("list_label") if not call.is_error]
        found: Any = next((value for call in calls for value in call.values), None)
        return tuple(_names(find(found, "labels") if isinstance(found, Mapping) else found))

    @property
    def searches(self) -> tuple[Call, ...]:
        """The searches that were made."""
        return self.talk.called("search_issues")

    @property
    def searched(self) -> tuple[str, ...]:
        """The queries that were answered."""
        return tuple(str(c.input.get("query", "")) for c in self.searches if not c.is_error)

    @property
    def twin(self) -> Hit | None:
        """The other issue that a search found whose title shares most words with this one's."""
        wanted = _lowered(self.title)
        alike = [hit for hit in self._hits() if _alike(wanted, _lowered(hit.title))]
        return max(alike, key=lambda hit: len(wanted & _lowered(hit.title)), default=None)

    @property
    def replies(self) -> tuple[Mapping[str, Any], ...]:
        """The comments that rang after the opening: waited for, or come in between."""
        texts = [call.answer or "" for call in self.talk.called("wait")]
        found = [find(v, "comment") for text in (*texts, *self.talk.later) for v in values(text)]
        return tuple(one for one in found if isinstance(one, Mapping) and one.get("body"))

    @property
    def told_to_finish(self) -> bool:
        """Whether the operator asked to finish; a stranger's event can't."""
        return any(_FINISH.search(prose(text)) for text in self.talk.later)

    def _hits(self) -> Iterator[Hit]:
        for call in self.searches:
            for item in _items(call):
                number, title = item.get("number"), item.get("title")
                if isinstance(number, int) and isinstance(title, str) and number != self.number:
                    yield Hit(number=number, title=line(title), state=item.get("state"))


def end_of(call: Call) -> End:
    """How a write ended."""
    text = call.answer or ""
    said = prose(text)
    if call.is_error and call.answer is not None and _UNKNOWN.search(said):
        return End.UNKNOWN
    if call.is_error:
        return End.REFUSED if _REFUSED.search(said) else End.FAILED
    states = [find(value, "state") for value in call.values]
    return End.PROPOSED if _PROPOSED.search(said) or "proposed" in states else End.DONE


def words(text: str) -> list[str]:
    """The words of a text that say what it is about, in its order and spelling, each once."""
    found = [word.strip("'-_.") for word in re.findall(r"[\w'.-]+", text)]
    small = bag(SMALL_WORDS)
    kept = {w.lower(): w for w in found if len(w) > 1 and w.lower() not in small}
    return list(kept.values())


def bag(text: str) -> frozenset[str]:
    """The words of a list that is written as one text."""
    return frozenset(text.split())


def line(text: str, limit: int = 160) -> str:
    """A text on one line, cut."""
    flat = " ".join(text.split())
    return flat if len(flat) <= limit else f"{flat[: limit - 1]}…"


def login(user: Any) -> str | None:
    """The login of a user, who comes as an object or as a bare name."""
    name = user.get("login") if isinstance(user, Mapping) else user
    return name if isinstance(name, str) and name else None


def _names(labels: Any) -> Iterator[str]:
    for label in labels if isinstance(labels, list) else ():
        name = label.get("name") if isinstance(label, Mapping) else label
        if isinstance(name, str) and name:
            yield name


def _items(call: Call) -> Iterator[Mapping[str, Any]]:
    for value in () if call.is_error else call.values:
        items = find(value, "items") if isinstance(value, Mapping) else value
        listed = items if isinstance(items, list) else []
        yield from (item for item in listed if isinstance(item, Mapping))


def _lowered(text: str) -> set[str]:
    return {word.lower() for word in words(text)}


def _alike(wanted: set[str], other: set[str]) -> bool:
    return len(wanted & other) * 2 >= len(wanted) > 0
