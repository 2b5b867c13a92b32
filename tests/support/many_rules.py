"""Rules as a busy installation has them: globs, lists, regular expressions, groups, and every fifth with CEL."""

from typing import Any

from orchestrator.rules.load import condition_of
from orchestrator.rules.rulebook import Rulebook
from tests.support.builders import rule

KINDS = (
    "github/issues.labeled",
    "github/issues.opened",
    "github/issue_comment.*",
    "github/push",
    "github/pull_request.*",
    "github/workflow_run.completed",
    "stripe/invoice.*",
    "stripe/checkout.session.completed",
    "sentry/issue.*",
    "billing/*",
)


def mixed(count: int, kinds: tuple[str, ...] = KINDS[:1]) -> Rulebook:
    """So many rules, spread over these kinds of events; about one in a hundred of those asked acts.

    Each has a key and inputs of its own, as real ones have.
    """
    return Rulebook(
        rule(
            f"r{number}",
            on=(kinds[number % len(kinds)],),
            when=_read(_when(number)),
            key=f"case-{number}:" + "{{ event.repository.full_name }}#{{ event.issue.number }}",
            with_={
                "number": "{{ event.issue.number }}",
                "title": f"{number}: " + "{{ event.issue.title }}",
                "labels": "{{ event.issue.labels | map(attribute='name') | first }}" + f"-{number}",
            },
        )
        for number in range(count)
    )


def _when(number: int) -> dict[str, Any]:
    repository = "*" if number % 97 == 0 else f"acme/service-{number % 200}*"
    return {"repository.full_name": repository, **SHAPES[number % len(SHAPES)](number)}


def _cel(number: int) -> dict[str, Any]:
    text = f"size(event.issue.labels) >= {number % 3} && !event.issue.title.contains('wip{number}')"
    return {"issue.state": "open", "cel": text}


def _regex(number: int) -> dict[str, Any]:
    return {"issue.title": {"regex": f"(?i)(crash|slow|fail).*{number}"}, "issue.locked": False}


def _labels(number: int) -> dict[str, Any]:
    return {
        "issue.labels[*].name": {"none": ["wontfix", f"no-bot-{number}"]},
        "issue.number": {"gt": number},
    }


def _group(number: int) -> dict[str, Any]:
    return {
        "any": [
            {"issue.author_association": ["OWNER", "MEMBER", "COLLABORATOR"]},
            {"issue.labels[*].name": {"has": f"team-{number % 30}"}},
        ]
    }


def _glob(number: int) -> dict[str, Any]:
    return {"sender.login": f"user-{number % 50}*", "issue.milestone": {"exists": True}}


SHAPES = (_cel, _regex, _labels, _group, _glob)


def _read(when: dict[str, Any]) -> Any:
    condition, flaws = condition_of(when, ("r", "when"))
    if flaws:
        raise ValueError(flaws)
    return condition
