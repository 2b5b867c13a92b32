"""Small words for people: times, lists, values cut to size. It prints nothing itself."""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

WIDEST = 60


def when(iso: str) -> str:
    """A time as people read it, in their own zone."""
    return datetime.fromisoformat(iso).astimezone().strftime("%d %b %H:%M:%S")


def shape(names: Sequence[str], most: int = 6) -> str:
    """A list of names, cut after a few."""
    more = f" +{len(names) - most}" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def value(given: Any) -> str:
    """A JSON value in one line, cut to size."""
    text = given if isinstance(given, str) else json.dumps(given, ensure_ascii=False)
    return text if len(text) <= WIDEST else f"{text[: WIDEST - 1]}…"
