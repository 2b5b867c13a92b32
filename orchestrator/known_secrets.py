"""Every secret that a process holds, to be taken out of what it shows; it finds them, and reads no file but ours."""

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

from orchestrator.agent.text.redacting import SHORTEST, Redact, Redaction, secrets_in
from orchestrator.configuration.configuration import Configuration
from orchestrator.settings import Settings

_WORD: Final = re.compile("[a-z]+").fullmatch
OPERATOR_SECRET: Final = "operator.secret"  # noqa: S105 - a file's name


def redact_of(held: Mapping[str, str], configuration: Callable[[], Configuration]) -> Redact:
    """What to look for at any moment: these, and all that stood in the files since this process began.

    One that was replaced an hour ago may still be in somebody's hands.
    """
    found = dict(held)
    seen: Configuration | None = None
    known = Redaction.of(found)

    def redact() -> Redaction:
        nonlocal found, seen, known
        now = configuration()
        if now is not seen:
            # Made anew, never changed: the log asks from a thread of its own.
            found = {**found, **_of(now)}
            known, seen = Redaction.of(found), now
        return known

    return redact


def held_by(settings: Settings) -> dict[str, str]:
    """The secrets among the settings, and the one that signs what people do; value to the name that is shown."""
    key = settings.anthropic_api_key
    found = {
        key.get_secret_value() if key else "": "ANTHROPIC_API_KEY",
        settings.metrics_token or "": "METRICS_TOKEN",
        settings.token or "": "API_TOKEN",
        _password(settings.database): "DATABASE_PASSWORD",
        _text(settings.state / OPERATOR_SECRET): "OPERATOR_SECRET",
    }
    # The scripted model's key is an ordinary word; taken out, it would be missing in every sentence.
    return {
        value: name for value, name in found.items() if len(value) >= SHORTEST and not _WORD(value)
    }


def _of(now: Configuration) -> dict[str, str]:
    return secrets_in(now.servers, now.sources, now.shut, now.others, now.rules)


def _password(url: str | None) -> str:
    try:
        return unquote(urlsplit(url or "").password or "")
    except ValueError:
        return ""


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        return ""
