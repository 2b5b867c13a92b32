"""Whether a source that is expected to ring has fallen silent; pure."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Silence:
    """How a source that is expected to ring stands. `heard_at` None: nothing ever came."""

    source: str
    expect: timedelta
    heard_at: datetime | None
    silent: bool

    def told(self) -> dict[str, Any]:
        """For `/status`."""
        return {
            "source": self.source,
            "expect_seconds": int(self.expect.total_seconds()),
            "heard_at": None if self.heard_at is None else self.heard_at.isoformat(),
            "silent": self.silent,
        }


def silence(
    source: str,
    expect: timedelta,
    heard_at: datetime | None,
    started_at: datetime,
    now: datetime,
) -> Silence:
    """Measured from the newest delivery, or from our start where nothing ever came."""
    since = heard_at or started_at
    return Silence(source=source, expect=expect, heard_at=heard_at, silent=now - since > expect)
