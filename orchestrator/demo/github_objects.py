"""The objects of GitHub's API, made from the few fields that matter; pure, and complete by its OpenAPI description."""

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

Object = dict[str, Any]
"""One JSON object of GitHub's."""

API: Final = "https://api.github.com"
WEB: Final = "https://github.com"
LABELS: Final[Mapping[str, tuple[str, str]]] = {
    "bug": ("d73a4a", "Something isn't working"),
    "documentation": ("0075ca", "Improvements or additions to documentation"),
    "duplicate": ("cfd3d7", "This issue or pull request already exists"),
    "enhancement": ("a2eeef", "New feature or request"),
    "good first issue": ("7057ff", "Good for newcomers"),
    "needs-info": ("fbca04", "Waiting for more information from the reporter"),
    "question": ("d876e3", "Further information is requested"),
}
NEW_LABEL_COLOR: Final = "ededed"


def stamp(at: datetime) -> str:
    """A moment as GitHub writes it."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def user(login: str, id: int) -> Object:  # noqa: A002 - GitHub's word for it
    """An account; one whose login ends in `[bot]` is a bot."""
    bot = login.endswith("[bot]")
    api, web = f"{API}/users/{login}", login.removesuffix("[bot]")
    return {
        "login": login,
        "id": id,
        "node_id": f"U_{id}",
        "avatar_url": f"https://avatars.githubusercontent.com/u/{id}?v=4",
        "gravatar_id": "",
        "url": api,
        "html_url": f"{WEB}/apps/{web}" if bot else f"{WEB}/{web}",
        "followers_url": f"{api}/followers",
        "following_url": f"{api}/following{{/other_user}}",
        "gists_url": f"{api}/gists{{/gist_id}}",
        "starred_url": f"{api}/starred{{/owner}}{{/repo}}",
        "subscriptions_url": f"{api}/subscriptions",
        "organizations_url": f"{api}/orgs",
        "repos_url": f"{api}/repos",
        "events_url": f"{api}/events{{/privacy}}",
        "received_events_url": f"{api}/received_events",
        "type": "Bot" if bot else "User",
        "user_view_type": "public",
        "site_admin": False,
    }


def label(repository: Object, name: str) -> Object:
    """A label; a name that GitHub does not know gets no description."""
    color, description = LABELS.get(name, (NEW_LABEL_COLOR, None))
    identity = invented_id(f"label:{name}")
    return {
        "id": identity,
        "node_id": f"LA_{identity}",
        "url": f"{API}/repos/{repository['full_name']}/labels/{name.replace(' ', '%20')}",
        "name": name,
        "color": color,
        "default": name in LABELS and name != "needs-info",
        "description": description,
    }


def issue(
    repository: Object, number: int, *, title: str, body: str | None, author: Object, at: datetime
) -> Object:
    """A new open issue."""
    return complete(
        repository,
        {
            "id": repository["id"] * 10 + number,
            "number": number,
            "title": title,
            "body": body,
            "user": author,
            "labels": [],
            "state": "open",
            "created_at": stamp(at),
            "updated_at": stamp(at),
        },
    )


def complete(repository: Object, issue: Object) -> Object:
    """The issue with every field that GitHub's description requires; recorded payloads may be older than it."""
    name, number = repository["full_name"], issue["number"]
    url = f"{API}/repos/{name}/issues/{number}"
    return {
        "url": url,
        "repository_url": f"{API}/repos/{name}",
        "labels_url": f"{url}/labels{{/name}}",
        "comments_url": f"{url}/comments",
        "events_url": f"{url}/events",
        "html_url": f"{WEB}/{name}/issues/{number}",
        "node_id": f"I_{issue['id']}",
        "state_reason": None,
        "locked": False,
        "assignee": None,
        "assignees": [],
        "milestone": None,
        "comments": 0,
        "closed_at": None,
        "author_association": association(repository, None, issue["user"]),
        "active_lock_reason": None,
        **issue,
    }


def comment(issue: Object, author: Object, body: str, at: datetime, association: str) -> Object:
    """The next comment of an issue."""
    identity = issue["id"] * 1000 + issue["comments"] + 1
    url = f"{issue['repository_url']}/issues/comments/{identity}"
    return {
        "url": url,
        "html_url": f"{issue['html_url']}#issuecomment-{identity}",
        "issue_url": issue["url"],
        "id": identity,
        "node_id": f"IC_{identity}",
        "user": author,
        "created_at": stamp(at),
        "updated_at": stamp(at),
        "author_association": association,
        "body": body,
        "performed_via_github_app": None,
    }


def association(repository: Object, issue: Object | None, author: Object) -> str:
    """What an author is to the repository, as far as it can be known from what was seen."""
    if author["id"] == repository["owner"]["id"]:
        return "OWNER"
    if issue is not None and author["id"] == issue["user"]["id"]:
        return str(issue["author_association"])
    return "NONE"


def invented_id(name: str) -> int:
    """An id for something that only has a name, the same each time."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:4])


def account(owner: Object, since: str | int) -> Object:
    """An account as `GET /user` shows it."""
    created = datetime.fromtimestamp(since, UTC) if isinstance(since, int) else None
    at = stamp(created) if created else since
    return {
        **owner,
        "name": None,
        "company": None,
        "blog": "",
        "location": None,
        "email": None,
        "hireable": None,
        "bio": None,
        "public_repos": 0,
        "public_gists": 0,
        "followers": 0,
        "following": 0,
        "created_at": at,
        "updated_at": at,
    }
