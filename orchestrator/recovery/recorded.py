"""What GitHub's API shows, turned into what the door is rung with: the right hook, its attempts, headers and bytes."""

from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Final
from urllib.parse import urlsplit

from orchestrator.recovery.gaps import Attempt
from orchestrator.recovery.github import Denied, GithubHooks, Hook, Page, Recorded
from orchestrator.recovery.rebuild import rebuilt
from orchestrator.sources.github import DELIVERY, EVENT
from orchestrator.sources.source import Source

MAX_PAGES: Final = 200
"""Of 100 attempts each; of a hook that delivers more within three days the newest 20,000 are looked at."""

KEPT: Final = frozenset({"content-type", "user-agent", "x-hub-signature-256"})
"""Of the recorded headers, beside GitHub's own, the ones that mean something at the door."""


def hook_of(hooks: Sequence[Hook], source: str) -> Hook:
    """The one that rings this source. Raises `Denied` where none does, or several."""
    found = [hook for hook in hooks if _rings(hook.url, source)]
    if len(found) == 1:
        return found[0]
    if not found:
        raise Denied(
            f"none of {len(hooks)} webhooks there has a URL that ends in /hooks/{source}: add it at GitHub, "
            "or say which it is with `recover: {hook: ID}`"
        )
    ids = ", ".join(str(hook.id) for hook in found)
    said = f"the URLs of several webhooks end in /hooks/{source}: {ids}"
    raise Denied(f"{said}; say which it is with `recover: {{hook: ID}}`")


async def attempts_of(
    api: GithubHooks, hook: int, first: Page, log: Any, source: str
) -> AsyncIterator[Attempt]:
    """Every attempt from this page on, newest first. Raises `Denied` or `NotNow`."""
    page: Page | None = first
    used: set[str] = set()
    while page is not None:
        if page.strange:
            log.warning("recovery.unreadable", source=source, hook=hook, attempts=page.strange)
        for attempt in page.attempts:
            yield attempt
        if page.cursor is None or page.cursor in used:
            return
        if len(used) == MAX_PAGES:
            log.warning("recovery.cut", source=source, hook=hook, pages=MAX_PAGES)
            return
        used.add(page.cursor)
        page = await api.page(hook, page.cursor)


def headers_of(recorded: Recorded, attempt: Attempt) -> dict[str, str]:
    """The headers that GitHub sent, as far as they mean something; the list has the last word on id and event."""
    kept = {
        name: value
        for name, value in recorded.headers.items()
        if name in KEPT or name.startswith("x-github-")
    }
    return {**kept, DELIVERY: attempt.guid, EVENT: attempt.event}


def body_of(
    source: Source, headers: Mapping[str, str], recorded: Recorded, now: datetime
) -> bytes | None:
    """The bytes that were signed, or None where they can't be found again."""
    if recorded.payload is None:
        return None
    secrets = [secret.reveal().encode() for secret in source.secrets]
    return rebuilt(headers, recorded.payload, source.scheme, secrets, now)


def _rings(url: str, source: str) -> bool:
    try:
        path = urlsplit(url).path
    except ValueError:
        return False
    return path.rstrip("/").endswith(f"/hooks/{source}")
