"""How often and how many at once a rule may act, as its file says it; it knows no event, inbox or clock."""

from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """At most `most` in any `window`; `said` is how the file writes it, such as 5/h."""

    most: int
    window: timedelta
    said: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Cooldown:
    """After a key's event acted, further ones of that key are left alone for this long."""

    window: timedelta
    said: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The keys of a rule's `limits:` that aren't about money; None asks nothing."""

    concurrent: int | None = None
    per_actor: Rate | None = None
    per_key: Rate | None = None
    cooldown: Cooldown | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Dedupe:
    """A second key, of the business: of its events only the first within the window acts. `key` is a template."""

    key: str
    window: timedelta
    said: str
