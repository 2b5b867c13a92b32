"""Search over a handful of issues: words scored against titles and bodies; pure, and honest about being simple.

GitHub's own search is far better. This one understands `repo:`, `state:`, `is:open`, `is:closed`, `label:` and
`in:title`; it passes over every other qualifier.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

Object = Mapping[str, Any]

SMALL_WORDS: Final = frozenset(
    {
        "a",
        "an",
        "and",
        "are",
        "as",
        "at",
        "be",
        "but",
        "by",
        "can",
        "for",
        "from",
        "has",
        "how",
        "i",
        "in",
    }
    | {
        "is",
        "it",
        "my",
        "not",
        "of",
        "on",
        "or",
        "that",
        "the",
        "there",
        "this",
        "to",
        "was",
        "we",
        "when",
    }
    | {"where", "which", "why", "with", "you"}
)
_QUALIFIER: Final = re.compile(r'(-?)([a-z]+):("[^"]*"|\S+)', re.IGNORECASE)
_TITLE_WEIGHT: Final = 2.0
_BODY_WEIGHT: Final = 1.0


def search(issues: Iterable[Object], query: str) -> list[tuple[float, Object]]:
    """Every issue that holds one of the words or more, the best first, with its score between 0 and 1."""
    qualifiers = _qualifiers(query)
    wanted = frozenset(words(_QUALIFIER.sub(" ", query)))
    in_title = ("in", "title") in qualifiers
    scored = [
        (_score(issue, wanted, in_title=in_title), issue)
        for issue in issues
        if _qualifies(issue, qualifiers)
    ]
    return sorted((one for one in scored if one[0] > 0), key=_best_first)


def repositories(query: str) -> list[str]:
    """The repositories a query names, in lower case."""
    return [value for name, value in _qualifiers(query) if name == "repo"]


def words(text: str | None) -> list[str]:
    """The words of a text that say what it is about, in lower case."""
    found = re.findall(r"\w+", (text or "").lower())
    return [word for word in found if word not in SMALL_WORDS and len(word) > 1]


def _qualifiers(query: str) -> list[tuple[str, str]]:
    found = _QUALIFIER.findall(query)
    return [(name.lower(), value.strip('"').lower()) for minus, name, value in found if not minus]


def _qualifies(issue: Object, qualifiers: Iterable[tuple[str, str]]) -> bool:
    return all(_holds(issue, name, value) for name, value in qualifiers)


def _holds(issue: Object, name: str, value: str) -> bool:
    match name, value:
        case (("is" | "state"), ("open" | "closed")):
            return bool(issue["state"] == value)
        case (("is" | "type"), ("pr" | "pull-request")):
            return "pull_request" in issue
        case "label", _:
            return value in {label["name"].lower() for label in issue["labels"]}
        case _:
            return True


def _score(issue: Object, wanted: frozenset[str], *, in_title: bool) -> float:
    if not wanted:
        return 1.0
    title = wanted.intersection(words(issue["title"]))
    body = frozenset() if in_title else wanted.intersection(words(issue["body"]))
    most = len(wanted) * (_TITLE_WEIGHT + _BODY_WEIGHT)
    return (len(title) * _TITLE_WEIGHT + len(body) * _BODY_WEIGHT) / most


def _best_first(scored: tuple[float, Object]) -> tuple[float, int]:
    score, issue = scored
    return -score, issue["number"]
