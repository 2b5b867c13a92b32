"""The shapes of what is said and done, and of what comes of it, for the published OpenAPI document; it says nothing."""

from typing import Annotated, Any, Literal, NotRequired, TypedDict

import msgspec

Inputs = dict[str, Any]


class PrunedSource(TypedDict):
    """What became of one source: so many are pruned, so many are old but still needed."""

    source: str
    before: str
    pruned: int
    referred: int


class Pruned(TypedDict):
    """What was forgotten, or would be."""

    pruned: list[PrunedSource]
    dry_run: bool


class Accepted(TypedDict):
    """The Temporal namespace on which runs live from now on, and the one of before."""

    namespace: str
    identity: str
    before: str | None
    changed: bool


class Receipt(TypedDict):
    """What came of a word: `accepted` is null while nobody has decided about it, `done` while more is to come."""

    event: str
    named: str
    accepted: bool | None
    done: bool | None
    reason: str | None
    run: str | None
    opened: bool | None
    workflow: str | None
    became: str | None
    request: dict[str, Any] | None


class Problem(TypedDict):
    """RFC 9457: what is wrong, and what to do about it."""

    type: str
    title: str
    status: int
    detail: str
    receipt: NotRequired[Receipt]


class Begin(msgspec.Struct, forbid_unknown_fields=True, rename={"with_": "with"}):
    """A run of a playbook by hand."""

    playbook: Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
    with_: Inputs = {}
    key: Annotated[str, msgspec.Meta(max_length=500)] | None = None
    stage: Literal["preview", "live"] = "preview"


class Prune(msgspec.Struct, forbid_unknown_fields=True):
    """Forget what is old enough: by each source's policy, or with `keep` (30d, 12h) so much of every source."""

    keep: Annotated[str, msgspec.Meta(max_length=20)] | None = None
    dry_run: bool = False


class Again(msgspec.Struct, forbid_unknown_fields=True):
    """`again` says that what the run may have written may be written again."""

    again: bool = False


class Consent(msgspec.Struct, forbid_unknown_fields=True):
    """A yes; `args` are the arguments that are to be others."""

    args: dict[str, Any] = {}


class Denial(msgspec.Struct, forbid_unknown_fields=True):
    """A no; the agent is told why."""

    why: Annotated[str, msgspec.Meta(max_length=500)] = ""


class Reply(msgspec.Struct, forbid_unknown_fields=True):
    """An answer: JSON, or a text."""

    answer: Any
