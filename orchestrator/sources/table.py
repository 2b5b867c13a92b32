"""The table of senders as values: `schemes.yaml` read once, every row a `Preset`; pure but for that one package file.

A row that can't work is a bug of ours: reading the table raises, and a test reads it.
"""

from collections.abc import Callable, Mapping
from functools import cache
from importlib.resources import files
from typing import Any, Final

from ruamel.yaml import YAML

from orchestrator.errors import Bug
from orchestrator.signatures.either import EitherScheme, Spelling
from orchestrator.signatures.github import GithubScheme
from orchestrator.signatures.jira_connect import JiraConnectScheme
from orchestrator.signatures.scheme import Scheme
from orchestrator.signatures.sns import SnsScheme
from orchestrator.signatures.standard_webhooks import StandardWebhooksScheme
from orchestrator.signatures.table import Place, Stamp, TableScheme, pieces
from orchestrator.signatures.token import Bearer, TokenScheme
from orchestrator.signatures.twilio import TwilioScheme
from orchestrator.signatures.unsigned import UnsignedScheme
from orchestrator.sources.cloudevents import CloudEventsDialect
from orchestrator.sources.github import GithubDialect
from orchestrator.sources.paths import Pick, pick, pointer
from orchestrator.sources.preset import Preset
from orchestrator.sources.rows import ReadsRow, SchemeRow, SenderRow, ShapeRow, TsRow
from orchestrator.sources.source import Dialect
from orchestrator.sources.standard_webhooks import StandardWebhooksDialect
from orchestrator.sources.tabled import Batch, KeysOf, Shape, TableDialect, Who
from orchestrator.sources.thanks import THANKS

TABLE: Final = "schemes.yaml"

_DIALECTS: Final[Mapping[str, Dialect]] = {
    "github": GithubDialect(),
    "standard-webhooks": StandardWebhooksDialect(),
    "cloudevents": CloudEventsDialect(),
}
_CODE: Final[Mapping[str, Callable[[str, SchemeRow, bool], Scheme]]] = {
    "github": lambda name, _row, _id: GithubScheme(name),
    "standard-webhooks": lambda name, row, _id: StandardWebhooksScheme(
        name, family=row.family, raw=row.raw
    ),
    "twilio": lambda name, row, _id: TwilioScheme(name=name, hash=row.hash),
    "jira-connect": lambda name, _row, _id: JiraConnectScheme(name=name),
    "sns": lambda name, _row, _id: SnsScheme(name=name),
    "unsigned": lambda name, _row, _id: UnsignedScheme(name=name),
}


@cache
def presets() -> Mapping[str, Preset]:
    """Every row by its name."""
    text = files("orchestrator.sources").joinpath(TABLE).read_text(encoding="utf-8")
    return read(text)


def read(text: str) -> Mapping[str, Preset]:
    """The presets of a table's text. Raises `ValueError` (pydantic's too) for a broken one."""
    rows: Mapping[str, Any] = YAML(typ="safe", pure=True).load(text)
    return {name: _preset(name, SenderRow.model_validate(row)) for name, row in rows.items()}


def _preset(name: str, row: SenderRow) -> Preset:
    dialect = _dialect(name, row)
    signs_id = _signs_id(row) if row.signs_id is None else row.signs_id
    scheme = _scheme(name, row.scheme, signs_id=signs_id)
    dedupe = not scheme.signs_id if row.dedupe is None else row.dedupe == "body"
    return Preset(
        scheme=scheme,
        dialect=dialect,
        max_body=row.max_body,
        dedupe_body=dedupe,
        title=row.title,
        docs=row.docs,
        proven=row.proven,
        by=row.by,
        secret=row.secret,
        handshake=row.handshake,
        thanks=None if row.thanks is None else THANKS[row.thanks],
        batch=None if row.batch is None else _batch(row.batch.over, row.batch.without),
        generic=row.generic,
    )


def _signs_id(row: SenderRow) -> bool:
    """Whether the id stands in the body, and the body is signed."""
    ids = () if row.reads is None else pick(row.reads.id).texts
    return bool(ids) and all(text.in_body for text in ids) and not row.scheme.token


def _scheme(name: str, row: SchemeRow, *, signs_id: bool) -> Scheme:
    if row.either:
        spellings = tuple(
            Spelling(
                scheme=_scheme(name, one, signs_id=signs_id),
                headers=tuple(header.lower() for header in one.headers),
            )
            for one in row.either
        )
        return EitherScheme(name=name, spellings=spellings)
    if row.code is not None:
        return _CODE[row.code](name, row, signs_id)
    if row.token:
        return TokenScheme(
            name=name, places=tuple(_place(**place.model_dump()) for place in row.token)
        )
    return _table(name, row, signs_id=signs_id)


def _table(name: str, row: SchemeRow, *, signs_id: bool) -> TableScheme:
    if row.alg is None or row.sig is None:
        raise Bug(f"{name}: expected alg and sig, token, code or either")
    sig = row.sig
    return TableScheme(
        name=name,
        algorithm=row.alg,
        key=row.key,
        place=Place(
            headers=tuple(header.lower() for header in sig.header),
            separators=sig.list,
            prefix=sig.prefix,
            encoding=sig.enc,
        ),
        signed=pieces(row.signed),
        stamp=None if row.ts is None else _stamp(row.ts),
        tolerance=row.tolerance,
        signs_id=signs_id,
    )


def _stamp(row: TsRow) -> Stamp:
    return Stamp(
        header=None if row.header is None else row.header.lower(),
        member=row.member,
        separators=row.list,
        prefix=row.prefix,
        unit=row.unit,
    )


def _place(*, header: str | None, parameter: str | None, prefix: str, enc: Any) -> Bearer:
    return Bearer(
        header=header and header.lower(), parameter=parameter, prefix=prefix, encoding=enc
    )


def _dialect(name: str, row: SenderRow) -> Dialect | None:
    if row.dialect is not None:
        return _DIALECTS[row.dialect]
    if row.generic:
        return None
    if row.reads is None:
        raise Bug(f"{name}: expected dialect, reads or generic")
    clock = None if row.scheme.ts is None else row.scheme.ts.member
    return _table_dialect(row.reads, row.shapes, clock)


def _table_dialect(
    reads: ReadsRow, shapes: Mapping[str, ShapeRow], clock: str | None
) -> TableDialect:
    return TableDialect(
        id=pick(reads.id),
        type=pick(reads.type),
        action=pick(reads.action),
        names=reads.names,
        subject=pick(reads.subject),
        actor=Who(
            id=pick(reads.actor.id),
            login=pick(reads.actor.login),
            bots=tuple((pointer(place), text) for place, text in reads.actor.bots),
        ),
        keys=_keys(reads.keys if isinstance(reads.keys, Mapping) else {"*": reads.keys}),
        forms=tuple(reads.form),
        shapes=tuple(_shape(types, row) for types, row in shapes.items()),
        clock=clock,
    )


def _keys(keys: Mapping[str, list[list[str]]]) -> tuple[KeysOf, ...]:
    return tuple(KeysOf(types=types, picks=_picks(spelled)) for types, spelled in keys.items())


def _picks(spelled: list[list[str]]) -> tuple[Pick, ...]:
    return tuple(pick(alternatives) for alternatives in spelled)


def _shape(types: str, row: ShapeRow) -> Shape:
    return Shape(
        types=types,
        has=tuple(map(pointer, row.has)),
        never=tuple(map(pointer, row.never)),
        like=tuple((pointer(place), glob) for place, glob in row.like.items()),
    )


def _batch(over: list[str], without: list[str]) -> Batch:
    return Batch(over=tuple(tuple(path.split("/")) for path in over), without=frozenset(without))
