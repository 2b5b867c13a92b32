"""How a sender speaks whose row stands in the table: its id, type, subject, actor and keys by pointers; pure.

Where the type is claimed by a header that isn't signed, the row's shapes say what the signed body of such an event
looks like, and a body of another event is refused (promise D4).
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any, Final, Literal
from urllib.parse import parse_qsl

import msgspec

from orchestrator.errors import Malformed, Reason
from orchestrator.events import Actor
from orchestrator.sources.paths import Pick, Pointer, scalar
from orchestrator.sources.payload import bounded, form_field, is_form, json_value
from orchestrator.sources.source import Reading

MAX_ITEMS: Final = 5_000
"""Events in one delivery; no sender here sends as many."""

MAX_TOGETHER: Final = 32 * 1024 * 1024
"""Bytes of the events of one delivery: each carries what stands around its list, so few bytes could become many."""

MAX_FIELDS: Final = 1_000

Form = Literal["payload", "fields"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """What the bodies of some types have, never have, and what the text at a place looks like where it is there."""

    types: str
    has: tuple[Pointer, ...] = ()
    never: tuple[Pointer, ...] = ()
    like: tuple[tuple[Pointer, str], ...] = ()

    def fits(self, data: Any) -> bool:
        """Whether a body may be one of these events."""
        return (
            all(any(True for _ in place.all(data)) for place in self.has)
            and not any(value is not None for place in self.never for value in place.all(data))
            and all(
                fnmatchcase(text, glob)
                for place, glob in self.like
                for value in place.all(data)
                if (text := scalar(value)) is not None
            )
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Who:
    """Where the actor stands. `bots`: a place and the text there that means a program did it."""

    id: Pick = Pick()  # noqa: RUF009 - frozen
    login: Pick = Pick()  # noqa: RUF009 - frozen
    bots: tuple[tuple[Pointer, str], ...] = ()

    def read(self, data: Any, headers: Mapping[str, str]) -> Actor | None:
        """The actor, None where the delivery names none."""
        id_, login = self.id.first(data, headers), self.login.first(data, headers)
        if id_ is None and login is None:
            return None
        bot = any(fnmatchcase(str(v), text) for place, text in self.bots for v in place.all(data))
        return Actor(id=id_, login=login, bot=bot)


@dataclass(frozen=True, slots=True, kw_only=True)
class KeysOf:
    """The correlation keys of some types."""

    types: str
    picks: tuple[Pick, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class TableDialect:
    """One row's dialect. Of `keys` the first entry whose types fit counts; so of `shapes`.

    `clock` is the name in the signed body that says when it was sent: new in every retry of the same delivery.
    """

    id: Pick
    type: Pick
    action: Pick = Pick()  # noqa: RUF009 - frozen
    names: Mapping[str, str]
    subject: Pick = Pick()  # noqa: RUF009 - frozen
    actor: Who = Who()
    keys: tuple[KeysOf, ...] = ()
    forms: tuple[Form, ...] = ()
    shapes: tuple[Shape, ...] = ()
    clock: str | None = None

    @property
    def publishes(self) -> tuple[str, ...]:
        """The kinds of correlation keys it can give."""
        texts = [text for some in self.keys for pick in some.picks for text in pick.texts]
        return tuple(dict.fromkeys(kind for text in texts if (kind := text.kind)))

    def read(self, headers: Mapping[str, str], body: bytes) -> Reading:
        """What the verified bytes say. Raises `Malformed`."""
        data = self._data(headers, body)
        claimed = self._claimed(data, headers)
        # Held against the body without the action: that stands in the signed body itself.
        self._check_shape(claimed, data)
        type_ = self._type(claimed, data, headers)
        keys = next((some.picks for some in self.keys if fnmatchcase(type_, some.types)), ())
        reading = Reading(
            delivery_id=self.id.first(data, headers),
            type=type_,
            subject=self.subject.first(data, headers),
            actor=self.actor.read(data, headers),
            keys=tuple(key for pick in keys for key in pick.all(data, headers)),
            data=data,
            lasting=self._lasting(data),
        )
        return bounded(reading)

    def _lasting(self, data: Any) -> bytes | None:
        if self.clock is None or not isinstance(data, dict):
            return None
        return msgspec.json.encode(
            {name: kept for name, kept in data.items() if name != self.clock}
        )

    def _data(self, headers: Mapping[str, str], body: bytes) -> Any:
        if not (self.forms and is_form(headers)):
            return json_value(body)
        fields = _fields(body)
        if "payload" in self.forms and ("payload" in fields or "fields" not in self.forms):
            return json_value(form_field(body, "payload"))
        return fields

    def _claimed(self, data: Any, headers: Mapping[str, str]) -> str:
        found = self.type.first(data, headers)
        if found is None:
            raise Malformed(
                Reason.MALFORMED,
                "expected an event of this sender: its type isn't where it should be",
            )
        return found

    def _type(self, claimed: str, data: Any, headers: Mapping[str, str]) -> str:
        action = self.action.first(data, headers)
        full = claimed if action is None else f"{claimed}.{action}"
        return self.names.get(full, full)

    def _check_shape(self, type_: str, data: Any) -> None:
        for shape in self.shapes:
            if fnmatchcase(type_, shape.types):
                if not shape.fits(data):
                    raise Malformed(
                        Reason.TYPE_MISMATCH,
                        f"expected the body of {shape.types!r}, another one came",
                    )
                return


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """How one delivery is many events: a list at the top, or one inside each element of another.

    `over` are the names of the lists on the way down, each element of the last being an event of its own, with
    what stands around it. `without` are names that change when the same event is sent again.
    """

    over: tuple[tuple[str, ...], ...] = ()
    without: frozenset[str] = frozenset()

    def split(self, body: bytes) -> list[bytes]:
        """The bytes of each event. Raises `Malformed`."""
        value = json_value(body)
        if self.over:
            return _bounded(msgspec.json.encode(one) for one in _each(value, self.over))
        if not isinstance(value, list):
            return [body]
        if self.without:
            return _bounded(msgspec.json.encode(self._lasting(item)) for item in value)
        # The sender's own spelling of each, so that the same event in another batch is the same bytes.
        raw = msgspec.json.decode(body, type=list[msgspec.Raw])
        return _bounded(bytes(item) for item in raw)

    def _lasting(self, item: Any) -> Any:
        if not isinstance(item, dict):
            return item
        return {name: value for name, value in item.items() if name not in self.without}


def _bounded(items: Iterable[bytes]) -> list[bytes]:
    found: list[bytes] = []
    together = 0
    for item in items:
        found.append(item)
        together += len(item)
        if len(found) > MAX_ITEMS or together > MAX_TOGETHER:
            said = f"expected at most {MAX_ITEMS} events of {MAX_TOGETHER} bytes together"
            raise Malformed(Reason.MALFORMED, said)
    return found


def _each(value: Any, paths: Sequence[tuple[str, ...]]) -> Iterator[Any]:
    """The value once for each element at the end of the paths, every list on the way cut down to that one."""
    heads = (
        list(dict.fromkeys(path[0] for path in paths if path)) if isinstance(value, dict) else []
    )
    lists = [head for head in heads if isinstance(value.get(head), list) and value[head]]
    if not lists:
        yield value
        return
    rest = {name: kept for name, kept in value.items() if name not in lists}
    for head in lists:
        inner = [path[1:] for path in paths if path[:1] == (head,)]
        for element in value[head]:
            for one in _each(element, inner):
                yield {**rest, head: [one]}


def _fields(body: bytes) -> dict[str, Any]:
    """A form's fields; one that came more than once is a list."""
    try:
        pairs = parse_qsl(
            body.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=MAX_FIELDS
        )
    except ValueError:
        raise Malformed(Reason.MALFORMED, "expected a form in UTF-8, other bytes came") from None
    found: dict[str, Any] = {}
    for name, value in pairs:
        before = found.get(name)
        found[name] = (
            value if before is None else [*([before] if isinstance(before, str) else before), value]
        )
    return found
