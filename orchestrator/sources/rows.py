"""The keys of the table of senders and what may stand under each; it knows shapes only, and no sender."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from orchestrator.signatures.keys import KeyForm
from orchestrator.signatures.table import Algorithm, Encoding
from orchestrator.sources.tabled import Form

MIB = 1024 * 1024


def _listed(value: Any) -> Any:
    return value if isinstance(value, list) else [value]


def _mib(value: Any) -> int:
    text = str(value)
    if not text.endswith("MiB"):
        raise ValueError(f"expected a size in MiB, got {text!r}")
    return int(text.removesuffix("MiB")) * MIB


def _minutes(value: Any) -> timedelta:
    text = str(value)
    if not text.endswith("m"):
        raise ValueError(f"expected a time in minutes, got {text!r}")
    return timedelta(minutes=int(text.removesuffix("m")))


Listed = Annotated[list[str], BeforeValidator(_listed)]
Alternatives = Annotated[list[Listed], BeforeValidator(_listed)]
Minutes = Annotated[timedelta, BeforeValidator(_minutes)]
Mebibytes = Annotated[int, BeforeValidator(_mib)]


class Row(BaseModel):
    """A mapping of known keys; any other key is a mistake."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class SigRow(Row):
    """Where the signature stands."""

    header: Listed
    list: str = ""
    prefix: str = ""
    enc: Encoding = "hex"


class TsRow(Row):
    """Where the time of signing stands."""

    header: str | None = None
    member: str | None = None
    list: str = ""
    prefix: str = ""
    unit: Literal["s", "ms"] = "s"


class PlaceRow(Row):
    """Where a shared token may stand."""

    header: str | None = None
    parameter: str | None = None
    prefix: str = ""
    enc: Literal["raw", "base64"] = "raw"


class SchemeRow(Row):
    """One of: `alg` with its parts, `token`, `code`, `either`."""

    alg: Algorithm | None = None
    key: KeyForm = "utf8"
    sig: SigRow | None = None
    ts: TsRow | None = None
    signed: str = "{body}"
    tolerance: Minutes | None = None
    token: list[PlaceRow] = Field(default_factory=list)
    code: str | None = None
    hash: Literal["sha1", "sha256"] = "sha1"
    family: str = "webhook"
    raw: bool = False
    either: "list[SchemeRow]" = Field(default_factory=list)
    headers: list[str] = Field(default_factory=list)


class ActorRow(Row):
    """Where the actor stands; `bots` are pairs of a place and the text there that means a program."""

    id: Listed = Field(default_factory=list)
    login: Listed = Field(default_factory=list)
    bots: list[tuple[str, str]] = Field(default_factory=list)


class ReadsRow(Row):
    """How the sender speaks."""

    id: Listed = Field(default_factory=list)
    type: Listed
    action: Listed = Field(default_factory=list)
    names: Mapping[str, str] = Field(default_factory=dict)
    subject: Listed = Field(default_factory=list)
    actor: ActorRow = ActorRow()
    keys: Mapping[str, Alternatives] | Alternatives = Field(default_factory=list)
    form: list[Form] = Field(default_factory=list)


class ShapeRow(Row):
    """What the signed body of some types looks like."""

    has: list[str] = Field(default_factory=list)
    never: list[str] = Field(default_factory=list)
    like: Mapping[str, str] = Field(default_factory=dict)


class BatchRow(Row):
    """How one delivery is many events."""

    over: list[str] = Field(default_factory=list)
    without: list[str] = Field(default_factory=list)


class SenderRow(Row):
    """One sender."""

    title: str
    docs: str
    proven: Literal["vendor SDK", "documented vectors", "unproven"]
    by: str = ""
    secret: str | None = None
    scheme: SchemeRow
    dialect: str | None = None
    reads: ReadsRow | None = None
    shapes: Mapping[str, ShapeRow] = Field(default_factory=dict)
    batch: BatchRow | None = None
    handshake: str | None = None
    thanks: str | None = None
    max_body: Mebibytes = MIB
    dedupe: Literal["body", "off"] | None = None
    signs_id: bool | None = None
    generic: bool = False
