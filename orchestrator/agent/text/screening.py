"""What may not leave in a call: secrets, in any form, and more links or mentions than a playbook allows; pure.

A token is looked for in prose only. An argument that is one word is taken for what the tool works on, an id or a
digest; in a sentence for people, forty random signs are something that somebody wants to get out.
"""

import html
import math
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise
from typing import Any, Final

from orchestrator.agent.text.disguised import disguised_in
from orchestrator.agent.text.redacting import Redaction
from workflows.playbook import Screening, Tokens

MOST_CHANGES: Final = 0.4
"""From capital to small letter to digit, in each sign: what somebody named has less, random signs have 0.64."""

MOST_ENTROPY: Final = 4.0
"""Bits per sign: words and names have less, random letters and digits of that length more."""

# Formats that their makers chose so that they can be found: https://github.com/gitleaks/gitleaks and the makers' pages.
_KNOWN: Final = re.compile(
    r"""
    (?<![A-Za-z0-9_-])(?:
        gh[opusr]_[A-Za-z0-9]{30,} | github_pat_[A-Za-z0-9_]{40,} | glpat-[A-Za-z0-9_-]{20,}
      | sk-[A-Za-z0-9_-]{32,} | [rs]k_(?:live|test)_[A-Za-z0-9]{20,} | whsec_[A-Za-z0-9+/=]{24,}
      | xox[abeoprs]-[A-Za-z0-9-]{20,} | xapp-[A-Za-z0-9-]{30,}
      | A[KS]IA[A-Z0-9]{16}(?![A-Z0-9]) | AIza[A-Za-z0-9_-]{35} | ya29\.[A-Za-z0-9_-]{30,}
      | npm_[A-Za-z0-9]{36} | pypi-[A-Za-z0-9_-]{50,} | hf_[A-Za-z0-9]{30,} | dop_v1_[a-f0-9]{64}
      | eyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}
    )
    | -----BEGIN[ A-Z]*\ PRIVATE\ KEY-----
    """,
    re.VERBOSE,
)
_LINK: Final = re.compile(
    # Where Markdown or HTML wants an address, it needs no scheme, and browsers mend what is wrong with its slashes.
    r"(?:\]\(\s{0,9}<?|\]:\s{0,9}<?|\b(?:href|src|srcset|action|formaction|poster|cite|data)\s{0,9}=\s{0,9}[\"']?)"
    r"(?P<to>(?:(?:https?|ftps?|mailto|javascript|data|file|tel|sms):|[/\\]{2})[^\s<>\"'`)\]|]+)"
    r"|(?:https?|ftp)://[^\s<>\"'`)\]|]+|(?<![\w@.])www\.[^\s<>\"'`)\]|]+",
    re.IGNORECASE,
)
_TOKEN: Final = re.compile(r"[A-Za-z0-9+/_=.~-]{32,}")
_HASHED: Final = re.compile(r"(?:sha(?:1|256|384|512)[-:=])|[0-9a-fA-F-]+\Z")
_MENTION: Final = re.compile(
    # What stands before the sign doesn't hide it: https://github.com/gjtorikian/html-pipeline (mention filter)
    r"(?<![\w@])@[A-Za-z0-9][A-Za-z0-9-]*(?:/[A-Za-z0-9][\w.-]*)?(?![\w@.]*@)"
    r"|<!(?:channel|here|everyone|subteam\^[^>\s]+)(?:\|[^>]*)?>|<@[A-Z0-9]+(?:\|[^>]*)?>"
)
_MARKER: Final = re.compile(r"<!-- doorbell:[0-9a-z.]{1,60} -->\s*\Z")
# Only what is code to every reader of Markdown: a fence begins its line, and nothing else stands on it.
_CODE: Final = re.compile(
    r"^ {0,3}```[^`\n]*\n.*?(?:^ {0,3}```|\Z)|(?<![`\\])`(?!`)[^`\n]+`(?!`)",
    re.DOTALL | re.MULTILINE,
)


class Why(StrEnum):
    """For what a call was stopped."""

    SECRET = "secret"  # noqa: S105 - a word for people
    TOKEN = "token"  # noqa: S105 - a word for people
    LINKS = "links"
    MENTIONS = "mentions"


@dataclass(frozen=True, slots=True)
class Found:
    """What may not leave; the words never show it."""

    why: Why
    words: str


def secret_in(
    arguments: Mapping[str, Any], known: Redaction, earlier: Sequence[Mapping[str, Any]] = ()
) -> Found | None:
    """A secret of ours in the arguments of any call, even of one that only reads: to ask for a URL is to send it.

    `earlier` are the arguments of the run's other calls: a secret may be spread over several.
    """
    for place, text in _texts(arguments):
        reference = known.found_in(text)
        if reference is not None:
            return Found(
                Why.SECRET,
                f"the argument {place} carries the secret {reference}, or names its place",
            )
    # One after the other: a secret may be spread over several arguments, with our own words at the end of one.
    values, before = _said(arguments), [text for one in earlier for text in _said(one)]
    hidden = disguised_in(values, known, before) or disguised_in([*arguments], known)
    if hidden is None:
        return None
    return Found(Why.SECRET, f"its arguments carry the secret {hidden}, in another form")


def unfit(
    arguments: Mapping[str, Any], screening: Screening, prose: str | None = None
) -> Found | None:
    """What else may not leave in a write; `prose` is the argument that is text for people, whatever it looks like."""
    texts = list(_texts(arguments))
    if screening.tokens is Tokens.REFUSE:
        for place, text in texts:
            if _KNOWN.search(text) or _random(text, prose=place == prose):
                return Found(
                    Why.TOKEN, f"the argument {place} carries what looks like a token or a key"
                )
    # A sign that is written as its number is shown as the sign.
    whole = html.unescape("\n".join(text for _, text in texts))
    links, mentions = _links(whole), _mentions(whole)
    if len(links) > screening.links:
        words = f"it has {len(links)} links, and the playbook allows {screening.links} in one call"
        return Found(Why.LINKS, words)
    if len(mentions) > screening.mentions:
        words = f"it mentions {len(mentions)} people or teams, and the playbook allows {screening.mentions} in one call"
        return Found(Why.MENTIONS, words)
    return None


def _said(arguments: Mapping[str, Any]) -> list[str]:
    texts = [text for one in arguments.values() for text in _within(one)]
    # Behind all others: ours stands between two that belong together, and one that isn't ours may carry anything.
    marked = [found.group() for text in texts if (found := _MARKER.search(text)) is not None]
    return [*(_MARKER.sub("", text) for text in texts), *marked]


def _texts(arguments: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name, value in arguments.items():
        yield str(name), str(name)
        yield from ((str(name), text) for text in _within(value))


def _within(value: Any) -> Iterator[str]:
    match value:
        case str():
            yield value
        case Mapping():
            for name, one in value.items():
                yield str(name)
                yield from _within(one)
        case list() | tuple():
            for one in value:
                yield from _within(one)
        case _:
            return


def _random(text: str, *, prose: bool) -> bool:
    if not prose and not any(char.isspace() for char in text.strip()):
        return False
    return any(_is_random(found.group()) for found in _TOKEN.finditer(_LINK.sub(" ", text)))


def _is_random(word: str) -> bool:
    # Paths, names and digests are long too: what is random changes its kind of sign at every other one.
    kinds = [_kind(char) for char in word.rstrip("=.")]
    if _HASHED.match(word) or not {"upper", "lower", "digit"} <= {*kinds}:
        return False
    changes = sum(one != other for one, other in pairwise(kinds))
    return changes >= MOST_CHANGES * len(kinds) and _entropy(word) >= MOST_ENTROPY


def _kind(char: str) -> str:
    if char.isdigit():
        return "digit"
    return "upper" if char.isupper() else "lower" if char.islower() else "other"


def _entropy(word: str) -> float:
    counts = Counter(word).values()
    return -sum(count / len(word) * math.log2(count / len(word)) for count in counts)


def _links(text: str) -> set[str]:
    return {(found["to"] or found.group()).rstrip(".,;:!?") for found in _LINK.finditer(text)}


def _mentions(text: str) -> set[str]:
    # What stands in code notifies nobody.
    said = _LINK.sub(" ", _CODE.sub(" ", text))
    return {found.group().lower() for found in _MENTION.finditer(said)}
