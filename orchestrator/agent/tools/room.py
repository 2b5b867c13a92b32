"""Whether tools fit into what a playbook may offer (promise H1), and what to take off the list; it asks nobody."""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from orchestrator.agent.tools.builtins import BUILT_INS
from workflows.playbook import MAX_TOOL_TOKENS, MAX_TOOLS, Callback

BYTES_PER_TOKEN: Final = 3.2
"""As for everything else in a request (`conversation.weighing`): on the high side, and by bytes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Excess:
    """What is too much, in words, and the fewest tools without which the rest fits, the dearest first."""

    words: tuple[str, ...]
    drop: tuple[str, ...]


def tokens(definition: Mapping[str, Any]) -> int:
    """What a definition costs in a prompt, estimated from its JSON."""
    said = json.dumps(definition, ensure_ascii=False).encode("utf-8", "surrogatepass")
    return math.ceil(len(said) / BYTES_PER_TOKEN)


def told(definition: Mapping[str, Any], callback: Callback | None) -> Mapping[str, Any]:
    """A definition as the model sees it: with a word on the event that answers its calls later, if one does."""
    if callback is None:
        return definition
    events = ", ".join(callback.events)
    later = f"This run sleeps until the event that answers a call has come ({events}); the result shows both."
    said = f"{definition.get('description', '')}\n\n{later}".strip()
    return {**definition, "description": said}


def built_in_tokens() -> int:
    """What the built-in tools cost."""
    return sum(map(tokens, BUILT_INS.values()))


def excess(prices: Mapping[str, int]) -> Excess | None:
    """What is too much of the tools with these prices beside the built-in ones; None where they fit."""
    count, spent = len(prices) + len(BUILT_INS), sum(prices.values()) + built_in_tokens()
    words = []
    if count > MAX_TOOLS:
        words.append(
            f"expected at most {MAX_TOOLS} tools with the built-in {', '.join(BUILT_INS)}, got {count}"
        )
    if spent > MAX_TOOL_TOKENS:
        words.append(
            f"expected at most {MAX_TOOL_TOKENS} tokens of definitions, got about {spent},"
            f" {built_in_tokens()} of them of the built-in tools"
        )
    if not words:
        return None
    return Excess(words=tuple(words), drop=_fewest(prices, count - MAX_TOOLS, spent))


def _fewest(prices: Mapping[str, int], too_many: int, spent: int) -> tuple[str, ...]:
    """The dearest tools, as few as will do; of the last one, the cheapest that will do as well."""
    dearest = sorted(prices, key=lambda name: (-prices[name], name))
    taken: list[str] = []
    over = spent - MAX_TOOL_TOKENS
    while dearest and (over > 0 or len(taken) < too_many):
        last = over > 0 and len(taken) + 1 >= too_many
        enough = [name for name in dearest if last and prices[name] >= over]
        taken.append(enough[-1] if enough else dearest[0])
        dearest.remove(taken[-1])
        over -= prices[taken[-1]]
    return tuple(taken)
