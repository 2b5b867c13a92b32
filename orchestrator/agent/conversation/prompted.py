"""The prompt of a server with which a conversation begins: asked for once, and pinned word for word.

Its words are its server's. They stand before the event, as what a user says, and never among the instructions.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Final

from orchestrator.agent.hands.definitions import Answered, Asks, Begun, Lost, NotSent, Outcome
from orchestrator.agent.means import Means
from orchestrator.agent.text.untrusted import blocks, shown
from orchestrator.agent.tools.quarantine import way_of
from orchestrator.errors import PersonError
from orchestrator.playbooks import PROMPT
from orchestrator.templates import render_tree
from workflows.playbook import Playbook, Prompt, TextPolicy

DEADLINE: Final = 30.0
"""Seconds for a server to give its prompt."""
MOST: Final = 40_000
"""Characters of a prompt; a longer one is refused, for cut instructions are others."""
WORDS: Final = 300

_TAG: Final = re.compile(r"[<\ufe64\uff1c](?=[\s/\uff0f]*(?:prompt|event)\b)", re.IGNORECASE)
"""Where a block would begin or end, to somebody who doesn't look closely."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Begins:
    """The words a conversation begins with; `digest` is the SHA-256 of exactly these, `name` is `server:name`."""

    name: str
    text: str
    digest: str

    @property
    def block(self) -> str:
        """What the model is shown."""
        return f"The prompt {self.name}, as its server gave it:\n<prompt>\n{self.text}\n</prompt>"

    @property
    def notice(self) -> str:
        """What people are shown."""
        return f"Begins with the prompt {self.name}, sha256 {self.digest[:16]}."


async def begins_with(
    means: Means, playbook: Playbook, inputs: Mapping[str, Any], key: str
) -> Begins | None:
    """The words of a playbook's prompt; None where it has none. Raises PersonError: a person must mend it."""
    prompt = playbook.prompt
    if prompt is None:
        return None
    name = f"{prompt.server}:{prompt.name}"
    _same_server(means, prompt, name)
    given = render_tree(dict(prompt.arguments), {"with": inputs})
    outcome = await means.hands.call(
        prompt.server,
        PROMPT,
        {"name": prompt.name, "arguments": {at: _word(one) for at, one in given.items()}},
        deadline=DEADLINE,
        key=key,
    )
    if isinstance(outcome, Answered) and not outcome.is_error:
        return _begins(name, outcome, playbook.text)
    told = shown(_said(outcome), playbook.text)[:WORDS]
    raise PersonError(f"the prompt {name} of playbook {playbook.name!r} can't be had: {told}")


def _said(outcome: Outcome) -> str:
    match outcome:
        case Answered():
            return "; ".join(str(one.get("text")) for one in outcome.content)
        case NotSent() | Lost():
            return outcome.reason
        case Begun():
            return "it began a task"
        case Asks():
            return "it asks people something first"


def _same_server(means: Means, prompt: Prompt, name: str) -> None:
    configuration = means.configuration()
    lock = configuration.lock
    locked = None if lock is None else lock.servers.get(prompt.server)
    if lock is not None and not lock.sound:
        raise PersonError(
            "tools.lock can't be used, so no prompt is asked for; run `doorbell check`"
        )
    if locked is not None and locked.reached != way_of(configuration.servers.get(prompt.server)):
        raise PersonError(
            f"the prompt {name}: its server is reached otherwise than when its tools were locked; look at servers.yaml,"
            f" then run `doorbell lock --accept {prompt.server}`"
        )


def _begins(name: str, answer: Answered, policy: TextPolicy) -> Begins:
    said = [
        str(one.get("text") or f"[{one['type']} omitted]") for one in blocks(answer.content, policy)
    ]
    # Nothing in it may close the block it stands in, nor look like the event that follows.
    text = _TAG.sub("&lt;", "\n\n".join(said))
    if len(text) > MOST or answer.truncated:
        raise PersonError(f"the prompt {name} is longer than {MOST} characters: shorten it")
    return Begins(name=name, text=text, digest=sha256(text.encode()).hexdigest())


def _word(value: Any) -> str:
    """Arguments of prompts are texts."""
    return value if isinstance(value, str) else str(value).lower()
