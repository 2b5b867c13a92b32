"""Shows in Slack that a question is answered: its buttons give way to who said what. It knows no task."""

import logging
from typing import Any, Final
from urllib.parse import urlsplit

import httpx2

from mcp_servers.slack.told import payload_of
from mcp_servers.tasks.proofs import Parcel
from mcp_servers.tasks.states import Completed
from mcp_servers.tasks.store import Callback
from mcp_servers.tasks.wire import spoken

HOSTS: Final = frozenset({"hooks.slack.com", "hooks.slack-gov.com"})
TIMEOUT: Final = 10.0

_log = logging.getLogger("mcp_servers.slack.showing")


async def shown(parcel: Parcel, callback: Callback, hosts: frozenset[str] = HOSTS) -> None:
    """Replace the message by its answer; where that fails, the answer stands all the same."""
    url = str(payload_of(parcel).get("response_url", ""))
    if urlsplit(url).hostname not in hosts or not isinstance(callback.told, Completed):
        return
    try:
        async with httpx2.AsyncClient(timeout=TIMEOUT) as http:
            await http.post(url, json=replacement(parcel, callback))
    except httpx2.HTTPError as error:
        _log.warning("an answered question could not be shown as such: %s", type(error).__name__)


def replacement(parcel: Parcel, callback: Callback) -> dict[str, Any]:
    """The message that stands where the buttons were."""
    asked = (payload_of(parcel).get("message") or {}).get("text") or "The question"
    return {"replace_original": True, "text": f"{asked}\n\u2714 {spoken(callback.told)}"}
