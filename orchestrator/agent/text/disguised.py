"""Known secrets in disguise, in what is about to leave: split up, spelled out, encoded or turned round; pure.

`redacting` takes out what stands there as it is. Here a text is read as somebody would who wants the secret to get
through: without what separates its signs, decoded, backwards, in pieces, with what was said before. What is found is a
reason to stop a call, and nothing is replaced.
"""

import base64
import codecs
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Final

from orchestrator.agent.text.decoding import decoded
from orchestrator.agent.text.looks import bare
from orchestrator.agent.text.pieces import Form, given_away
from orchestrator.agent.text.redacting import Redaction

SHORTEST: Final = 12
SHORTEST_MIXED: Final = 8
"""Letters and digits of a form; fewer of one kind would be found across the words of ordinary sentences."""

_TAGS: Final = {0xE0000 + sign: chr(sign) for sign in range(0x20, 0x7F)}


def disguised_in(texts: Sequence[str], known: Redaction, earlier: Sequence[str] = ()) -> str | None:
    """The reference of a secret that these texts carry together, however it is dressed; None where there is none.

    `earlier` are texts that have left before: what these add to them counts.
    """
    wanted = _wanted(known)
    if not wanted:
        return None
    said, before = [*_readings(texts)], [*_readings(earlier)] if earlier else []
    joined = [*said, before[0] + said[0]] if before else said
    for form, reference in wanted:
        if any(form in one for one in joined):
            return reference
    return given_away(wanted, said, before)


@lru_cache(maxsize=8)
def _wanted(known: Redaction) -> tuple[Form, ...]:
    forms = {
        bare(form): reference
        for whole, reference in known.forms
        for form in (whole, _base32(whole))
    }
    return tuple((form, reference) for form, reference in forms.items() if _is_long(form))


def _base32(form: str) -> str:
    raw = form.encode()
    return base64.b32encode(raw).decode()[: len(raw) * 8 // 5]


def _is_long(form: str) -> bool:
    mixed = not form.isdigit() and not form.isalpha()
    return len(form) >= (SHORTEST_MIXED if mixed else SHORTEST)


def _readings(texts: Sequence[str]) -> Iterator[str]:
    """What they say to somebody who looks for it, together first."""
    plain = [text.translate(_TAGS) for text in texts]
    # A blank between them ends what is encoded in one, and none joins what is encoded over several.
    joints = dict.fromkeys(("".join(plain), " ".join(plain)))
    for said in dict.fromkeys(bare(one) for joint in joints for one in decoded(joint)):
        yield from (said, said[::-1], codecs.encode(said, "rot13"))
