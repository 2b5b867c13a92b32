"""What a sender is told about a delivery that was kept, where a receipt with 202 isn't what it expects; pure.

Most senders take any 2xx. Some want exactly 200, some show the answer's body to a person, some read it as orders.
"""

import json
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final

from orchestrator.sources.greeting import PLAIN, Reply
from orchestrator.sources.source import Reading, Thanks

DEFERRED: Final = 5
DEFERRED_UPDATE: Final = 6
CHOICES: Final = 8
_DISCORD: Final[Mapping[str, dict[str, Any]]] = {
    "interaction.command": {"type": DEFERRED},
    "interaction.component": {"type": DEFERRED_UPDATE},
    "interaction.autocomplete": {"type": CHOICES, "data": {"choices": []}},
    "interaction.modal": {"type": DEFERRED},
}


def ok(_reading: Reading) -> Reply:
    """200 and the receipt."""
    return Reply(body=None)


def slack(reading: Reading) -> Reply:
    """200; of a command or an interaction the body would be shown to the person, so it is empty."""
    data = reading.data
    events = isinstance(data, dict) and "event" in data
    return Reply(body=None) if events else Reply(content_type=PLAIN)


def twilio(_reading: Reading) -> Reply:
    """An empty TwiML document: do nothing yet. Anything else is an error to Twilio."""
    return Reply(body=b"<Response/>", content_type="text/xml")


def discord(reading: Reading) -> Reply:
    """An interaction is deferred (its token answers it within 15 minutes), an event is acknowledged with 204.

    https://docs.discord.com/developers/interactions/receiving-and-responding#interaction-response-object
    """
    deferred = _DISCORD.get(reading.type)
    if deferred is None:
        return Reply(status=HTTPStatus.NO_CONTENT)
    return Reply(body=json.dumps(deferred).encode())


THANKS: Final[Mapping[str, Thanks]] = {
    "ok": ok,
    "slack": slack,
    "twilio": twilio,
    "discord": discord,
}
