"""A small GitHub in memory: one repository, its issues, comments and labels; it speaks no HTTP and persists nothing.

Objects have the shape GitHub gives them, in its API and in its webhooks. A change returns the webhooks that
GitHub would send for it, so that whoever serves the API can ring them.
"""

import copy
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from orchestrator.demo import github_objects as objects
from orchestrator.demo.github_objects import LABELS, Object
from orchestrator.demo.github_search import SMALL_WORDS
from orchestrator.errors import OperatorError

Ring = tuple[str, Object]
"""One webhook: its `X-GitHub-Event` name and its payload."""

BOT_LOGIN: Final = "doorbell-demo[bot]"
BOT_ID: Final = 190018787


@dataclass(frozen=True, slots=True, kw_only=True)
class _Older:
    """An issue from before the first delivery; `days` before it, solved when it has a reason."""

    title: str
    body: str
    label: str
    reason: str | None
    days: int


_OTHERS: Final = (
    _Older(
        title="Support a dark colour scheme",
        body="The bright one hurts at night.",
        label="enhancement",
        reason=None,
        days=210,
    ),
    _Older(
        title="Which Python releases are supported?",
        body="I could find no list of them.",
        label="question",
        reason="completed",
        days=95,
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Write:
    """One change that was made through the API, in the order it happened."""

    method: str
    path: str
    body: Object
    at: datetime


def utc_now() -> datetime:
    """The wall clock."""
    return datetime.now(UTC)


@dataclass(slots=True, kw_only=True)
class GitHubState:
    """One repository; `subject` is the number of the issue that the first delivery was about."""

    repository: Object
    subject: int
    issues: dict[int, Object]
    labels: dict[str, Object]
    comments: dict[int, list[Object]] = field(default_factory=dict)
    deployments: dict[int, Object] = field(default_factory=dict)
    writes: list[Write] = field(default_factory=list)
    now: Callable[[], datetime] = utc_now

    @classmethod
    def from_delivery(
        cls, payload: Object, *, now: Callable[[], datetime] = utc_now
    ) -> "GitHubState":
        """The repository as an issue's delivery shows it, with a few older issues, one of them a likely duplicate.

        Raises OperatorError.
        """
        if "issue" not in payload or "repository" not in payload:
            raise OperatorError(
                f"expected a delivery about an issue of a repository, got one with {sorted(payload)!r}"
            )
        seen = copy.deepcopy(payload)
        repository, subject = seen["repository"], seen["issue"]
        named = {label["name"]: label for label in subject.get("labels", ())}
        labels = {name: objects.label(repository, name) for name in LABELS} | named
        issues = [*_older(repository, labels, subject), objects.complete(repository, subject)]
        return cls(
            repository=repository,
            subject=subject["number"],
            issues={issue["number"]: issue for issue in issues},
            labels=labels,
            now=now,
        )

    @property
    def bot(self) -> Object:
        """The account that owns the token."""
        return objects.user(BOT_LOGIN, BOT_ID)

    def record(self, method: str, path: str, body: Object) -> None:
        """Append one write to the list that the demo prints."""
        self.writes.append(Write(method=method, path=path, body=copy.deepcopy(body), at=self.now()))

    def open_issue(self, fields: Mapping[str, Any]) -> tuple[Object, list[Ring]]:
        """A new issue by the bot, and the webhooks of it."""
        number = max(self.issues) + 1
        issue = objects.issue(
            self.repository,
            number,
            title=fields["title"],
            body=fields.get("body"),
            author=self.bot,
            at=self.now(),
        )
        self.issues[number] = issue
        rings = [self._ring("opened", issue)]
        return issue, rings + self.change_issue(number, _only(fields, "labels", "assignees"))

    def change_issue(self, number: int, fields: Mapping[str, Any]) -> list[Ring]:
        """The fields set as GitHub sets them, and one webhook for each thing that really changed."""
        issue = self.issues[number]
        before = copy.deepcopy(issue)
        issue.update(_only(fields, "title", "body"))
        self._set_labels(issue, fields.get("labels"))
        self._set_assignees(issue, fields.get("assignees"))
        self._set_state(issue, fields.get("state"), fields.get("state_reason"))
        changes = list(_changes(before, issue))
        if changes:
            issue["updated_at"] = objects.stamp(self.now())
        return [self._ring(action, issue, **more) for action, more in changes]

    def add_labels(self, number: int, names: Sequence[str]) -> list[Ring]:
        """The labels added to those the issue has."""
        present = [label["name"] for label in self.issues[number]["labels"]]
        return self.change_issue(number, {"labels": [*present, *names]})

    def comment(self, number: int, author: Object, body: str) -> tuple[Object, Ring]:
        """A new comment, and the webhook of it."""
        issue, at = self.issues[number], self.now()
        said = self.comments.setdefault(number, [])
        comment = objects.comment(
            issue, author, body, at, objects.association(self.repository, issue, author)
        )
        said.append(comment)
        issue.update(comments=issue["comments"] + 1, updated_at=objects.stamp(at))
        payload = {
            "action": "created",
            "issue": issue,
            "comment": comment,
            "repository": self.repository,
            "sender": author,
        }
        return comment, ("issue_comment", copy.deepcopy(payload))

    def comment_as(self, login: str, id: int, body: str) -> Object:  # noqa: A002 - GitHub's word for it
        """A person's reply to the issue of the first delivery: the payload of its webhook."""
        _, (_, payload) = self.comment(self.subject, objects.user(login, id), body)
        return payload

    def _ring(self, action: str, issue: Object, **more: Any) -> Ring:
        payload = {"action": action, "issue": issue, **more}
        payload |= {"repository": self.repository, "sender": self.bot}
        return "issues", copy.deepcopy(payload)

    def _set_labels(self, issue: Object, names: Sequence[str] | None) -> None:
        if names is None:
            return
        # Names are one label whatever their case, and a writer who names a new one has made it.
        known = {name.lower(): name for name in self.labels}
        for name in names:
            if name.lower() not in known:
                known[name.lower()] = name
                self.labels[name] = objects.label(self.repository, name)
        issue["labels"] = [
            self.labels[known[name]] for name in dict.fromkeys(map(str.lower, names))
        ]

    def _set_assignees(self, issue: Object, logins: Sequence[str] | None) -> None:
        if logins is None:
            return
        issue["assignees"] = [objects.user(login, objects.invented_id(login)) for login in logins]
        issue["assignee"] = issue["assignees"][0] if logins else None

    def _set_state(self, issue: Object, state: str | None, reason: str | None) -> None:
        if state is None or state == issue["state"]:
            return
        closed = state == "closed"
        issue.update(
            state=state,
            state_reason=(reason or "completed") if closed else "reopened",
            closed_at=objects.stamp(self.now()) if closed else None,
            closed_by=self.bot if closed else None,
        )


def _changes(before: Object, after: Object) -> Iterator[tuple[str, Object]]:
    """The actions of the webhooks for one change, each with what stands beside the issue."""
    edited = {key: {"from": before[key]} for key in ("title", "body") if before[key] != after[key]}
    if edited:
        yield "edited", {"changes": edited}
    for kind, gone, come in (
        ("label", "unlabeled", "labeled"),
        ("assignee", "unassigned", "assigned"),
    ):
        old, new = before[f"{kind}s"], after[f"{kind}s"]
        yield from ((gone, {kind: one}) for one in old if one not in new)
        yield from ((come, {kind: one}) for one in new if one not in old)
    if before["state"] != after["state"]:
        yield ("closed" if after["state"] == "closed" else "reopened"), {}


def _older(repository: Object, labels: Mapping[str, Object], subject: Object) -> Iterator[Object]:
    """Three issues from before the first delivery: two about other things, and a reworded one that was solved."""
    number, opened = subject["number"], datetime.fromisoformat(subject["created_at"])
    first = number - len(_OTHERS) - 1
    if first < 1:  # A recorded delivery may be about issue 1: then there is no room below it.
        first = number + len(_OTHERS) + 1
    likely = _Older(
        title=_reworded(subject["title"]),
        body="I met this in the release before the present one. Fixed on the main branch.",
        label="bug",
        reason="completed",
        days=41,
    )
    for position, told in enumerate((*_OTHERS, likely)):
        issue = objects.issue(
            repository,
            first + position,
            title=told.title,
            body=told.body,
            author=repository["owner"],
            at=opened - timedelta(days=told.days),
        )
        yield issue | {"labels": [labels[told.label]]} | _ended(told, opened)


def _ended(told: "_Older", opened: datetime) -> Object:
    if told.reason is None:
        return {}
    closed = objects.stamp(opened - timedelta(days=told.days - 2))
    return {
        "state": "closed",
        "state_reason": told.reason,
        "closed_at": closed,
        "updated_at": closed,
    }


def _reworded(title: str) -> str:
    """Another person's title for the same thing: the same words, told from their end."""
    told = [word for word in re.findall(r"[\w'-]+", title) if word.lower() not in SMALL_WORDS]
    middle = len(told) // 2
    if not middle:
        return f"{title} (seen before)"
    end, start = " ".join(told[middle:]), " ".join(told[:middle])
    return f"{end[0].upper()}{end[1:]}: {start[0].lower()}{start[1:]}"


def _only(fields: Mapping[str, Any], *names: str) -> Object:
    return {name: fields[name] for name in names if name in fields}
