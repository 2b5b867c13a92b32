"""GitHub's objects cut down to the fields an agent needs; it knows their shape and makes no call."""

import json
from collections.abc import Iterable, Mapping
from typing import Any, Final

EXCERPT: Final = 500
"""Characters of a body that a search result shows; `issue_read` shows it whole."""


def text(answer: object) -> str:
    """The answer as compact JSON."""
    return json.dumps(answer, ensure_ascii=False, separators=(",", ":"))


def issue(found: Mapping[str, Any]) -> dict[str, Any]:
    """An issue with its whole body."""
    return {
        **_kept(found, "id", "number", "title", "body", "state", "state_reason", "locked"),
        "labels": [_name(label) for label in found.get("labels", ())],
        "assignees": [user["login"] for user in found.get("assignees") or ()],
        "user": _login(found),
        **_kept(found, "author_association", "comments", "created_at", "updated_at", "closed_at"),
        "html_url": found.get("html_url"),
        **({"is_pull_request": True} if found.get("pull_request") else {}),
    }


def hit(found: Mapping[str, Any]) -> dict[str, Any]:
    """A search result: an issue with the beginning of its body."""
    shown = issue(found)
    body = shown.get("body") or ""
    if len(body) > EXCERPT:
        shown["body"] = f"{body[:EXCERPT]}…"
    return shown


def comment(found: Mapping[str, Any]) -> dict[str, Any]:
    """A comment with its whole body."""
    return {
        "id": found["id"],
        "user": _login(found),
        **_kept(found, "author_association", "body", "created_at", "updated_at", "html_url"),
    }


def label(found: Mapping[str, Any] | str) -> dict[str, Any]:
    """A label and what it is for."""
    return {"name": found} if isinstance(found, str) else _kept(found, "name", "description")


def written(found: Mapping[str, Any]) -> dict[str, Any]:
    """What a write left behind, without repeating the body that was just sent."""
    return {key: value for key, value in issue(found).items() if key != "body"}


def posted(found: Mapping[str, Any]) -> dict[str, Any]:
    """A comment that was just posted, without repeating its body."""
    return {key: value for key, value in comment(found).items() if key != "body"}


def deployment(found: Mapping[str, Any]) -> dict[str, Any]:
    """A deployment that was just asked for."""
    return _kept(
        found, "id", "sha", "ref", "task", "environment", "description", "created_at", "url"
    )


def deployed(found: Mapping[str, Any], status: Mapping[str, Any]) -> dict[str, Any]:
    """A deployment and how it ended."""
    return {
        **_kept(found, "id", "sha", "ref", "environment"),
        **_kept(status, "state", "description", "target_url", "environment_url", "updated_at"),
    }


def ran(found: Mapping[str, Any]) -> dict[str, Any]:
    """A workflow run and how it ended."""
    return _kept(
        found,
        *("id", "name", "status", "conclusion", "head_branch", "head_sha", "event"),
        *("run_number", "run_attempt", "html_url", "updated_at"),
    )


def dispatched(found: Mapping[str, Any]) -> dict[str, Any]:
    """A workflow run that was just asked for; GitHub Enterprise Server may not say which."""
    return _kept(found, "workflow_run_id", "run_url", "html_url") or {"dispatched": True}


def user(found: Mapping[str, Any]) -> dict[str, Any]:
    """Who the token belongs to."""
    return _kept(found, "login", "id", "type", "name", "html_url")


def within(found: Iterable[Mapping[str, Any]], owner: str, repo: str | None) -> list[Any]:
    """The issues of one owner, or of one repository."""
    inside = f"/repos/{owner}/" if repo is None else f"/repos/{owner}/{repo}/"
    return [one for one in found if inside.lower() in f"{one['repository_url']}/".lower()]


def _kept(found: Mapping[str, Any], *names: str) -> dict[str, Any]:
    return {name: found[name] for name in names if found.get(name) is not None}


def _name(label_: Mapping[str, Any] | str) -> str:
    return label_ if isinstance(label_, str) else str(label_["name"])


def _login(found: Mapping[str, Any]) -> str | None:
    # GitHub gives null for an account that was deleted.
    author = found.get("user")
    return author["login"] if author else None
