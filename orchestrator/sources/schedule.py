"""The built-in source of what the clock rings: one tick of one rule's schedule; pure, it knows no clock itself.

A tick's type names its rule (`tick.nightly`), so that no other rule is even asked about it.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from orchestrator.secrets import Secret
from orchestrator.signatures.standard_webhooks import ID, StandardWebhooksScheme, sign
from orchestrator.sources.payload import bounded, json_object, word
from orchestrator.sources.source import SCHEDULE, Reading, Source

TICK: Final = "tick"
MAX_BODY: Final = 16 * 1024

TOO_LATE: Final = timedelta(hours=1)
"""A tick that waited longer for its service is kept and starts nothing; Temporal catches up no further either."""


def ticks_of(rule_id: str) -> str:
    """What a rule with a schedule is `on`."""
    return f"{SCHEDULE}/{TICK}.{rule_id}"


@dataclass(frozen=True, slots=True)
class ScheduleDialect:
    """Bodies of `{"rule": ID, "cron": "0 7 * * 1-5", "zone": "Europe/Berlin", "scheduled_for": T, "previous": T}`."""

    publishes: tuple[str, ...] = (SCHEDULE,)

    def read(self, headers: Mapping[str, str], body: bytes) -> Reading:
        """What the verified bytes say. Raises `Malformed`."""
        data = json_object(body)
        rule = word(data.get("rule"), "whose tick it is, in 'rule'")
        delivery_id = word(headers.get(ID), f"the header {ID!r}")
        return bounded(
            Reading(
                delivery_id=delivery_id,
                type=f"{TICK}.{rule}",
                subject=rule,
                actor=None,
                keys=(f"{SCHEDULE}:{rule}",),
                data=data,
                # What its rule's file said when it was due changes nothing about which tick it is.
                lasting=delivery_id.encode(),
            )
        )


def schedule_source(*secrets: Secret) -> Source:
    """The source `schedule`, signed with the state directory's secret; without one it can be read, and not rung."""
    return Source(
        name=SCHEDULE,
        scheme=StandardWebhooksScheme(),
        secrets=secrets,
        dialect=ScheduleDialect(),
        max_body=MAX_BODY,
        dedupe_body=False,
        catch_up=TOO_LATE,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Signed:
    """A tick as it comes to the door."""

    headers: Mapping[str, str]
    body: bytes


def tick(
    secret: str,
    now: datetime,
    *,
    rule: str,
    cron: str,
    zone: str,
    scheduled_for: datetime,
    previous: datetime,
) -> Signed:
    """A tick, signed; its delivery id is its rule and its time, so that it acts once however often it rings.

    `previous` is the time its schedule names before: since then a digest has something to tell.
    """
    due = scheduled_for.isoformat()
    said = {
        "rule": rule,
        "cron": cron,
        "zone": zone,
        "scheduled_for": due,
        "previous": previous.isoformat(),
    }
    body = json.dumps(said, ensure_ascii=False).encode()
    signed = sign(secret, f"{rule}@{due}", body, now)
    return Signed(headers={"content-type": "application/json", **signed}, body=body)
