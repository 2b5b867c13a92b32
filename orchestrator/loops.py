"""The loops of a process, which only cancelling ends; it knows no step, no clock and no reason to give up.

Here is the broad except: whatever a round stumbles over is logged under its loop's name, and the next round comes
all the same.
"""

from collections.abc import Awaitable, Callable
from typing import Any, Never

Step = Callable[[], Awaitable[int]]
"""One round; says how much it did."""

Rest = Callable[[int], Awaitable[None]]
"""What passes between two rounds; it hears how much the last one did, which is 0 after a failure."""


Failed = Callable[[str], None]
"""Hears the name of a loop of which a round failed."""


def unheard(_name: str) -> None:
    """Nobody counts the failures."""


async def forever(name: str, step: Step, rest: Rest, log: Any, failed: Failed = unheard) -> Never:
    """Step and rest, until cancelled."""
    while True:
        await rest(await tried(name, step, log, failed))


async def tried(name: str, step: Step, log: Any, failed: Failed = unheard) -> int:
    """One round; a failure is logged, and then nothing was done."""
    try:
        return await step()
    except Exception:
        failed(name)
        log.exception("loop.failed", loop=name)
        return 0
