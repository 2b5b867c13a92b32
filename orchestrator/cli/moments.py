"""Moments as people type them: so long ago, or a date; beside the option's callback it knows no clock."""

from datetime import UTC, datetime

import click

from orchestrator.configuration import quantities


def ago(_context: click.Context, _option: click.Parameter, value: str | None) -> datetime | None:
    """What an option `2h`, `3d` or an ISO date means now."""
    try:
        return None if value is None else moment(value, datetime.now(UTC))
    except ValueError as error:
        raise click.BadParameter(str(error)) from None


def moment(text: str, now: datetime) -> datetime:
    """That moment, in UTC where the text names no zone. Raises ValueError."""
    if quantities.DURATION.fullmatch(text):
        return _before(now, text)
    try:
        named = datetime.fromisoformat(text)
    except ValueError:
        expected = "how long ago (30m, 2h, 3d) or a date such as 2026-11-21T12:00"
        raise ValueError(f"expected {expected}, got {text!r}") from None
    return named if named.tzinfo else named.replace(tzinfo=UTC)


def _before(now: datetime, text: str) -> datetime:
    try:
        return now - quantities.duration(text)
    except OverflowError:
        raise ValueError(f"expected at most a few thousand years ago, got {text!r}") from None
