"""What the protocol says on its way, in words: progress, ends, errors; it sends nothing."""

from collections.abc import Callable

from mcp.shared.dispatcher import ProgressFnT
from pydantic import ValidationError

MAX_PROGRESS = 200
"""Characters of what a server says about its progress."""
MAX_READ = 10_000


def heard(tell: Callable[[str], None], redacted: Callable[[str], str]) -> ProgressFnT:
    """Tell a server's progress in a line: its message, and how far it is."""

    async def hear(progress: float, total: float | None, message: str | None) -> None:
        count = f"{progress:g}" if total is None else f"{progress:g}/{total:g}"
        # Cut after the redacting too: a secret cut in two is one that nobody finds.
        said = redacted(message[:MAX_READ]) if message else ""
        tell(f"{said[:MAX_PROGRESS]} ({count})" if said else count)

    return hear


def is_end(message: str) -> bool:
    """Whether these are the SDK's words for a connection that ended; servers use its code for errors of their own."""
    return message == "Connection closed" or message.startswith("SSE stream")


def unreadable(error: ValidationError) -> str:
    """That an answer is none, for the model."""
    first = error.errors(include_url=False, include_input=False)[0]
    where = ".".join(str(step) for step in first["loc"])
    return (
        f"The server answered with something that is not a tool result ({where}: {first['msg']})."
        " It may have acted: look before you try again."
    )


def words(error: BaseException) -> str:
    """An exception as a person reads it; of a group, its members."""
    if isinstance(error, BaseExceptionGroup):
        return "; ".join(dict.fromkeys(words(member) for member in error.exceptions))
    if isinstance(error, TimeoutError):
        return "no answer in time"
    return str(error) or type(error).__name__
