"""Which pictures and documents a model is shown no more because a request with them is refused; pure, it asks nobody.

What is withheld stays among the artifacts; in its place the model is told what it was.
"""

import base64
import binascii
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from orchestrator.agent import pictures
from orchestrator.ledger.calls import Call

REFUSED: Final = "the model's provider refused the request that held it"

_ATTACHED: Final = frozenset({"image", "document"})

Block = Mapping[str, Any]


def newest(calls: Sequence[Call]) -> int:
    """The newest turn with a result that holds an attachment; 0 where there is none."""
    return max(
        (call.turn for call in calls if any(map(_is_attached, call.content or ()))), default=0
    )


def withheld(call: Call) -> Call:
    """The same call, with words in the place of what is attached to its result."""
    if call.content is None:
        return call
    content = [_instead(one, REFUSED) if _is_attached(one) else one for one in call.content]
    return replace(call, content=content)


def fitting(messages: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The same conversation without the large ones of its pictures, where it has many."""
    if sum(block["type"] == "image" for block in _shown(messages)) <= pictures.MANY:
        return [dict(message) for message in messages]
    return [
        {**message, "content": [_fit(block) for block in message["content"]]}
        for message in messages
    ]


def _shown(messages: Sequence[Mapping[str, Any]]) -> Iterator[Block]:
    for message in messages:
        for block in message["content"]:
            if block.get("type") == "tool_result":
                yield from block["content"]


def _fit(block: Block) -> Block:
    if block.get("type") != "tool_result":
        return block
    return {**block, "content": [_small(inner) for inner in block["content"]]}


def _small(block: Block) -> Block:
    if block["type"] != "image":
        return block
    why = pictures.unfit(_decoded(block["source"]["data"]), pictures.LONGEST_OF_MANY)
    return _instead(block, f"{why} where there are many pictures") if why else block


def _is_attached(block: Block) -> bool:
    return block.get("type") in _ATTACHED


def _instead(block: Block, why: str) -> Block:
    what = block["source"].get("media_type", block["type"])
    return {"type": "text", "text": f"[{what} omitted: {why}]"}


def _decoded(data: str) -> bytes:
    try:
        return base64.b64decode(data)
    except binascii.Error:
        return b""
