"""Others' text for the Temporal UI, which renders Markdown: shown letter by letter, it is no link and no markup; pure.

plain("github/* for x:[a](https://e)")  ->  "`github/* for x:[a](https://e)`"
"""

import re
import sys

_WORDS = re.compile(r"[A-Za-z0-9 ,;]*")


def plain(text: str, room: int = sys.maxsize) -> str:
    """One line of at most so many bytes, as code unless it is nothing but words."""
    # Nothing else of Markdown counts in code; a backtick would end it.
    seen = "".join(char if char.isprintable() else " " for char in text).replace("`", "'")
    line = " ".join(seen.split()).encode()[:room].decode(errors="ignore")
    return line if _WORDS.fullmatch(line) else f"`{line}`"


def plain_lines(text: str) -> str:
    """The same, line by line."""
    return "  \n".join(plain(line) for line in text.splitlines() if line.strip())
