"""How much of a secret stands in texts that have it in pieces, whatever is between them; pure, it decodes nothing."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final

PIECE: Final = 8
"""Signs in a row that are a piece; fewer stand by chance in ordinary texts."""

SHORTEST: Final = 16
"""Signs of a secret that is looked for in pieces."""

ENOUGH: Final = 0.5
"""From this share of a secret on it is given away."""

Form = tuple[str, str]
"""A secret's bare signs and its reference."""


@dataclass(frozen=True, slots=True)
class Index:
    """Where each piece stands in each form."""

    forms: Sequence[Form]
    places: Mapping[str, Sequence[tuple[int, int]]] = field(default_factory=dict)

    def shown(self, said: Iterable[str]) -> dict[int, set[int]]:
        """Which signs of which form these bare texts show."""
        shown: dict[int, set[int]] = defaultdict(set)
        for text in said:
            for start in range(len(text) - PIECE + 1):
                for form, place in self.places.get(text[start : start + PIECE], ()):
                    shown[form].update(range(place, place + PIECE))
        return shown


@lru_cache(maxsize=8)
def index(forms: tuple[Form, ...]) -> Index:
    """Of those forms that are long enough."""
    places: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for number, (form, _) in enumerate(forms):
        if len(form) < SHORTEST:
            continue
        for start in range(len(form) - PIECE + 1):
            piece = form[start : start + PIECE]
            # Words may be part of many secrets, and are part of many texts.
            if not piece.isalpha() and not piece.isdigit():
                places[piece].append((number, start))
    return Index(forms, places)


def given_away(
    forms: tuple[Form, ...], said: Iterable[str], before: Iterable[str] = ()
) -> str | None:
    """The reference of a secret of which these texts, with those before, show too much; None where they add nothing."""
    known = index(forms)
    shown = known.shown(said)
    earlier = known.shown(before) if shown else {}
    for number, places in shown.items():
        form, reference = known.forms[number]
        if len(places | earlier.get(number, set())) >= ENOUGH * len(form):
            return reference
    return None
