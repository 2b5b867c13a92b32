"""Who wrote what a payload is about, as its source vouches; pure, and whom to trust is not asked here.

Only the dialect may say where that stands: in the payload of another sender the same fields are a stranger's text.
"""

from collections.abc import Mapping
from html import unescape
from typing import Any, Final

from orchestrator.events import Author
from orchestrator.sources.github import GithubDialect
from orchestrator.sources.source import Dialect

NEWS: Final = {
    "comment": "created",
    "review": "submitted",
    "issue": "opened",
    "pull_request": "opened",
    "discussion": "created",
}
"""Where a payload keeps a text, and the action by which that text is news; only the first that is there counts.

A person who labels our issue or deletes our comment rings with our text in the payload, and is not us.
"""

WRITTEN: Final = {"note": (None, "create"), "description": ("open",)}
"""The same in GitLab's `object_attributes`; older versions name no action of a note that is created.

https://docs.gitlab.com/user/project/integrations/webhook_events/
"""


def author_in(dialect: Dialect, data: Any) -> Author | None:
    """Who wrote the newest text; None where the source has no such notion."""
    match dialect:
        case GithubDialect():
            return _github(data if isinstance(data, dict) else {})
        case _:
            return None


def vouches(dialect: Dialect) -> bool:
    """Whether a source says who wrote a text, and how they stand to the place where they did."""
    return isinstance(dialect, GithubDialect)


def newest(data: Any) -> tuple[str, Mapping[str, Any]] | None:
    """What a payload is about, by its name: the comment before the issue that it stands under."""
    if not isinstance(data, dict):
        return None
    return next(((name, data[name]) for name in NEWS if isinstance(data.get(name), dict)), None)


def is_news(data: Any) -> bool:
    """Whether the newest text of a payload has just been written."""
    found = newest(data)
    return found is not None and data.get("action") == NEWS[found[0]]


def new_words(data: Any) -> str:
    """The text that has just been written, in the words of GitHub, GitLab or Slack; empty where there is none."""
    found = newest(data)
    if found is not None and is_news(data):
        return _text(found[1], "body")
    said = data if isinstance(data, dict) else {}
    # Slack escapes these three signs and no others: https://docs.slack.dev/messaging/formatting-message-text
    return _gitlab(_object(said, "object_attributes")) or unescape(
        _text(_object(said, "event"), "text")
    )


def _gitlab(attributes: Mapping[str, Any]) -> str:
    name = "note" if "note" in attributes else "description"
    return _text(attributes, name) if attributes.get("action") in WRITTEN[name] else ""


def _github(data: Mapping[str, Any]) -> Author:
    found = newest(data)
    thing = {} if found is None else found[1]
    user, association = _object(thing, "user"), thing.get("author_association")
    app = _object(thing, "performed_via_github_app").get("slug") if is_news(data) else None
    id_, login = user.get("id"), user.get("login")
    return Author(
        id=str(id_) if isinstance(id_, int) else None,
        login=login if isinstance(login, str) else None,
        association=association if isinstance(association, str) else None,
        app=app if isinstance(app, str) else None,
        fork=_fork(data),
    )


def _fork(data: Mapping[str, Any]) -> bool | None:
    pull, run = _object(data, "pull_request"), _object(data, "workflow_run")
    if isinstance(pull.get("head"), dict) and isinstance(pull.get("base"), dict):
        home = _object(_object(pull, "base"), "repo").get("id")
        # A fork that has been deleted leaves null behind.
        return home is None or _object(_object(pull, "head"), "repo").get("id") != home
    if "head_repository" in run:
        home = _object(data, "repository").get("id")
        return home is None or _object(run, "head_repository").get("id") != home
    return None


def _text(data: Mapping[str, Any], name: str) -> str:
    value = data.get(name)
    return value if isinstance(value, str) else ""


def _object(data: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = data.get(name)
    return value if isinstance(value, dict) else {}
