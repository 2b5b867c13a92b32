"""Globs over `source/type`: `*` and `?` cross every character, and nothing else is special; pure."""

import re
from typing import Final

_WILD: Final = {"*": ".*", "?": "."}


def glob(pattern: str) -> re.Pattern[str]:
    """The pattern to `fullmatch` a `source/type` with."""
    pieces = (_WILD.get(character) or re.escape(character) for character in pattern)
    return re.compile("".join(pieces), re.DOTALL)
